"""Ways of merging weights, tried before one is chosen."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from hub.api.parsers import AnyJSONParser
from hub.api.views import RepositoryView
from hub.policies import require_files
from reviews.actions.weight_trials import choices_of, start_trials, use_trial
from reviews.changes import change_of
from reviews.models import WeightMerge, WeightTrial
from reviews.policies import get_pull_request


class TrySerializer(serializers.Serializer[Any]):
    """`methods` as recipes name them; `share` is the proposal's; `line` adds the averages that show
    the loss between both."""

    methods = serializers.ListField(child=serializers.CharField(max_length=40), max_length=10)
    line = serializers.BooleanField(default=False)
    share = serializers.FloatField(required=False)
    density = serializers.FloatField(required=False)
    rules = serializers.CharField(required=False, max_length=20_000, allow_blank=True)

    def get_fields(self) -> dict[str, Any]:
        return {**super().get_fields(), "lambda": serializers.FloatField(required=False)}


class UseSerializer(serializers.Serializer[Any]):
    """`confirmed`: it is wanted although a condition that may be waived does not hold."""

    confirmed = serializers.BooleanField(default=False)


class TrialSerializer(serializers.Serializer[Any]):
    """`commit` is null until it is made; `distances` are of the merge from each parent."""

    id = serializers.IntegerField()
    state = serializers.CharField()
    error = serializers.JSONField(allow_null=True)
    choice = serializers.JSONField()
    conditions = serializers.JSONField()
    distances = serializers.JSONField()
    ours = serializers.CharField()
    theirs = serializers.CharField()
    commit = serializers.CharField(allow_null=True)


class TrialsSerializer(serializers.Serializer[Any]):
    trials = TrialSerializer(many=True)


class MergeStateSerializer(serializers.Serializer[Any]):
    """A weight merge that a worker lands."""

    state = serializers.CharField()
    commit = serializers.CharField()


def told(trial: WeightTrial) -> dict[str, Any]:
    return {
        "id": trial.pk,
        "state": trial.state,
        "error": trial.error or None,
        "choice": trial.choice,
        "conditions": trial.conditions,
        "distances": trial.distances,
        "ours": trial.ours_oid,
        "theirs": trial.theirs_oid,
        "commit": trial.result_oid or None,
    }


class WeightTrialsView(RepositoryView):
    """GET, POST …/discussions/{number}/weights/trials"""

    parser_classes = [AnyJSONParser]

    @extend_schema(summary=_("What ways of merging would give"), responses=TrialsSerializer)
    def get(self, request: Request, number: int, **path: Any) -> Response:
        """Those of the heads of now, in the order in which they were asked for."""
        require_files(self.actor, self.repository)
        row = get_pull_request(self.repository, number)
        change = change_of(row)
        kept = WeightTrial.objects.kept().filter(pull_request=row).order_by("pk")
        found = kept.between(change.base_oid, change.head_oid)
        return Response({"trials": [told(each) for each in found]})

    @extend_schema(
        summary=_("Try ways of merging"), request=TrySerializer, responses={202: TrialsSerializer}
    )
    def post(self, request: Request, number: int, **path: Any) -> Response:
        """A worker makes each; one that was asked for before is the same trial."""
        row = get_pull_request(self.repository, number)
        form = TrySerializer(data=request.data)
        form.is_valid(raise_exception=True)
        given = dict(form.validated_data)
        methods, line = given.pop("methods"), given.pop("line")
        choices = choices_of({k: str(v) for k, v in given.items()}, methods, line=line)
        found = start_trials(row, self.actor, choices)
        return Response({"trials": [told(each) for each in found]}, status=202)


class WeightTrialUseView(RepositoryView):
    """POST …/discussions/{number}/weights/trials/{trial}/use"""

    parser_classes = [AnyJSONParser]

    @extend_schema(
        summary=_("Make a trial the proposal's head"),
        request=UseSerializer,
        responses={202: MergeStateSerializer},
    )
    def post(self, request: Request, number: int, trial: int, **path: Any) -> Response:
        """The same bytes as a direct merge; refused when the proposal or its target has moved."""
        row = get_pull_request(self.repository, number)
        form = UseSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        merge: WeightMerge = use_trial(row, self.actor, trial, **form.validated_data)
        return Response({"state": merge.state, "commit": merge.made_oid}, status=202)
