"""The first page of a repository: its card, how to use it, what features add."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from hub.errors import RevisionNotFoundError
from hub.extensions import registries
from hub.http.authentication import actor_of
from hub.http.pages import frame, repository_page, with_players
from hub.models import Repository
from hub.web.access import access_panel
from hub.web.cards import card_at
from hub.web.collections import collections_of
from hub.web.files import listing
from hub.web.lineage import aside
from hub.web.snippets import snippets

VERSIONS_SHOWN = 8


@repository_page()
@with_players
def repository_detail(request: HttpRequest, repository: Repository) -> HttpResponse:
    """Card, files at a glance, versions, snippets, panels of features; `revision`: not of now."""
    store = repository.store()
    revision = request.GET.get("revision", "")[:250] or repository.default_branch
    try:
        oid = store.resolve(revision)
    except RevisionNotFoundError:
        if revision != repository.default_branch:
            raise
        return render(request, "hub/repository_empty.html", frame(repository, "card"))
    panels = [_panel(panel, repository, request) for panel in registries.repository_panels]
    files = listing(repository, oid, "", revision)
    names = [row.name for row in files if not row.is_folder]
    is_earlier = revision != repository.default_branch
    access = access_panel(request, repository) if repository.gated else None
    context = frame(repository, "card") | {
        "oid": oid,
        "revision": revision,
        "is_earlier": is_earlier,
        "card": card_at(repository, oid, revision),
        "files": files,
        "versions": store.commits(oid, limit=VERSIONS_SHOWN),
        "tags": [ref for ref in store.refs() if ref.name.startswith("refs/tags/")],
        "panels": [panel for panel in panels if panel and not panel["is_aside"]],
        "side_panels": [panel for panel in panels if panel and panel["is_aside"]],
        "snippets": snippets(repository, revision=revision, files=names),
        "collections": collections_of(actor_of(request), repository),
        # What is known of its relatives is read from the card of now.
        "lineage": None if is_earlier else aside(request, repository),
        "access": access,
        "may_copy": access is None or access["standing"] == "accepted",
    }
    return render(request, "hub/repository_detail.html", context)


def _panel(panel: Any, repository: Repository, request: HttpRequest) -> dict[str, Any] | None:
    context = panel.context(repository, request)
    if not context:
        return None
    return {"template": panel.template, "is_aside": panel.is_aside, "context": context}
