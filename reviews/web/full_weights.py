"""Pages of full weights: how they stand, a button that asks for them, and their files."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from hub.errors import ForbiddenError, HubError, UnauthenticatedError
from hub.extensions import Change, Panel
from hub.http.authentication import actor_of
from hub.http.pages import frame, repository_page
from hub.models import Kind, Repository
from hub.models.work import Work
from hub.policies import require_files
from reviews.actions.full_weights import (
    full_weights_of,
    has_full_weights,
    has_patch,
    last_writing,
    request_full_weights,
    start_writing,
)
from reviews.actions.weights import Side, side_at
from reviews.actions.weights_said import problem_sentence
from reviews.policies import get_pull_request, may_push


def full_context(side: Side) -> dict[str, Any]:
    """What the card of full weights needs; {} of a revision whose files are whole."""
    if not has_full_weights(side):
        return {}
    found = full_weights_of(side)
    url = side.repository.get_absolute_url()
    return {
        "full": found,
        "full_error": _error(found.row) if found.state == "failed" else "",
        "full_url": f"{url}/full-weights/{side.oid}",
        "resolve_url": f"{url}/resolve/{side.oid}",
    }


def pull_request_context(
    repository: Repository, change: Change, request: HttpRequest
) -> dict[str, Any]:
    """The same of a proposal, and how its patch becomes full weights before it merges."""
    side = side_at(repository, change.head_oid)
    row = last_writing(repository, change.number)
    context = full_context(side)
    if row is None and not has_patch(side):
        return context
    return context | {
        "writing": row,
        "writing_error": _error(row),
        "writing_needed": has_patch(side),
        "writing_url": f"{change.path}/weights/write-full",
        "may_write_full": may_push(repository, change.number, request.user),
    }


def _error(row: Work | None) -> str:
    if row is None or not row.error:
        return ""
    told = dict(row.error.get("parameters") or {})
    return problem_sentence(row.error["code"], told.pop("tensor", None), told).text


@require_http_methods(["GET", "HEAD", "POST"])
@repository_page()
def full_weights(request: HttpRequest, repository: Repository, revision: str) -> HttpResponse:
    """The full weights of a revision. POST asks a worker for them."""
    actor = actor_of(request)
    require_files(actor, repository)
    side = side_at(repository, repository.store().resolve(revision))
    if request.method == "POST":
        try:
            request_full_weights(side, actor)
        except (UnauthenticatedError, ForbiddenError):
            raise
        except HubError as error:
            messages.error(request, str(error))
        return redirect(f"{repository.get_absolute_url()}/full-weights/{quote(revision, safe='')}")
    full_weights_of(side)  # refuses a revision whose files are whole
    context = frame(repository, "files") | full_context(side) | {"revision": revision}
    return render(request, "reviews/full_weights_page.html", context)


@require_POST
@repository_page()
def write_full(request: HttpRequest, repository: Repository, number: int) -> HttpResponse:
    """Have full weights put in place of a proposal's sparse patch."""
    row = get_pull_request(repository, number)
    try:
        start_writing(row, actor_of(request))
        messages.success(request, _("Full weights are being written onto this proposal."))
    except (UnauthenticatedError, ForbiddenError):
        raise
    except HubError as error:
        messages.error(request, str(error))
    return redirect(f"{row.get_absolute_url()}/weights#full-weights")


def panel(repository: Repository, request: HttpRequest) -> dict[str, Any]:
    """On the first page of a model: that its main branch has full weights to be asked for."""
    if repository.kind != Kind.MODEL:
        return {}
    oid = repository.store().branch_head(repository.default_branch)
    if oid is None or not has_full_weights(side_at(repository, oid)):
        return {}
    return {"url": f"{repository.get_absolute_url()}/full-weights/{repository.default_branch}"}


PANEL = Panel("reviews/full_weights_panel.html", panel, is_aside=True)
