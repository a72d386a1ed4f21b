"""Runs over the API: start, look, follow, stop."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.http import StreamingHttpResponse
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiParameter, OpenApiTypes, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from hub.api.parsers import AnyJSONParser
from hub.api.views import RepositoryView
from hub.errors import BadInputError
from training.actions.curves import curves
from training.actions.runs import cancel_run, run_again, submit_finetune
from training.actions.specs import shown_spec
from training.api.serializers import (
    CurvesShape,
    FinetuneSerializer,
    RunShape,
    RunsShape,
    WholeRunShape,
    run_shape,
)
from training.models import LogLine, Run, RunKind
from training.policies import get_run

RUNS_LIMIT = 100
LINES_AT_ONCE = 2_000


def _read(kind: type[serializers.Serializer[Any]], request: Request) -> dict[str, Any]:
    form = kind(data=request.data)
    form.is_valid(raise_exception=True)
    return dict(form.validated_data)


class RunListView(RepositoryView):
    """GET, POST /api/{kind}s/{namespace}/{name}/runs"""

    parser_classes = [AnyJSONParser]

    @extend_schema(
        parameters=[
            OpenApiParameter("kind", str, enum=RunKind.values),
            OpenApiParameter("before", int, description="Only runs with a lower number."),
        ],
        summary=_("Runs, newest first"),
        responses=RunsShape,
    )
    def get(self, request: Request, **path: Any) -> Response:
        """The newest runs first, at most 100."""
        rows = Run.objects.filter(repository=self.repository.pk)
        if kind := request.query_params.get("kind"):
            rows = rows.filter(kind=kind)
        before = request.query_params.get("before", "")
        if before and (not before.isdecimal() or len(before) > 9):
            raise BadInputError("before must be the number of a run.")
        if before:
            rows = rows.filter(number__lt=int(before))
        found = list(
            rows.defer("spec").select_related("created_by").order_by("-number")[:RUNS_LIMIT]
        )
        for run in found:
            run.repository = self.repository
        return Response({"runs": [run_shape(run) for run in found]})

    @extend_schema(
        summary=_("Start a fine-tune"), request=FinetuneSerializer, responses={201: RunShape}
    )
    def post(self, request: Request, **path: Any) -> Response:
        """Start a fine-tune; the result comes back as a pull request."""
        form = _read(FinetuneSerializer, request)
        run = submit_finetune(self.repository, self.actor, **form)
        return Response(run_shape(run), status=201)


class RunView(RepositoryView):
    """GET /api/{kind}s/{namespace}/{name}/runs/{number}"""

    @extend_schema(summary=_("One run"), responses=WholeRunShape)
    def get(self, request: Request, number: int, **path: Any) -> Response:
        run = get_run(self.repository, number)
        return Response(run_shape(run, spec=shown_spec(run, self.actor)))


class RunMetricsView(RepositoryView):
    """GET /api/{kind}s/{namespace}/{name}/runs/{number}/metrics"""

    @extend_schema(
        summary=_("Curves of a run"),
        parameters=[OpenApiParameter("all", bool, description="Every metric.")],
        responses=CurvesShape,
    )
    def get(self, request: Request, number: int, **path: Any) -> Response:
        """Curves as [step, value] points; `live` while more may come. `?all=1`: every metric."""
        run = get_run(self.repository, number)
        names = {"names": None} if request.query_params.get("all") else {}
        return Response({"series": curves(run, **names), "live": run.is_live})


class RunLogView(RepositoryView):
    """GET /api/{kind}s/{namespace}/{name}/runs/{number}/log"""

    @extend_schema(summary=_("The log of a run"), responses={(200, "text/plain"): OpenApiTypes.STR})
    def get(self, request: Request, number: int, **path: Any) -> StreamingHttpResponse:
        """The whole log as text."""
        run = get_run(self.repository, number)
        response = StreamingHttpResponse(_lines(run.pk), content_type="text/plain; charset=utf-8")
        response["Content-Security-Policy"] = "default-src 'none'; sandbox"
        response["X-Accel-Buffering"] = "no"
        return response


def _lines(run_id: int) -> Iterator[str]:
    """Log lines in order, some at a time, so that no connection is held between them."""
    after = 0
    while True:
        rows = LogLine.objects.filter(run=run_id, pk__gt=after).order_by("pk")[:LINES_AT_ONCE]
        found = list(rows.values_list("pk", "text"))
        if not found:
            return
        after = found[-1][0]
        yield "".join(f"{text}\n" for _pk, text in found)


class RunCancelView(RepositoryView):
    """POST /api/{kind}s/{namespace}/{name}/runs/{number}/cancel"""

    @extend_schema(summary=_("Cancel a run"), request=None, responses={200: RunShape})
    def post(self, request: Request, number: int, **path: Any) -> Response:
        cancel_run(get_run(self.repository, number), self.actor)
        return Response(run_shape(get_run(self.repository, number)))


class RunAgainView(RepositoryView):
    """POST /api/{kind}s/{namespace}/{name}/runs/{number}/again"""

    @extend_schema(summary=_("Run it again"), request=None, responses={201: RunShape})
    def post(self, request: Request, number: int, **path: Any) -> Response:
        run = run_again(get_run(self.repository, number), self.actor)
        return Response(run_shape(run), status=201)
