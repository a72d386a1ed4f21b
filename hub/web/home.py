"""Home and explore."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from hub.http.authentication import actor_of
from hub.models import Event, Kind
from hub.models.repositories import RepositoryQuerySet
from hub.policies import visible_repositories

RECENT = 8
PAGE_SIZE = 20
SORTS = {"recent": "-last_modified_at", "downloads": "-downloads", "likes": "-likes"}


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
