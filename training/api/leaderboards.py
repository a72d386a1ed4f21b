"""Leaderboards over the API: as JSON, or as CSV for a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any

from django.http import HttpResponse
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiParameter, OpenApiTypes, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from hub.api.views import HubView, RepositoryView
from hub.errors import BadInputError, NotFoundError
from training.actions.leaderboard_filters import Filters, licences_of
from training.actions.leaderboard_queue import Waiting, queue_of
from training.actions.leaderboard_ranks import Place
from training.actions.leaderboard_sets import Cell, SetBoard, SetEntry, find_suite, set_board
from training.actions.leaderboards import (
    SORTS,
    Board,
    Entry,
    Listed,
    board_of,
    boards,
    find_benchmarks,
    parameters_of,
    unmeasured,
)

FORMATS = ("json", "csv")
BOARDS_LIMIT = 200
COLUMNS = (
    "rankLow", "rankHigh", "model", "revision", "version", "origin", "state", "value", "lower",
    "upper", "items", "dtype", "parameters", "bytes", "licence", "library", "measuredAt",
)  # fmt: skip
SCORE = ("value", "lower", "upper")
# What a spreadsheet would take for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class ScoreShape(serializers.Serializer[Any]):
    """A score with its two-sided 95 % interval."""

    value = serializers.FloatField(allow_null=True)
    lower = serializers.FloatField(allow_null=True)
    upper = serializers.FloatField(allow_null=True)


class BoardEntryShape(ScoreShape):
    """One model. `rankLow` to `rankHigh`: the ranks that its item results allow; null without.
    `measured`: beside a report, what was measured here of the same model; the report `contradicts`
    it where its value lies outside of the interval of the same files."""

    model = serializers.CharField()
    url = serializers.CharField()
    rankLow = serializers.IntegerField(allow_null=True)
    rankHigh = serializers.IntegerField(allow_null=True)
    group = serializers.IntegerField(allow_null=True)
    state = serializers.CharField()
    reason = serializers.CharField(allow_null=True)
    version = serializers.ChoiceField(choices=("head", "earlier", "other"))
    origin = serializers.ChoiceField(choices=("here", "reported", "card"))
    revision = serializers.CharField(allow_null=True)
    items = serializers.IntegerField(allow_null=True)
    dtype = serializers.CharField(allow_null=True)
    parameters = serializers.IntegerField(allow_null=True)
    bytes = serializers.IntegerField()
    licence = serializers.CharField(allow_null=True)
    library = serializers.CharField(allow_null=True)
    measuredAt = serializers.CharField(allow_null=True)
    wouldRankLow = serializers.IntegerField(allow_null=True)
    wouldRankHigh = serializers.IntegerField(allow_null=True)
    measured = ScoreShape(allow_null=True)
    contradicts = serializers.BooleanField()
    scores = serializers.DictField(child=ScoreShape(), required=False)


class QueueShape(serializers.Serializer[Any]):
    """A measurement on its way. `position` counts over the whole hub; null while it runs."""

    model = serializers.CharField()
    run = serializers.CharField()
    status = serializers.CharField()
    position = serializers.IntegerField(allow_null=True)
    reason = serializers.CharField()


class MetricShape(serializers.Serializer[Any]):
    name = serializers.CharField()
    direction = serializers.ChoiceField(choices=("higher", "lower", "target"))
    target = serializers.FloatField(allow_null=True)
    unit = serializers.CharField()


class BoardShape(serializers.Serializer[Any]):
    """A board of a benchmark, or of a set: then `digest` is null and `benchmarks` are its parts."""

    name = serializers.CharField()
    benchmark = serializers.CharField()
    digest = serializers.CharField(allow_null=True)
    items = serializers.IntegerField(allow_null=True)
    metric = MetricShape(allow_null=True)
    benchmarks = serializers.ListField(child=serializers.DictField(), required=False)
    ranked = BoardEntryShape(many=True)
    apart = BoardEntryShape(many=True)
    queue = QueueShape(many=True)


class ListedShape(serializers.Serializer[Any]):
    benchmark = serializers.CharField()
    name = serializers.CharField()
    digest = serializers.CharField()
    items = serializers.IntegerField()
    models = serializers.IntegerField()
    reported = serializers.IntegerField()
    newestAt = serializers.CharField(allow_null=True)
    url = serializers.CharField()


class LeaderboardsShape(serializers.Serializer[Any]):
    leaderboards = ListedShape(many=True)


class LeaderboardsView(HubView):
    """GET /api/leaderboards"""

    @extend_schema(summary=_("Leaderboards"), responses=LeaderboardsShape)
    def get(self, request: Request) -> Response:
        """Every board that the caller may see, for the newest digest of each benchmark file."""
        found = boards(self.actor, limit=BOARDS_LIMIT)
        return Response({"leaderboards": [_listed(each) for each in found]})


def _listed(each: Listed) -> dict[str, Any]:
    row = each.benchmark
    return {
        "benchmark": row.reference,
        "name": row.label,
        "digest": row.digest,
        "items": row.item_count,
        "models": each.models,
        "reported": each.reported,
        "newestAt": each.newest_at,
        "url": row.get_absolute_url(),
    }


class LeaderboardView(RepositoryView):
    """GET /api/datasets/{namespace}/{name}/leaderboard/{path}"""

    @extend_schema(
        summary=_("The leaderboard of a benchmark or a set"),
        parameters=[
            OpenApiParameter("format", str, enum=FORMATS),
            OpenApiParameter("digest", str, description="The beginning of an earlier digest."),
            OpenApiParameter("metric", str),
            OpenApiParameter("sort", str, enum=SORTS),
            OpenApiParameter("parameters", str, description="At most so many: 500M, 7B."),
            OpenApiParameter("size", str, description="At most so many bytes: 500MB, 4GB."),
            OpenApiParameter("licence", str),
            OpenApiParameter("language", str),
            OpenApiParameter("library", str),
        ],
        responses={(200, "application/json"): BoardShape, (200, "text/csv"): OpenApiTypes.STR},
    )
    def get(self, request: Request, path: str, **rest: Any) -> HttpResponse:
        """Models with scores, intervals and ranks; what is not ranked stands apart and says why.

        Ranks are ranges: models that the items cannot tell apart (paired tests of all pairs, Holm,
        5 %) share them.
        """
        query = request.query_params
        wanted = query.get("format") or "json"
        if wanted not in FORMATS:
            raise BadInputError(f"format is one of {', '.join(FORMATS)}.")
        sort = query.get("sort") or "rank"
        if sort not in SORTS:
            raise BadInputError(f"sort is one of {', '.join(SORTS)}.")
        filters = Filters.of(query)
        try:
            digests = find_benchmarks(self.repository, path, self.actor)
        except NotFoundError:
            return _answer(self._set_or_first(path, filters), wanted)
        found = board_of(
            digests,
            self.actor,
            digest=query.get("digest") or "",
            metric=query.get("metric") or "",
            filters=filters,
            sort=sort,
        )
        return _answer(self._shape(found), wanted)

    def _set_or_first(self, path: str, filters: Filters) -> dict[str, Any]:
        """The board of a set; else that of a benchmark without a model yet."""
        try:
            suite = find_suite(self.repository, path, self.actor)
        except NotFoundError:
            first = unmeasured(self.repository, path, self.actor)
            queue = queue_of(self.actor, [(self.repository.pk, path)])
            named = {"name": first.label, "benchmark": f"{self.repository.repo_id}:{path}"}
            nothing: dict[str, Any] = dict.fromkeys(("digest", "items", "metric"))
            rows = {"ranked": [], "apart": [], "queue": [_waiting(each) for each in queue]}
            return named | nothing | rows
        return self._set_shape(set_board(suite, self.actor, filters=filters), path)

    def _shape(self, board: Board) -> dict[str, Any]:
        row = board.benchmark
        queue = queue_of(self.actor, [(row.repository_id, row.path)])
        return {
            "name": row.label,
            "benchmark": row.reference,
            "digest": row.digest,
            "items": row.item_count,
            "metric": _metric(board.metric),
            "ranked": [_entry(entry) for entry in board.ranked],
            "apart": [_entry(entry) for entry in board.apart],
            "queue": [_waiting(each) for each in queue],
        }

    def _set_shape(self, board: SetBoard, path: str) -> dict[str, Any]:
        measured = [each.benchmark for each in board.columns if each.benchmark]
        queue = queue_of(self.actor, {(row.repository_id, row.path) for row in measured})
        return {
            "name": board.suite.label,
            "benchmark": f"{self.repository.repo_id}:{path}",
            "digest": None,
            "items": sum(row.item_count for row in measured) or None,
            "metric": _metric(board.metric) if board.metric and not board.why_no_average else None,
            "benchmarks": [
                {
                    "benchmark": str(column.reference),
                    "digest": column.benchmark.digest if column.benchmark else None,
                    "items": column.benchmark.item_count if column.benchmark else None,
                    "metric": column.metric.get("name"),
                }
                for column in board.columns
            ],
            "ranked": [_set_entry(entry) for entry in board.ranked],
            "apart": [_set_entry(entry) for entry in board.apart],
            "queue": [_waiting(each) for each in queue],
        }


def _metric(metric: dict[str, Any]) -> dict[str, Any]:
    return {key: metric[key] for key in ("name", "direction", "target", "unit")}


def _entry(entry: Entry) -> dict[str, Any]:
    row = entry.evaluation
    would, here = entry.would, entry.measured
    return _model(entry) | _places(entry.place) | {
        "state": entry.state,
        "reason": str(entry.reason) or None,
        "origin": "card" if row is None else row.origin,
        "revision": entry.revision or None,
        "value": entry.value,
        "lower": entry.lower,
        "upper": entry.upper,
        "items": row.item_count if row else None,
        "dtype": entry.dtype or None,
        "measuredAt": row.updated_at if row else None,
        "wouldRankLow": would.low if would else None,
        "wouldRankHigh": would.high if would else None,
        "measured": {key: getattr(here, key) for key in SCORE} if here else None,
        "contradicts": entry.contradicts,
    }  # fmt: skip


def _set_entry(entry: SetEntry) -> dict[str, Any]:
    known = [cell.evaluation for cell in entry.cells if cell.evaluation]
    return _model(entry) | _places(entry.place) | {
        "state": "ranked" if entry.place else "incomplete",
        "reason": None if entry.place else str(_("not measured on all of it, not ranked")),
        "origin": "here" if all(row.origin == "here" for row in known) else "reported",
        "revision": known[0].revision if known else None,
        "value": entry.average,
        "lower": entry.lower,
        "upper": entry.upper,
        "items": sum(row.item_count for row in known),
        "dtype": None,
        "measuredAt": max(row.updated_at for row in known) if known else None,
        "wouldRankLow": None,
        "wouldRankHigh": None,
        "measured": None,
        "contradicts": False,
        "scores": {str(cell.column.reference): _cell(cell) for cell in entry.cells},
    }  # fmt: skip


def _cell(cell: Cell) -> dict[str, Any]:
    return {key: cell.score.get(key) for key in SCORE}


def _model(entry: Entry | SetEntry) -> dict[str, Any]:
    repository = entry.repository
    return {
        "model": repository.repo_id,
        "url": repository.get_absolute_url(),
        "version": entry.version,
        "parameters": parameters_of(repository),
        "bytes": repository.size_bytes,
        "licence": ", ".join(licences_of(repository)) or None,
        "library": repository.library_name or None,
    }


def _places(place: Place | None) -> dict[str, int | None]:
    return {
        "rankLow": place.low if place else None,
        "rankHigh": place.high if place else None,
        "group": place.group + 1 if place else None,
    }


def _waiting(each: Waiting) -> dict[str, Any]:
    return {
        "model": each.run.repository.repo_id,
        "run": each.run.get_absolute_url(),
        "status": each.run.status,
        "position": each.position,
        "reason": each.reason,
    }


def _answer(shape: dict[str, Any], wanted: str) -> HttpResponse:
    if wanted == "json":
        return Response(shape)
    response = HttpResponse(_csv([*shape["ranked"], *shape["apart"]]), content_type=_CSV)
    response["Content-Disposition"] = 'attachment; filename="leaderboard.csv"'
    return response


_CSV = "text/csv; charset=utf-8"


def _csv(rows: Iterable[dict[str, Any]]) -> str:
    """A line a model; of a set with one column a benchmark behind."""
    listed = list(rows)
    parts = list(dict.fromkeys(name for row in listed for name in row.get("scores", {})))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([*COLUMNS, *(_plain(name) for name in parts)])
    for row in listed:
        scores = row.get("scores", {})
        values = [scores.get(name, {}).get("value") for name in parts]
        writer.writerow([*(_plain(row[name]) for name in COLUMNS), *map(_plain, values)])
    return out.getvalue()


def _plain(value: Any) -> Any:
    """A cell that no spreadsheet runs: a text that begins like a formula gets a quote before it."""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return "" if value is None else value
