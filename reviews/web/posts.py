"""What the forms of a discussion send: read, act, go back to the page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from hub.errors import ForbiddenError, HubError, UnauthenticatedError
from hub.http.authentication import actor_of
from hub.http.pages import repository_page
from hub.models import Repository
from hub.policies import Actor
from reviews.actions import asking, discussions, merging, queueing, timeline, verdicts
from reviews.actions.weight_merges import choice_of
from reviews.models import Discussion
from reviews.policies import get_discussion, get_pull_request

Act = Callable[[Discussion, Actor, Any], str]


def _post(fetch: Callable[[Repository, int], Discussion]) -> Callable[[Act], Any]:
    """A refusal comes back as a message on the page; one for lack of rights as its own page."""

    def decorate(act: Act) -> Any:
        @require_POST
        @repository_page()
        def view(request: HttpRequest, repository: Repository, number: int) -> HttpResponse:
            row = fetch(repository, number)
            try:
                done = act(row, actor_of(request), request.POST)
                messages.success(request, done)
            except (UnauthenticatedError, ForbiddenError):
                raise
            except HubError as error:
                messages.error(request, str(error))
            return redirect(row.get_absolute_url())

        return view

    return decorate


@_post(get_discussion)
def comment(row: Discussion, actor: Actor, form: Any) -> str:
    timeline.add_comment(row, actor, form.get("comment", ""))
    return _("Comment added.")


@_post(get_pull_request)
def review(row: Discussion, actor: Actor, form: Any) -> str:
    verdicts.submit_review(
        row,
        actor,
        head_oid=form.get("head", ""),
        verdict=form.get("verdict", ""),
        body=form.get("body", ""),
    )
    return _("Review recorded for this version.")


@_post(get_pull_request)
def ask(row: Discussion, actor: Actor, form: Any) -> str:
    """Ask somebody for a review, or with `take_back` no more."""
    if name := form.get("take_back", ""):
        asking.take_back(row, actor, name)
        return _("Asked no more.")
    asking.ask_for_review(row, actor, form.get("person", ""))
    return _("Asked for a review.")


@_post(get_pull_request)
def merge(row: Discussion, actor: Actor, form: Any) -> str:
    oid = merging.merge_pull_request(
        row,
        actor,
        expected_head=form.get("head", ""),
        expected_base=form.get("base", ""),
        message=form.get("message", ""),
    )
    return _("Merged into %(branch)s as %(oid)s.") % {
        "branch": row.target_branch,
        "oid": oid[:8],
    }


@_post(get_pull_request)
def join_queue(row: Discussion, actor: Actor, form: Any) -> str:
    weights = choice_of(form) if form.get("method") else None
    queueing.join_queue(row, actor, expected_head=form.get("head", ""), weights=weights)
    return _("In the merge queue.")


@_post(get_pull_request)
def leave_queue(row: Discussion, actor: Actor, form: Any) -> str:
    queueing.leave_queue(row, actor)
    return _("Taken out of the merge queue.")


@_post(get_discussion)
def close(row: Discussion, actor: Actor, form: Any) -> str:
    discussions.change_status(row, actor, "closed")
    return _("Closed.")


@_post(get_discussion)
def reopen(row: Discussion, actor: Actor, form: Any) -> str:
    discussions.change_status(row, actor, "open")
    return _("Opened again.")


@_post(get_pull_request)
def publish(row: Discussion, actor: Actor, form: Any) -> str:
    discussions.change_status(row, actor, "open")
    return _("Published: ready for review.")


@_post(get_discussion)
def title(row: Discussion, actor: Actor, form: Any) -> str:
    discussions.rename(row, actor, form.get("title", ""))
    return _("Title changed.")
