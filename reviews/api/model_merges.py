"""Merging models into a proposal."""

from __future__ import annotations

from typing import Any

from django.shortcuts import get_object_or_404
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from hub.api.parsers import AnyJSONParser
from hub.api.views import RepositoryView
from hub.policies import Actor
from reviews.actions.model_merges import (
    MOST,
    OFFERED,
    Part,
    Wanted,
    require_merger,
    start_model_merge,
)
from reviews.actions.model_merges_said import conditions_told, error_said, sources_of
from reviews.models import ModelMerge


class NumbersSerializer(serializers.Serializer):
    weight = serializers.FloatField(default=1.0)
    density = serializers.FloatField(default=1.0)


class PartSerializer(serializers.Serializer):
    """`model` is namespace/name, or namespace/name@revision."""

    model = serializers.CharField(max_length=300)
    parameters = NumbersSerializer(required=False)


class ParametersSerializer(serializers.Serializer):
    """Numbers for all models; left out, the method's own."""

    t = serializers.FloatField(required=False, min_value=0, max_value=1)
    normalize = serializers.BooleanField(required=False, allow_null=True, default=None)

    def get_fields(self) -> dict[str, Any]:
        found: dict[str, Any] = super().get_fields()
        found["lambda"] = serializers.FloatField(required=False)
        return found


class WantedSerializer(serializers.Serializer):
    """The words of `.weighbridge/merge.yaml`. One of the models is of this repository; without
    `base_model` it is the nearest that all cards lead to."""

    merge_method = serializers.ChoiceField(choices=[each.value for each in OFFERED])
    models = serializers.ListField(child=PartSerializer(), max_length=MOST)
    base_model = serializers.CharField(max_length=300, default="", allow_blank=True)
    parameters = ParametersSerializer(required=False)
    rules = serializers.ListField(child=serializers.DictField(), default=list, max_length=200)
    seed = serializers.IntegerField(default=0, min_value=0, max_value=2**53 - 1)
    confirmed = serializers.BooleanField(
        default=False, help_text="Average them even if their changes point away from each other."
    )
    title = serializers.CharField(max_length=256, default="", allow_blank=True)

    def wanted(self) -> Wanted:
        given = self.validated_data
        parameters = given.get("parameters") or {}
        return Wanted(
            method=given["merge_method"],
            parts=[Part(each["model"], **each.get("parameters", {})) for each in given["models"]],
            base=given["base_model"],
            parameters={key: value for key, value in parameters.items() if value is not None},
            rules=given["rules"],
            seed=given["seed"],
            confirmed=given["confirmed"],
            title=given["title"],
        )


class MergedSourceSerializer(serializers.Serializer):
    """`model` is null for one that is not shown to you."""

    model = serializers.CharField(allow_null=True)
    revision = serializers.CharField()
    weight = serializers.FloatField(allow_null=True)


class ModelMergeSerializer(serializers.Serializer):
    """`state` goes from waiting over running to done or failed; `pull_request` is its number."""

    id = serializers.IntegerField()
    state = serializers.CharField()
    title = serializers.CharField()
    merge_method = serializers.CharField()
    base_model = MergedSourceSerializer()
    models = MergedSourceSerializer(many=True)
    conditions = serializers.JSONField(
        help_text="`parameters` are empty unless you asked or may read the files of all sources."
    )
    error = serializers.CharField(allow_null=True)
    pull_request = serializers.IntegerField(allow_null=True)
    commit = serializers.CharField(allow_null=True)


def told(row: ModelMerge, actor: Actor) -> dict[str, Any]:
    """`row` as the API gives it to `actor`."""
    sources = sources_of(row, actor)
    base, *models = [
        {"model": each.name or None, "revision": each.oid, "weight": each.weight}
        for each in sources
    ]
    return {
        "id": row.pk,
        "state": row.state,
        "title": row.title,
        "merge_method": row.choice["method"],
        "base_model": base,
        "models": models,
        "conditions": conditions_told(row, sources),
        "error": error_said(row, sources) or None,
        "pull_request": row.pull_request_number,
        "commit": row.result_oid or None,
    }


class ModelMergeListView(RepositoryView):
    """POST …/merges"""

    parser_classes = [AnyJSONParser]

    @extend_schema(
        summary=_("Have models merged into a pull request"),
        request=WantedSerializer,
        responses={201: ModelMergeSerializer},
    )
    def post(self, request: Request, **path: Any) -> Response:
        require_merger(self.actor, self.repository)
        form = WantedSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        row = start_model_merge(self.repository, self.actor, form.wanted())
        return Response(told(row, self.actor), status=201)


class ModelMergeView(RepositoryView):
    """GET …/merges/{number}"""

    @extend_schema(
        summary=_("What has become of a merge of models"), responses=ModelMergeSerializer
    )
    def get(self, request: Request, number: int, **path: Any) -> Response:
        rows = ModelMerge.objects.select_related("by")
        row = get_object_or_404(rows, repository=self.repository, pk=number)
        return Response(told(row, self.actor))
