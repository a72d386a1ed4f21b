"""Home and explore."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from hub.extensions import registries
from hub.http.authentication import actor_of
from hub.models import Kind, User
from hub.models.inbox import URGENT
from hub.models.repositories import RepositoryQuerySet
from hub.policies import Actor, visible_notifications, visible_repositories
from hub.web.feed import cursor_of, everything, followed
from hub.web.trending import trending

NEEDS = 6
PAGE_SIZE = 20
SORTS = {"recent": "-last_modified_at", "downloads": "-downloads", "likes": "-likes"}


def home(request: HttpRequest) -> HttpResponse:
    """What is new for me, what others do, and where to start; `before` pages the activity."""
    actor, before = actor_of(request), cursor_of(request)
    chosen = followed(actor, before) if actor.person else None
    context: dict[str, Any] = {
        "feed": chosen or everything(actor, before),
        "is_chosen": chosen is not None,
        "is_older": before is not None,
        "models": trending(actor, Kind.MODEL),
        "datasets": trending(actor, Kind.DATASET),
    }
    if actor.person is not None:
        context |= _needs(actor, actor.person)
    return render(request, "hub/home.html", context)


def _needs(actor: Actor, person: User) -> dict[str, Any]:
    """What waits for a person, what they proposed and what runs for them."""
    told = visible_notifications(actor).unread().filter(reason__in=URGENT)
    told = told.select_related("repository__namespace", "namespace", "actor")
    seen = visible_repositories(actor)
    return {
        "told": told.order_by("-told_at")[:NEEDS],
        "pulls": registries.own_pull_requests(person, seen),
        "runs": registries.own_runs(person, seen),
    }


def explore(request: HttpRequest) -> HttpResponse:
    """Find a model or data set: `q`, `kind`, `tag`, `sort`; every state has its own address."""
    query = request.GET.get("q", "").strip()[:256]
    kind = request.GET.get("kind", "")
    sort = request.GET.get("sort", "recent")
    rows = visible_repositories(actor_of(request))
    if kind in Kind.values:
        rows = rows.filter(kind=kind)
    if tag := request.GET.get("tag", "")[:128]:
        rows = rows.filter(tags__contains=[tag])
    rows = _search(rows, query).order_by(SORTS.get(sort, SORTS["recent"]), "pk")
    page = Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page"))
    keep = request.GET.copy()
    keep.pop("page", None)
    context = {"page": page, "query": query, "kind": kind, "tag": tag, "sort": sort}
    return render(request, "hub/explore.html", context | {"keep": keep.urlencode()})


def _search(rows: RepositoryQuerySet, query: str) -> RepositoryQuerySet:
    for word in query.split()[:8]:
        rows = rows.filter(
            Q(name__icontains=word) | Q(namespace__slug__icontains=word) | Q(tags__icontains=word)
        )
    return rows
