"""The merge queue."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from hub.api.parsers import AnyJSONParser
from hub.api.views import RepositoryView
from reviews.actions.queue_said import reason_sentence
from reviews.actions.queueing import join_queue, leave_queue
from reviews.actions.weight_merges import RULES_LIMIT, choice_of
from reviews.api.shapes import moment, person
from reviews.api.views import read
from reviews.models import QueueEntry
from reviews.models.queue import QueueState
from reviews.policies import get_pull_request
from reviews.weights.merging.methods import Method

SETTLED_TOLD = 20


class WeightsChoiceSerializer(serializers.Serializer):
    """How weights are merged that the target has moved too; `rules` are YAML, as in a recipe."""

    method = serializers.ChoiceField(choices=list(Method))
    share = serializers.FloatField(required=False)
    density = serializers.FloatField(required=False)
    rules = serializers.CharField(required=False, allow_blank=True, max_length=RULES_LIMIT)
    confirmed = serializers.BooleanField(required=False)

    def get_fields(self) -> dict[str, Any]:
        return super().get_fields() | {"lambda": serializers.FloatField(required=False)}


class JoinSerializer(serializers.Serializer):
    """`expectedHead` binds the wish to the version that the caller has seen."""

    expectedHead = serializers.CharField(default="", max_length=40, allow_blank=True)
    weights = WeightsChoiceSerializer(required=False, allow_null=True)


class ReasonSerializer(serializers.Serializer):
    code = serializers.CharField()
    sentence = serializers.CharField()


class EntrySerializer(serializers.Serializer):
    """`position` counts from 1 and is null of what has left the queue, `reason` of what has not."""

    num = serializers.IntegerField()
    position = serializers.IntegerField(allow_null=True)
    state = serializers.ChoiceField(choices=QueueState.choices)
    head = serializers.CharField()
    by = serializers.DictField()
    addedAt = serializers.CharField()
    weights = serializers.JSONField(allow_null=True)
    reason = ReasonSerializer(allow_null=True)


class QueueSerializer(serializers.Serializer):
    branch = serializers.CharField()
    entries = EntrySerializer(many=True)
    settled = EntrySerializer(many=True)


def told(entry: QueueEntry, position: int | None = None) -> dict[str, Any]:
    reason = entry.reason
    return {
        "num": entry.pull_request.number,
        "position": position,
        "state": entry.state,
        "head": entry.head_oid,
        "by": person(entry.by),
        "addedAt": moment(entry.added_at),
        "weights": entry.weights,
        "reason": {"code": reason["code"], "sentence": reason_sentence(reason)} if reason else None,
    }


class PullRequestQueueView(RepositoryView):
    """POST, DELETE …/discussions/{number}/queue"""

    parser_classes = [AnyJSONParser]

    @extend_schema(
        summary=_("Merge a pull request when its turn comes and all is met"),
        request=JoinSerializer,
        responses={200: EntrySerializer},
    )
    def post(self, request: Request, number: int, **path: Any) -> Response:
        form = read(JoinSerializer, request)
        weights = form.get("weights")
        entry = join_queue(
            get_pull_request(self.repository, number),
            self.actor,
            expected_head=form["expectedHead"],
            weights=choice_of(weights) if weights else None,
        )
        line = QueueEntry.objects.of(self.repository.pk, entry.pull_request.target_branch).live()
        return Response(told(entry, line.filter(pk__lte=entry.pk).count()))

    @extend_schema(
        summary=_("Take a pull request out of the merge queue"),
        request=None,
        responses={204: None},
    )
    def delete(self, request: Request, number: int, **path: Any) -> Response:
        leave_queue(get_pull_request(self.repository, number), self.actor)
        return Response(status=204)


class QueueView(RepositoryView):
    """GET …/queue"""

    @extend_schema(
        summary=_("The merge queue of a branch, and what has left it lately"),
        parameters=[OpenApiParameter("branch", str)],
        responses=QueueSerializer,
    )
    def get(self, request: Request, **path: Any) -> Response:
        branch = request.query_params.get("branch") or self.repository.default_branch
        rows = QueueEntry.objects.of(self.repository.pk, branch)
        rows = rows.select_related("pull_request", "by")
        line, ended = rows.live(), rows.settled()[:SETTLED_TOLD]
        body = {
            "branch": branch,
            "entries": [told(entry, position) for position, entry in enumerate(line, 1)],
            "settled": [told(entry) for entry in ended],
        }
        return Response(body)
