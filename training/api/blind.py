"""The blind review of a pull request over the API: the next prompt, a judgement, its undoing."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from hub.api.parsers import AnyJSONParser
from hub.api.views import RepositoryView
from hub.errors import NotFoundError
from hub.extensions import registries
from hub.models import Repository
from hub.policies import Actor
from training.actions.blind import DeskState, desk_of, sentence_of
from training.actions.blind_votes import SAID, Seat, cast_vote, seat_of, undo_vote
from training.statistics.verdicts import Verdict


class JudgementSerializer(serializers.Serializer[Any]):
    """`token`: as the prompt has it. `choice`: of the two answers in the order they came in."""

    token = serializers.CharField(max_length=2000)
    choice = serializers.ChoiceField(choices=SAID)


class PromptShape(serializers.Serializer[Any]):
    token = serializers.CharField()
    number = serializers.IntegerField()
    prompt = serializers.CharField(allow_blank=True)
    first = serializers.CharField(allow_blank=True)
    second = serializers.CharField(allow_blank=True)


class OutcomeShape(serializers.Serializer[Any]):
    verdict = serializers.ChoiceField(choices=[each.value for each in Verdict])
    sentence = serializers.CharField()
    winRate = serializers.FloatField()
    lower = serializers.FloatField()
    upper = serializers.FloatField()
    alpha = serializers.FloatField()
    judgements = serializers.IntegerField()
    prompts = serializers.IntegerField()


class BlindShape(serializers.Serializer[Any]):
    """`prompt` and `outcome` are null where the one who asks must not, or need not, see them."""

    state = serializers.ChoiceField(choices=[each.value for each in DeskState])
    mayJudge = serializers.BooleanField()
    reason = serializers.CharField(allow_null=True)
    judged = serializers.IntegerField()
    total = serializers.IntegerField()
    judgements = serializers.IntegerField()
    needed = serializers.IntegerField()
    mayUndo = serializers.BooleanField()
    prompt = PromptShape(allow_null=True)
    outcome = OutcomeShape(allow_null=True)
    reviewers = serializers.DictField(child=serializers.IntegerField())


class BlindView(RepositoryView):
    """GET, POST, DELETE /api/{kind}s/{namespace}/{name}/discussions/{number}/blind"""

    parser_classes = [AnyJSONParser]

    @extend_schema(summary=_("A blind review"), responses=BlindShape)
    def get(self, request: Request, number: int, **path: Any) -> Response:
        """Your next prompt, or how the review stands; nothing tells the sides apart."""
        return Response(blind_shape(self.repository, number, self.actor))

    @extend_schema(
        summary=_("Judge two answers"), request=JudgementSerializer, responses={200: BlindShape}
    )
    def post(self, request: Request, number: int, **path: Any) -> Response:
        """Say which answer is better; the next prompt comes back."""
        form = JudgementSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        told = form.validated_data
        token, said = told["token"], told["choice"]
        cast_vote(self.repository, number, self.actor, token=token, said=said)
        return Response(blind_shape(self.repository, number, self.actor))

    @extend_schema(summary=_("Take back a judgement"), request=None, responses={200: BlindShape})
    def delete(self, request: Request, number: int, **path: Any) -> Response:
        """Take back your last judgement, if it has not been counted yet."""
        undo_vote(self.repository, number, self.actor)
        return Response(blind_shape(self.repository, number, self.actor))


def blind_shape(repository: Repository, number: int, actor: Actor) -> dict[str, Any]:
    """The review as `actor` may see it. Raises: NotFoundError."""
    change = registries.find_change(repository, number)
    desk = desk_of(repository, change) if change else None
    if desk is None:
        raise NotFoundError(f"Pull request {number} of {repository.repo_id} asks for no judgement.")
    seat = seat_of(desk, actor)
    return {
        "state": seat.state.value,
        "mayJudge": seat.may_judge,
        "reason": seat.why_not or None,
        "judged": seat.judged,
        "total": seat.total,
        "judgements": seat.given,
        "needed": seat.needed,
        "mayUndo": seat.may_undo,
        "prompt": _prompt(seat),
        "outcome": _outcome(seat),
        "reviewers": dict(seat.reviewers),
    }


def _prompt(seat: Seat) -> dict[str, Any] | None:
    found = seat.prompt
    if found is None:
        return None
    return {
        "token": found.token,
        "number": found.number,
        "prompt": found.text,
        "first": found.first,
        "second": found.second,
    }


def _outcome(seat: Seat) -> dict[str, Any] | None:
    found = seat.outcome
    if found is None:
        return None
    return {
        "verdict": found.verdict.value,
        "sentence": sentence_of(found),
        "winRate": found.rate,
        "lower": found.lower,
        "upper": found.upper,
        "alpha": found.alpha,
        "judgements": found.counted,
        "prompts": found.prompts,
    }
