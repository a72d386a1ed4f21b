"""Try it over the API: ask, look, take back."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from hub.api.parsers import AnyJSONParser
from hub.api.views import RepositoryView
from training.actions.trying import (
    PROMPT_CHARACTERS,
    STOP_CHARACTERS,
    STOPS_LIMIT,
    TEXTS_LIMIT,
    before,
    cancel_try,
    submit_try,
)
from training.models import RunStatus, Try, TryTask
from training.policies import get_try, require_try

LISTED = 20


class TryAskSerializer(serializers.Serializer[Any]):
    """`prompt`, or `texts` for embeddings. `revision`: a branch, tag, commit or refs/pr/N; the
    default branch without one. The rest is for text generation."""

    revision = serializers.CharField(required=False, default="", max_length=250, allow_blank=True)
    prompt = serializers.CharField(
        required=False, max_length=PROMPT_CHARACTERS, trim_whitespace=False
    )
    texts = serializers.ListField(
        child=serializers.CharField(max_length=PROMPT_CHARACTERS),
        required=False,
        max_length=TEXTS_LIMIT,
    )
    max_new_tokens = serializers.IntegerField(required=False, min_value=1)
    temperature = serializers.FloatField(required=False, min_value=0, max_value=5)
    top_p = serializers.FloatField(required=False, min_value=0.01, max_value=1)
    seed = serializers.IntegerField(required=False, min_value=0, max_value=2**31 - 1)
    stop = serializers.ListField(
        child=serializers.CharField(max_length=STOP_CHARACTERS, trim_whitespace=False),
        required=False,
        max_length=STOPS_LIMIT,
    )
    chat = serializers.BooleanField(required=False, help_text="Put into the chat template.")


class TryShape(serializers.Serializer[Any]):
    """`text` grows while `status` is running. `before`: questions that are answered first.
    `result`: {text, tokens, ended}, {parts, masks}, {labels} or {texts, cosines} by the task."""

    id = serializers.IntegerField()
    task = serializers.ChoiceField(choices=TryTask.choices)
    status = serializers.ChoiceField(choices=RunStatus.choices)
    revision = serializers.CharField()
    oid = serializers.CharField()
    request = serializers.DictField()
    text = serializers.CharField()
    result = serializers.DictField()
    error = serializers.CharField(allow_null=True)
    before = serializers.IntegerField(allow_null=True)
    warm = serializers.BooleanField()
    secondsToFirst = serializers.FloatField(allow_null=True)
    createdAt = serializers.CharField()
    url = serializers.CharField()


class TriesShape(serializers.Serializer[Any]):
    tries = TryShape(many=True)


class TryListView(RepositoryView):
    """GET, POST /api/{kind}s/{namespace}/{name}/try"""

    parser_classes = [AnyJSONParser]

    @extend_schema(summary=_("Your questions to a model, newest first"), responses=TriesShape)
    def get(self, request: Request, **path: Any) -> Response:
        """Your own, at most 20: nobody else's are shown to anybody."""
        user = require_try(self.actor, self.repository, is_proposal=False)
        rows = list(Try.objects.of(user.pk).filter(repository=self.repository.pk)[:LISTED])
        return Response({"tries": [self._shape(row) for row in rows]})

    @extend_schema(
        summary=_("Ask a model something"), request=TryAskSerializer, responses={201: TryShape}
    )
    def post(self, request: Request, **path: Any) -> Response:
        """A worker answers: look at the try again until its status is final."""
        require_try(self.actor, self.repository, is_proposal=False)
        form = TryAskSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        row = submit_try(self.repository, self.actor, **form.validated_data)
        return Response(self._shape(row), status=201)

    def _shape(self, row: Try) -> dict[str, Any]:
        row.repository = self.repository
        return try_shape(row, is_listed=self.request.method == "GET")


class TryView(RepositoryView):
    """GET /api/{kind}s/{namespace}/{name}/try/{number}"""

    @extend_schema(summary=_("One of your questions, with its answer so far"), responses=TryShape)
    def get(self, request: Request, number: int, **path: Any) -> Response:
        require_try(self.actor, self.repository, is_proposal=False)
        return Response(try_shape(get_try(self.actor, self.repository, number)))


class TryCancelView(RepositoryView):
    """POST /api/{kind}s/{namespace}/{name}/try/{number}/cancel"""

    @extend_schema(summary=_("Take a question back"), request=None, responses={200: TryShape})
    def post(self, request: Request, number: int, **path: Any) -> Response:
        require_try(self.actor, self.repository, is_proposal=False)
        return Response(try_shape(cancel_try(self.repository, self.actor, number)))


def try_shape(row: Try, *, is_listed: bool = False) -> dict[str, Any]:
    is_waiting = row.status == RunStatus.QUEUED and not is_listed
    return {
        "id": row.pk,
        "task": row.task,
        "status": row.status,
        "revision": row.revision,
        "oid": row.oid,
        "request": row.request,
        "text": row.text,
        "result": row.result,
        "error": row.error or None,
        "before": before(row) if is_waiting else None,
        "warm": row.is_warm,
        "secondsToFirst": row.seconds_to_first,
        "createdAt": row.created_at.isoformat(),
        "url": row.get_absolute_url(),
    }
