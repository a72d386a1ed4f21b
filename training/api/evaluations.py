"""Measurements over the API: have one made, list them, read one with its items."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from django.http import FileResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiParameter, OpenApiTypes, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from hub.api.parsers import AnyJSONParser
from hub.api.views import RepositoryView
from hub.errors import BadInputError
from training.actions.evaluating import submit_evaluation
from training.actions.measured import (
    all_items,
    evaluations_of,
    get_evaluation,
    require_items,
)
from training.api.serializers import RunShape, run_shape
from training.jobs.disclosure import readable_benchmarks, told_metrics, told_score
from training.models import Evaluation, Origin

ROWS_LIMIT = 100
FORMATS = ("jsonl", "parquet")


class EvaluateSerializer(serializers.Serializer[Any]):
    """`benchmarks`: namespace/name:path.yaml, with @revision behind it to pin one. `revision`: a
    branch, tag, commit or refs/pr/N; the default branch without one."""

    benchmarks = serializers.ListField(
        child=serializers.CharField(max_length=1500), min_length=1, max_length=20
    )
    revision = serializers.CharField(required=False, default="", max_length=250, allow_blank=True)
    title = serializers.CharField(required=False, default="", max_length=256, allow_blank=True)


class EvaluationShape(serializers.Serializer[Any]):
    """`benchmark` is null for those who may not read its data set. `items` of `ofItems`: a gate
    may have stopped early. `revisionIsTree`: it is the Git tree of a merge that is not made yet."""

    id = serializers.IntegerField()
    label = serializers.CharField()  # type: ignore[assignment]
    benchmark = serializers.CharField(allow_null=True)
    metric = serializers.CharField()
    score = serializers.FloatField(allow_null=True)
    scores = serializers.DictField()
    items = serializers.IntegerField()
    ofItems = serializers.IntegerField()
    origin = serializers.ChoiceField(choices=Origin.choices)
    revision = serializers.CharField()
    revisionIsTree = serializers.BooleanField()
    modelDigest = serializers.CharField()
    benchmarkDigest = serializers.CharField()
    settingsDigest = serializers.CharField()
    protocolDigest = serializers.CharField()
    settings = serializers.DictField()
    seconds = serializers.FloatField(allow_null=True)
    run = serializers.IntegerField(allow_null=True)
    createdAt = serializers.CharField()
    mayReadItems = serializers.BooleanField()
    url = serializers.CharField()


class EvaluationsShape(serializers.Serializer[Any]):
    evaluations = EvaluationShape(many=True)


class EvaluationListView(RepositoryView):
    """GET, POST /api/{kind}s/{namespace}/{name}/evaluations"""

    parser_classes = [AnyJSONParser]

    @extend_schema(
        summary=_("What has been measured, newest first"),
        parameters=[
            OpenApiParameter("benchmark", str, description="Only with this benchmark digest."),
            OpenApiParameter("model", str, description="Only of this model digest."),
            OpenApiParameter("before", int, description="Only measurements with a lower id."),
        ],
        responses=EvaluationsShape,
    )
    def get(self, request: Request, **path: Any) -> Response:
        """The newest measurements first, at most 100."""
        rows = evaluations_of(self.repository)
        for name, column in (("benchmark", "benchmark_digest"), ("model", "model_digest")):
            if wanted := request.query_params.get(name, "").replace("\0", ""):
                rows = rows.filter(**{column: wanted[:64]})
        before = request.query_params.get("before", "")
        if before and (not before.isdecimal() or len(before) > 18):
            raise BadInputError("before must be the id of a measurement.")
        if before:
            rows = rows.filter(pk__lt=int(before))
        found = list(rows[:ROWS_LIMIT])
        readable = readable_benchmarks(
            self.actor, [row.benchmark for row in found], within=self.repository.pk
        )
        for row in found:
            row.repository = self.repository
        return Response({"evaluations": [evaluation_shape(row, readable) for row in found]})

    @extend_schema(
        summary=_("Measure a revision"), request=EvaluateSerializer, responses={201: RunShape}
    )
    def post(self, request: Request, **path: Any) -> Response:
        """Measure a branch, tag, commit or pull request on benchmarks of this hub.

        What has been measured before is not measured again. The files of a pull request are run
        only for those who may write to the repository.
        """
        form = EvaluateSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        run = submit_evaluation(self.repository, self.actor, **form.validated_data)
        return Response(run_shape(run), status=201)


class EvaluationView(RepositoryView):
    """GET /api/{kind}s/{namespace}/{name}/evaluations/{number}"""

    @extend_schema(summary=_("One measurement"), responses=EvaluationShape)
    def get(self, request: Request, number: int, **path: Any) -> Response:
        """Every metric with its interval, and the digests that name the measurement."""
        row = get_evaluation(self.repository, number)
        within = row.repository_id
        readable = readable_benchmarks(self.actor, [row.benchmark], within=within)
        return Response(evaluation_shape(row, readable))


class EvaluationItemsView(RepositoryView):
    """GET /api/{kind}s/{namespace}/{name}/evaluations/{number}/items"""

    @extend_schema(
        summary=_("The items of a measurement"),
        parameters=[OpenApiParameter("format", str, enum=FORMATS)],
        responses={
            (200, "application/x-ndjson"): OpenApiTypes.STR,
            (200, "application/vnd.apache.parquet"): OpenApiTypes.BINARY,
        },
    )
    def get(self, request: Request, number: int, **path: Any) -> HttpResponseBase:
        """Every item as one line of JSON with its texts, or the stored Parquet without them.

        For those who may read the files of the model and the data sets of the benchmark.
        """
        wanted = request.query_params.get("format", FORMATS[0])
        if wanted not in FORMATS:
            raise BadInputError("format is jsonl or parquet.")
        row = get_evaluation(self.repository, number)
        require_items(self.actor, row)
        name = f"evaluation-{row.pk}.{wanted}"
        response: HttpResponseBase
        if wanted == "parquet":
            response = FileResponse(
                row.repository.blobs().open(row.items_sha256),
                content_type="application/vnd.apache.parquet",
            )
        else:
            response = StreamingHttpResponse(_lines(row), content_type="application/x-ndjson")
            response["X-Accel-Buffering"] = "no"
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        response["Content-Security-Policy"] = "default-src 'none'; sandbox"
        return response


def _lines(row: Evaluation) -> Iterator[str]:
    for item in all_items(row):
        yield json.dumps(item, ensure_ascii=False) + "\n"


def evaluation_shape(row: Evaluation, readable: set[int]) -> dict[str, Any]:
    """A measurement as the API tells it to somebody who may read the benchmarks `readable`."""
    benchmark = row.benchmark
    may_read = benchmark.pk in readable
    metrics = told_metrics(benchmark, may_read=may_read, within=row.repository_id)
    names = [each["name"] for each in metrics]
    scores = {name: told_score(row, name, may_read=may_read) for name in names}
    first = benchmark.metric if benchmark.metric in scores else next(iter(scores), "")
    return {
        "id": row.pk,
        "label": benchmark.label,
        "benchmark": benchmark.reference if may_read else None,
        "metric": first,
        "score": (scores.get(first) or {}).get("value"),
        "scores": scores,
        "items": row.item_count,
        "ofItems": benchmark.item_count,
        "origin": row.origin,
        "revision": row.revision,
        "revisionIsTree": getattr(row, "merge_tree", None) == row.revision,
        "modelDigest": row.model_digest,
        "benchmarkDigest": row.benchmark_digest,
        "settingsDigest": row.settings_digest,
        "protocolDigest": row.protocol_digest,
        "settings": row.settings,
        "seconds": row.seconds,
        "run": row.run.number if row.run else None,
        "createdAt": row.created_at,
        "mayReadItems": may_read and bool(row.items_sha256),
        "url": f"{row.repository.get_absolute_url()}/evaluations/{row.pk}",
    }
