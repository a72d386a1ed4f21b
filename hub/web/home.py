"""Home."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from hub.actions.trending import trending
from hub.extensions import registries
from hub.http.authentication import actor_of
from hub.models import Kind
from hub.models.inbox import URGENT
from hub.models.prepared import Prepared
from hub.policies import Actor, asker, keys_of, visible_notifications
from hub.web.feed import cursor_of, everything, followed

NEEDS = 6


def home(request: HttpRequest) -> HttpResponse:
    """What is new for me, what others do, and where to start; `before` pages the activity."""
    actor, before = actor_of(request), cursor_of(request)
    chosen = followed(actor, before) if actor.person else None
    hot = trending(actor)
    context: dict[str, Any] = {
        "feed": chosen or everything(actor, before),
        "is_chosen": chosen is not None,
        "is_older": before is not None,
        "models": hot[Kind.MODEL],
        "datasets": hot[Kind.DATASET],
    }
    if actor.person is not None:
        context |= _needs(actor)
    return render(request, "hub/home.html", context)


_TOLD = Prepared(
    lambda **who: (
        visible_notifications(asker(**who))
        .unread()
        .filter(reason__in=URGENT)
        .select_related("repository__namespace", "namespace", "actor")
        .order_by("-told_at")[:NEEDS]
    )
)


def _needs(actor: Actor) -> dict[str, Any]:
    """What waits for a person, what they proposed and what runs for them."""
    return {
        "told": _TOLD(**keys_of(actor)),
        "pulls": registries.own_pull_requests(actor),
        "runs": registries.own_runs(actor),
    }
