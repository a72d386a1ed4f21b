"""Doors to what lies between two revisions' weights: a pull request's tab, and one for any two."""

from __future__ import annotations

from collections import Counter
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_POST

from hub.extensions import Change, PullRequestTab
from hub.http.authentication import actor_of
from hub.http.pages import frame, repository_page
from hub.models import Repository
from hub.policies import require_files
from reviews.actions.weights import (
    comment_on_tensor,
    comparison_of,
    request_comparison,
    retry_comparison,
    side_at,
    sides_of,
)
from reviews.changes import change_of
from reviews.models import Discussion
from reviews.policies import get_pull_request, require_commenter
from reviews.web.context import TimelineRow, timeline_rows
from reviews.web.weights import shown_comparison


def tab_context(repository: Repository, change: Change, request: HttpRequest) -> dict[str, Any]:
    """The tab of a pull request. Whoever looks first asks for what nobody has computed."""
    require_files(actor_of(request), repository)
    sides = sides_of(repository, change)
    if sides is None:
        return {"weights": None}
    comments = tensor_comments(repository, change.number)
    counts = Counter(row.data["about"]["tensor"] for row in comments)
    shown = shown_comparison(request_comparison(*sides), request.GET, counts)
    chosen = request.GET.get("tensor")
    return {
        "weights": shown,
        "tensor_comments": [row for row in comments if row.data["about"]["tensor"] == chosen],
        "comment_url": f"{change.path}/weights/comment",
        "again_url": f"{change.path}/weights/again" if request.user.is_authenticated else "",
    }


def tensor_comments(repository: Repository, number: int) -> list[TimelineRow]:
    """What was said about tensors, in order."""
    row = get_pull_request(repository, number)
    return [
        line
        for line in timeline_rows(row)
        if line.html and "tensor" in (line.data.get("about") or {})
    ]


def has_weights(repository: Repository, change: Change) -> bool:
    return sides_of(repository, change) is not None


TAB = PullRequestTab(
    key="weights",
    label=_("Weights"),
    template="reviews/weights.html",
    context=tab_context,
    is_shown=has_weights,
)


@require_POST
@repository_page()
def comment(request: HttpRequest, repository: Repository, number: int) -> HttpResponse:
    """Say something about one tensor of a proposal."""
    actor = actor_of(request)
    require_files(actor, repository)
    row = get_pull_request(repository, number)
    tensor = request.POST.get("tensor", "")
    comment_on_tensor(row, actor, tensor=tensor, text=request.POST.get("comment", ""))
    return redirect(f"{row.get_absolute_url()}/weights?{urlencode({'tensor': tensor})}#tensor")


@require_POST
@repository_page()
def again(request: HttpRequest, repository: Repository, number: int) -> HttpResponse:
    """Try a comparison again that failed."""
    actor = actor_of(request)
    require_commenter(actor)
    require_files(actor, repository)
    row: Discussion = get_pull_request(repository, number)
    sides = sides_of(repository, change_of(row))
    if sides is not None:
        retry_comparison(*sides)
    return redirect(f"{row.get_absolute_url()}/weights")


@require_http_methods(["GET", "HEAD", "POST"])
@repository_page()
def between(request: HttpRequest, repository: Repository) -> HttpResponse:
    """The weights of any two revisions: `base` and `candidate`. POST asks a worker for them."""
    actor = actor_of(request)
    require_files(actor, repository)
    given = request.POST if request.method == "POST" else request.GET
    names = {
        "base": given.get("base") or repository.default_branch,
        "candidate": given.get("candidate", ""),
    }
    context: dict[str, Any] = frame(repository, "files") | {"names": names, "weights": None}
    if names["candidate"]:
        store = repository.store()
        base, candidate = (side_at(repository, store.resolve(name)) for name in names.values())
        if request.method == "POST":
            require_commenter(actor)
            retry_comparison(base, candidate)
            return redirect(f"{repository.get_absolute_url()}/weights?{urlencode(names)}")
        found = comparison_of(base, candidate)
        context |= {
            "is_asked": found is not None,
            "is_same": base.digest == candidate.digest,
            "has_weights": base.has_weights or candidate.has_weights,
            "weights": found and shown_comparison(found, request.GET, fixed=names),
        }
    return render(request, "reviews/weights_between.html", context)
