"""Home."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from hub.actions.trending import trending
from hub.extensions import registries
from hub.http.authentication import actor_of
from hub.models import Kind, User
from hub.models.inbox import URGENT
from hub.policies import Actor, seen_repositories, visible_notifications
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
        context |= _needs(actor, actor.person)
    return render(request, "hub/home.html", context)


def _needs(actor: Actor, person: User) -> dict[str, Any]:
    """What waits for a person, what they proposed and what runs for them."""
    told = visible_notifications(actor).unread().filter(reason__in=URGENT)
    told = told.select_related("repository__namespace", "namespace", "actor")
    seen = seen_repositories(actor)
    return {
        "told": told.order_by("-told_at")[:NEEDS],
        "pulls": registries.own_pull_requests(person, seen),
        "runs": registries.own_runs(person, seen),
    }
