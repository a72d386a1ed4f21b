"""Doors to what lies between two revisions' weights: a pull request's tab, and one for any two."""

from __future__ import annotations

from collections import Counter
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_POST

from hub.errors import ForbiddenError, HubError, UnauthenticatedError
from hub.extensions import Change, PullRequestTab
from hub.http.authentication import actor_of
from hub.http.pages import frame, repository_page
from hub.models import Repository
from hub.policies import Actor, require_files
from reviews.actions.weight_merges import choice_of, common_base, start_weight_merge
from reviews.actions.weights import (
    ask_comparison,
    comment_on_layer,
    comment_on_tensor,
    comparison_of,
    request_comparison,
    side_named,
    sides_of,
)
from reviews.actions.weights_said import METHODS_SAID, merge_sentence
from reviews.changes import change_of
from reviews.models import Discussion, TimelineEvent, TimelineKind, WeightMerge
from reviews.policies import get_pull_request, may_push, require_commenter
from reviews.web.full_weights import pull_request_context
from reviews.web.timeline import TimelineRow, comment_rows
from reviews.web.weight_trials import shown_trials
from reviews.web.weights import shown_comparison


def tab_context(repository: Repository, change: Change, request: HttpRequest) -> dict[str, Any]:
    """The tab of a pull request. Whoever looks first asks for what nobody has computed."""
    require_files(actor_of(request), repository)
    sides = sides_of(repository, change)
    if sides is None:
        return {"weights": None}
    full = pull_request_context(repository, change, request)
    comments = weights_comments(repository, change.number, actor_of(request))
    merging = merge_context(repository, change, request)
    counts = Counter(row.data["about"].get("tensor", "") for row in comments)
    shown = shown_comparison(request_comparison(*sides), request.GET, counts)
    tensor, layer = ({name: request.GET.get(name)} for name in ("tensor", "layer"))
    return {
        "weights": shown,
        "tensor_comments": [row for row in comments if row.data["about"] == tensor],
        "layer_comments": [row for row in comments if row.data["about"] == layer],
        "comment_url": f"{change.path}/weights/comment",
        "again_url": f"{change.path}/weights/again" if request.user.is_authenticated else "",
        **merging,
        **full,
    }


def merge_context(repository: Repository, change: Change, request: HttpRequest) -> dict[str, Any]:
    """What the card of a weight merge needs; {} where the two sides need none and none was made."""
    row = WeightMerge.objects.filter(
        pull_request__repository=repository, pull_request__number=change.number
    ).order_by("-pk").select_related("by").first()  # fmt: skip
    needed = common_base(repository, change) is not None
    if row is None and not needed:
        return {}
    error = None
    if row is not None and row.error:
        error = merge_sentence(row.error["code"], row.error.get("parameters") or {})
    return {
        "weight_merge": row,
        "weight_merge_error": error,
        "weight_merge_needed": needed,
        "weight_merge_url": f"{change.path}/weights/merge",
        "may_merge_weights": may_push(repository, change.number, request.user),
        "merge_methods": list(METHODS_SAID.items()),
        "trials": shown_trials(repository, change, actor_of(request)) if needed else None,
        "merging": row is not None and not row.is_settled,
        "trials_url": f"{change.path}/weights/trials",
    }


def weights_comments(repository: Repository, number: int, actor: Actor) -> list[TimelineRow]:
    """What was said about tensors and layers, in order."""
    events = TimelineEvent.objects.filter(
        discussion__repository=repository,
        discussion__number=number,
        kind=TimelineKind.COMMENT,
        data__about__has_any_keys=["tensor", "layer"],
        comment__hidden_at=None,
    )
    lines = list(events.select_related("actor", "comment"))
    return comment_rows(repository, lines, actor)


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
    """Say something about one tensor of a proposal, or about one layer."""
    actor = actor_of(request)
    require_files(actor, repository)
    row = get_pull_request(repository, number)
    text, layer = request.POST.get("comment", ""), request.POST.get("layer", "")
    if layer:
        comment_on_layer(row, actor, layer=layer, text=text)
        return redirect(f"{row.get_absolute_url()}/weights?{urlencode({'layer': layer})}#layer")
    tensor = request.POST.get("tensor", "")
    comment_on_tensor(row, actor, tensor=tensor, text=text)
    return redirect(f"{row.get_absolute_url()}/weights?{urlencode({'tensor': tensor})}#tensor")


@require_POST
@repository_page()
def again(request: HttpRequest, repository: Repository, number: int) -> HttpResponse:
    """Try a comparison again that failed."""
    actor = actor_of(request)
    user = require_commenter(actor)
    require_files(actor, repository)
    row: Discussion = get_pull_request(repository, number)
    sides = sides_of(repository, change_of(row))
    if sides is not None:
        ask_comparison(*sides, by=user)
    return redirect(f"{row.get_absolute_url()}/weights")


@require_POST
@repository_page()
def merge(request: HttpRequest, repository: Repository, number: int) -> HttpResponse:
    """Have the weights of proposal and target merged."""
    actor = actor_of(request)
    row = get_pull_request(repository, number)
    try:
        start_weight_merge(row, actor, choice_of(request.POST))
    except (UnauthenticatedError, ForbiddenError):
        raise
    except HubError as error:
        messages.error(request, str(error))
    return redirect(f"{row.get_absolute_url()}/weights#weight-merge")


@require_http_methods(["GET", "HEAD", "POST"])
@repository_page()
def between(request: HttpRequest, repository: Repository) -> HttpResponse:
    """The weights of any two revisions, `base` and `candidate`, of this model or of others. POST
    asks a worker for them."""
    actor = actor_of(request)
    require_files(actor, repository)
    given = request.POST if request.method == "POST" else request.GET
    names = {
        "base": given.get("base") or repository.default_branch,
        "candidate": given.get("candidate", ""),
    }
    context: dict[str, Any] = frame(repository, "files") | {"names": names, "weights": None}
    if names["candidate"]:
        base, candidate = (side_named(repository, actor, name) for name in names.values())
        if request.method == "POST":
            ask_comparison(base, candidate, by=require_commenter(actor))
            return redirect(f"{repository.get_absolute_url()}/weights?{urlencode(names)}")
        found = comparison_of(base, candidate)
        context |= {
            "is_asked": found is not None,
            "is_same": base.digest == candidate.digest,
            "has_weights": base.has_weights or candidate.has_weights,
            "weights": found and shown_comparison(found, request.GET, fixed=names),
        }
    return render(request, "reviews/weights_between.html", context)
