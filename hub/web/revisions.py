"""All revisions of a repository, to look at the same place in another one."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from hub.http.pages import repository_page
from hub.models import Repository
from hub.web.places import place, ref_menu

LISTED = 500
VIEWS = {"tree", "blob", "blame", "commits", "find"}


@repository_page()
def revisions(
    request: HttpRequest, repository: Repository, revision: str, path: str = ""
) -> HttpResponse:
    """Branches, tags and open pull requests whose name holds what was asked for."""
    asked = request.GET.get("view", "")
    view = asked if asked in VIEWS else "tree"
    path, word = path.strip("/"), request.GET.get("q", "").strip()[:200]
    store = repository.store()
    menu = ref_menu(repository, store, revision, path, view=view, word=word, most=LISTED)
    context = place(repository, revision, path, view=view) | {
        "all": menu,
        "q": word,
        "is_empty": not (menu.branches or menu.tags or menu.pulls),
    }
    return render(request, "hub/revisions.html", context)
