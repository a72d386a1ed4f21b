"""Home."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from hub.http.authentication import actor_of
from hub.models import Event, Kind
from hub.policies import visible_repositories

RECENT = 8


def home(request: HttpRequest) -> HttpResponse:
    """What is new, and where to start."""
    visible = visible_repositories(actor_of(request))
    recent = visible.order_by("-last_modified_at")
    events = (
        Event.objects.filter(repository__in=visible.values("pk"))
        .select_related("repository__namespace", "actor")
        .order_by("-pk")[:12]
    )
    context = {
        "models": recent.filter(kind=Kind.MODEL)[:RECENT],
        "datasets": recent.filter(kind=Kind.DATASET)[:RECENT],
        "events": events,
    }
    return render(request, "hub/home.html", context)
