"""The Blind tab of a pull request: one prompt, two answers, no names."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from hub.errors import ConflictError
from hub.extensions import Change, PullRequestTab, registries
from hub.http.authentication import actor_of
from hub.http.pages import repository_page
from hub.models import Repository
from training.actions.blind import Desk, desk_of, rule_of, sentence_of
from training.actions.blind_votes import FIRST, SECOND, TIE, Seat, cast_vote, seat_of, undo_vote


def blind(repository: Repository, change: Change, request: HttpRequest) -> dict[str, Any]:
    """What the tab shows to the one who looks."""
    desk = desk_of(repository, change)
    if desk is None:
        return {"seat": None}
    is_settled = registries.find_change(repository, change.number) is None
    seat = seat_of(desk, actor_of(request), is_settled=is_settled)
    return {
        "seat": seat,
        "rule": desk.rule,
        "least": 100 * (0.5 - desk.rule.margin),
        "choices": _choices(seat),
        "result": _result(desk, seat),
        "vote_url": f"{change.path}/blind/vote",
        "undo_url": f"{change.path}/blind/undo",
    }


def _choices(seat: Seat) -> list[dict[str, str]]:
    """The buttons: what each says, and its key."""
    tie = {"value": TIE, "label": _("About the same"), "key": "0"}
    if seat.prompt is None or seat.prompt.is_same:
        return [tie]
    return [
        {"value": FIRST, "label": _("Answer 1 is better"), "key": "1"},
        {"value": SECOND, "label": _("Answer 2 is better"), "key": "2"},
        tie,
    ]


def _result(desk: Desk, seat: Seat) -> dict[str, Any] | None:
    """The win rate as a plot takes it: points above or below an even share."""
    found = seat.outcome
    if found is None:
        return None
    row = {
        "label": _("Candidate against base"),
        "note": _("share of wins, ties half"),
        "delta": 100 * (found.rate - 0.5),
        "lower": 100 * (found.lower - 0.5),
        "upper": 100 * (found.upper - 0.5),
        "margin": 100 * desk.rule.margin,
        "verdict": found.verdict.value,
    }
    return {
        "sentence": sentence_of(found),
        "rows": [row],
        "rate": 100 * found.rate,
        "lower": 100 * found.lower,
        "upper": 100 * found.upper,
        "level": 100 * (1 - found.alpha),
        "counted": found.counted,
        "prompts": found.prompts,
        "verdict": found.verdict.value,
    }


def is_shown(repository: Repository, change: Change) -> bool:
    """Whether the rule of the base asks for a blind review."""
    return rule_of(repository, change) is not None


@require_POST
@repository_page()
def vote(request: HttpRequest, repository: Repository, number: int) -> HttpResponse:
    """One judgement; the next prompt follows."""
    token, said = request.POST.get("token", ""), request.POST.get("choice", "")
    try:
        cast_vote(repository, number, actor_of(request), token=token, said=said)
    except ConflictError as error:  # the review went on meanwhile: its page says where it stands
        messages.warning(request, str(error))
    return redirect(f"{repository.get_absolute_url()}/discussions/{number}/blind")


@require_POST
@repository_page()
def undo(request: HttpRequest, repository: Repository, number: int) -> HttpResponse:
    """Take back one's last judgement."""
    try:
        undo_vote(repository, number, actor_of(request))
    except ConflictError as error:
        messages.warning(request, str(error))
    return redirect(f"{repository.get_absolute_url()}/discussions/{number}/blind")


BLIND_TAB = PullRequestTab(
    "blind", gettext_lazy("Blind"), "training/pull_request_blind.html", blind, is_shown=is_shown
)
