"""Comparing models over the API: what the compare page shows, as plain numbers."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from hub.api.views import HubView
from hub.errors import BadInputError
from training.actions.comparing import (
    LETTERS,
    Comparison,
    Held,
    Pair,
    Shared,
    compare_sides,
    read_sides,
    texts_of,
)
from training.api.leaderboards import MetricShape, ScoreShape

_SIDE = "namespace/name of a model, with @revision behind it for a branch, tag or commit."


class ComparedSideShape(ScoreShape):
    """One model. `state` is ok, reported, other-settings, asked-otherwise, without-items, partial
    or not-run; its score is null where there is none."""

    side = serializers.CharField()
    model = serializers.CharField()
    revision = serializers.CharField()
    digest = serializers.CharField()
    state = serializers.CharField()
    evaluation = serializers.IntegerField(allow_null=True)
    dtype = serializers.CharField(allow_null=True)
    run = serializers.CharField(allow_null=True)
    calibration = serializers.JSONField(allow_null=True)


class ComparedPairShape(serializers.Serializer[Any]):
    """`delta` is second minus first, as measured, with a two-sided 95 % interval. `better` names
    the side that is shown to be better, null where they are not told apart; of three sides and more
    by `pHolm`, the two-sided p-value of leaderboards' test, adjusted by Holm for all pairs that can
    be compared, at 5 %. `n` of `ofItems`: where
    a gate stopped early, the items that both sides answered."""

    first = serializers.CharField()
    second = serializers.CharField()
    comparable = serializers.BooleanField()
    reason = serializers.CharField(allow_null=True)
    n = serializers.IntegerField(allow_null=True)
    ofItems = serializers.IntegerField(allow_null=True)
    delta = serializers.FloatField(allow_null=True)
    lower = serializers.FloatField(allow_null=True)
    upper = serializers.FloatField(allow_null=True)
    better = serializers.CharField(allow_null=True)
    method = serializers.CharField(allow_null=True)
    pValue = serializers.FloatField(allow_null=True)
    pHolm = serializers.FloatField(allow_null=True)
    mcnemar = serializers.JSONField(allow_null=True)
    overlap = serializers.JSONField(allow_null=True)
    agreement = serializers.JSONField(allow_null=True)


class SharedShape(serializers.Serializer[Any]):
    benchmark = serializers.CharField()
    name = serializers.CharField()
    digest = serializers.CharField()
    items = serializers.IntegerField()
    states = serializers.DictField(child=serializers.CharField())


class ComparisonShape(serializers.Serializer[Any]):
    benchmark = serializers.CharField(allow_null=True)
    digest = serializers.CharField(allow_null=True)
    metric = MetricShape(allow_null=True)
    sides = ComparedSideShape(many=True)
    pairs = ComparedPairShape(many=True)
    shared = SharedShape(many=True)


class CompareView(HubView):
    """GET /api/compare?a=namespace/name@revision&b=…&benchmark=namespace/name:path"""

    @extend_schema(
        summary=_("Compare models item by item"),
        parameters=[
            *(
                OpenApiParameter(letter, str, required=letter in "ab", description=_SIDE)
                for letter in LETTERS
            ),
            OpenApiParameter("benchmark", str, description="namespace/name:path.yaml"),
            OpenApiParameter("digest", str, description="The beginning of an earlier digest."),
            OpenApiParameter("metric", str),
        ],
        responses=ComparisonShape,
    )
    def get(self, request: Request) -> Response:
        """Every pair of two to six models, on one benchmark, and what else they share.

        Of three and more it counts that several pairs were tested (Holm).
        """
        query = request.query_params
        sides = read_sides(self.actor, texts_of(query))
        if len(sides) < 2:
            raise BadInputError("Name two models or revisions, as a and b.")
        found = compare_sides(
            self.actor,
            sides,
            benchmark=query.get("benchmark") or "",
            digest=query.get("digest") or "",
            metric=query.get("metric") or "",
        )
        return Response(_shape(found))


def _shape(found: Comparison) -> dict[str, Any]:
    chosen, metric = found.chosen, found.metric
    keys = ("name", "direction", "target", "unit")
    held = chosen.held if chosen else []
    return {
        "benchmark": chosen.benchmark.reference if chosen else None,
        "digest": chosen.benchmark.digest if chosen else None,
        "metric": {key: metric[key] for key in keys} if metric else None,
        "sides": [
            _side(each, metric, known)
            for each, known in zip(held, found.calibrations, strict=True)
        ],
        "pairs": [_pair(pair) for pair in found.pairs],
        "shared": [_shared(each) for each in found.shared],
    }  # fmt: skip


def _side(held: Held, metric: dict[str, Any], known: dict[str, Any] | None) -> dict[str, Any]:
    row, side = held.evaluation, held.side
    score = row.score_of(metric["name"]) if row else {}
    return {
        "side": side.letter,
        "model": side.repository.repo_id,
        "revision": side.oid,
        "digest": side.digest,
        "state": held.state,
        "evaluation": row.pk if row else None,
        "dtype": row.settings.get("dtype") if row else None,
        "run": held.run.get_absolute_url() if held.run else None,
        "calibration": known,
        **{key: score.get(key) for key in ("value", "lower", "upper")},
    }


def _pair(pair: Pair) -> dict[str, Any]:
    facts = pair.facts
    letters = {"first": pair.first.side.letter, "second": pair.second.side.letter}
    return letters | {
        "comparable": bool(facts),
        "reason": str(pair.why_not) or None,
        "better": letters.get(facts.get("better", "")),
        "pValue": facts.get("p_value"),
        "pHolm": pair.p_holm,
        "ofItems": facts.get("of"),
        **{key: facts.get(key) for key in ("n", "delta", "lower", "upper", "method")},
        **{key: facts.get(key) for key in ("mcnemar", "overlap", "agreement")},
    }


def _shared(shared: Shared) -> dict[str, Any]:
    return {
        "benchmark": shared.benchmark.reference,
        "name": shared.benchmark.label,
        "digest": shared.benchmark.digest,
        "items": shared.benchmark.item_count,
        "states": {each.side.letter: each.state for each in shared.held},
    }
