"""What lies between the weights of two revisions."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from hub.api.parsers import AnyJSONParser
from hub.api.views import RepositoryView
from hub.errors import NotFoundError
from hub.models import TokenScope
from hub.policies import require_files, require_person
from reviews.actions.weights import (
    Side,
    ask_comparison,
    comparison_of,
    request_comparison,
    side_named,
    sides_of,
    tensor_comparison,
)
from reviews.changes import change_of
from reviews.models import WeightsComparison
from reviews.policies import get_pull_request

_TENSOR = OpenApiParameter("tensor", str, description="With all that is known of this tensor.")


class PairSerializer(serializers.Serializer):
    """Two revisions; `base` is the default branch where it is left out. Either may be one of
    another model: NAMESPACE/NAME@REVISION."""

    base = serializers.CharField(max_length=255, default="")
    candidate = serializers.CharField(max_length=255)


class ComparisonSerializer(serializers.Serializer):
    """`tensors` have a row each; `problems` is null until every tensor has been read."""

    state = serializers.CharField()
    error = serializers.JSONField()
    progress = serializers.JSONField()
    summary = serializers.JSONField()
    problems = serializers.JSONField(allow_null=True)
    tensors = serializers.ListField(child=serializers.JSONField())
    tensor = serializers.JSONField(required=False)


def told(row: WeightsComparison, tensor: str = "") -> dict[str, Any]:
    """`row` as the API gives it. Raises: NotFoundError: no such tensor was compared."""
    answer: dict[str, Any] = {
        "state": row.state,
        "error": row.error or None,
        "progress": row.progress,
        "summary": row.summary,
        "problems": row.problems,
        "tensors": [{k: v for k, v in each.items() if k != "key"} for each in row.structure],
    }
    if tensor:
        found = tensor_comparison(row, tensor)
        if found is None:
            raise NotFoundError(f"No numbers of a tensor {tensor[:200]} are known.")
        answer["tensor"] = {"stats": found.stats, "spectrum": found.spectrum}
    return answer


class WeightsView(RepositoryView):
    """GET, POST …/weights"""

    parser_classes = [AnyJSONParser]

    def sides(self, given: Any) -> tuple[Side, Side]:
        require_files(self.actor, self.repository)
        form = PairSerializer(data=given)
        form.is_valid(raise_exception=True)
        names = form.validated_data
        base = names["base"] or self.repository.default_branch
        return (
            side_named(self.repository, self.actor, base),
            side_named(self.repository, self.actor, names["candidate"]),
        )

    @extend_schema(
        summary=_("What lies between the weights of two revisions, once somebody has asked"),
        parameters=[PairSerializer, _TENSOR],
        responses=ComparisonSerializer,
    )
    def get(self, request: Request, **path: Any) -> Response:
        row = comparison_of(*self.sides(request.query_params))
        if row is None:
            raise NotFoundError("Nobody has compared these two yet: ask with POST.")
        return Response(told(row, request.query_params.get("tensor", "")))

    @extend_schema(
        summary=_("Have the weights of two revisions compared"),
        request=PairSerializer,
        responses={200: ComparisonSerializer},
    )
    def post(self, request: Request, **path: Any) -> Response:
        user = require_person(self.actor, scope=TokenScope.WRITE)
        return Response(told(ask_comparison(*self.sides(request.data), by=user)))


class PullRequestWeightsView(RepositoryView):
    """GET …/discussions/{number}/weights"""

    @extend_schema(
        summary=_("What a pull request does to the weights"),
        parameters=[_TENSOR],
        responses=ComparisonSerializer,
    )
    def get(self, request: Request, number: int, **path: Any) -> Response:
        require_files(self.actor, self.repository)
        change = change_of(get_pull_request(self.repository, number))
        sides = sides_of(self.repository, change)
        if sides is None:
            raise NotFoundError("This pull request changes no weights.")
        return Response(told(request_comparison(*sides), request.query_params.get("tensor", "")))
