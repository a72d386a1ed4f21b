"""Searches for a bad commit over the API."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from hub.api.parsers import AnyJSONParser
from hub.api.views import RepositoryView
from hub.errors import BadInputError
from training.actions.bisecting import ALPHA, ALPHAS, submit_bisect
from training.api.serializers import RunShape, run_shape
from training.jobs.disclosure import shown_result
from training.models import Run, RunKind

ROWS_LIMIT = 100


class BisectSerializer(serializers.Serializer[Any]):
    """`good` and `bad`: revisions of one branch; without `bad`, the default branch as it is."""

    benchmark = serializers.CharField(max_length=1500)
    good = serializers.CharField(max_length=250)
    bad = serializers.CharField(required=False, default="", max_length=250, allow_blank=True)
    metric = serializers.CharField(required=False, default="", max_length=32, allow_blank=True)
    alpha = serializers.FloatField(
        required=False, default=ALPHA, min_value=ALPHAS[0], max_value=ALPHAS[1]
    )
    title = serializers.CharField(required=False, default="", max_length=256, allow_blank=True)


class BisectShape(RunShape):
    """`result`: found, culprit (oid, subject, pull_request), suspects, clear, steps, ends, new,
    sentence; empty before the end. `ends.reason` is regressed, not_shown, or why good and bad
    cannot be compared."""

    result = serializers.DictField()


class BisectsShape(serializers.Serializer[Any]):
    bisects = BisectShape(many=True)


class BisectListView(RepositoryView):
    """GET, POST /api/{kind}s/{namespace}/{name}/bisects"""

    parser_classes = [AnyJSONParser]

    @extend_schema(
        summary=_("Searches for a bad commit, newest first"),
        parameters=[OpenApiParameter("before", int, description="Only runs with a lower number.")],
        responses=BisectsShape,
    )
    def get(self, request: Request, **path: Any) -> Response:
        """The newest searches first with what they found, at most 100."""
        rows = Run.objects.filter(repository=self.repository.pk, kind=RunKind.BISECT)
        before = request.query_params.get("before", "")
        if before and (not before.isdecimal() or len(before) > 9):
            raise BadInputError("before must be the number of a run.")
        if before:
            rows = rows.filter(number__lt=int(before))
        found = list(
            rows.defer("spec").select_related("created_by").order_by("-number")[:ROWS_LIMIT]
        )
        for run in found:
            run.repository = self.repository
        return Response(
            {"bisects": [run_shape(run) | {"result": shown_result(run)} for run in found]}
        )

    @extend_schema(
        summary=_("Find the commit that made a model worse"),
        request=BisectSerializer,
        responses={201: RunShape},
    )
    def post(self, request: Request, **path: Any) -> Response:
        """Halve the versions between a good and a bad one; stored scores are used first.

        It ends with “not shown” where the loss is not shown at the level alpha.
        """
        form = BisectSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        run = submit_bisect(self.repository, self.actor, **form.validated_data)
        return Response(run_shape(run), status=201)
