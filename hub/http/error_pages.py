"""Error pages: one clear sentence with the cause and the remedy, in page and API alike."""

from __future__ import annotations

from typing import Any

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import urlencode
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from hub.errors import (
    BadInputError,
    ForbiddenError,
    HubError,
    NotFoundError,
    RepositoryMovedError,
    UnauthenticatedError,
)
from hub.http.path_words import sentence_of
from hub.http.refusals import fault, header_text, moved, refusal

log = structlog.get_logger(__name__)


IN_WORDS = {
    "RepoNotFound": gettext_lazy("There is no such repository here, or you may not see it."),
    "RevisionNotFound": gettext_lazy("The repository has no such branch, tag or commit."),
    "EntryNotFound": gettext_lazy("There is no such file or folder at this version."),
    "NotFound": gettext_lazy("There is nothing at this address, or you may not see it."),
    "Forbidden": gettext_lazy("You may not do this. Ask an owner for access."),
    "GatedRepo": gettext_lazy("The files of this repository are for those who were let in."),
    "BadRequest": gettext_lazy("What was sent could not be accepted."),
    "Conflict": gettext_lazy("Something else came first. Reload the page and look again."),
    "TooLarge": gettext_lazy("This is larger than the server takes."),
    "StorageFull": gettext_lazy("The server's disk is full. Ask its operator to make room."),
    "Unavailable": gettext_lazy("A part of the server does not answer. Try again in a moment."),
}


def wants_json(request: HttpRequest) -> bool:
    """API routes, git, and clients that do not ask for a page."""
    path = request.path_info
    if path.startswith(("/api/", "/oauth/", "/-/xet/", "/-/lfs/")) or "/info/lfs/" in path:
        return True
    return "text/html" not in request.headers.get("Accept", "")


def refused(
    request: HttpRequest, error: HubError, *, as_json: bool, frame: dict[str, Any] | None = None
) -> HttpResponse:
    """The response to a refusal, for a person or for a program.

    `frame`: what the pages of a repository need, where it is one of them that is not there.
    """
    user = getattr(request, "user", None)
    signed_in = bool(user and user.is_authenticated)
    if isinstance(error, RepositoryMovedError):
        return moved(request, error)
    if as_json:
        return refusal(error, signed_in=signed_in)
    if isinstance(error, UnauthenticatedError) and not signed_in:
        query = urlencode({"next": request.get_full_path()})
        return redirect(f"/-/sign-in?{query}")
    status = error.http_status
    context: dict[str, Any] = {"error": error, "sentence": sentence_of(error)}
    context["ask_path"] = getattr(error, "ask_path", "")
    if get_language() != settings.LANGUAGE_CODE and error.code in IN_WORDS:
        # Refusals are written in English where they arise; their kinds have words in each language.
        context["in_words"] = IN_WORDS[error.code]
    template = "errors/refused.html" if frame is None else "hub/missing.html"
    response = render(request, template, context | (frame or {}), status=status)
    response["X-Error-Code"] = error.code
    response["X-Error-Message"] = header_text(sentence_of(error))
    return response


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    error = BadInputError(_("The request could not be understood."))
    return refused(request, error, as_json=wants_json(request))


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    error = ForbiddenError(_("You may not do this. Ask an owner for access."))
    return refused(request, error, as_json=wants_json(request))


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    error = NotFoundError(_("There is nothing at this address, or you may not see it."))
    return refused(request, error, as_json=wants_json(request))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    error = ForbiddenError(
        _("This form has expired or came from another site. Go back, reload the page and retry.")
    )
    return refused(request, error, as_json=wants_json(request))


def server_error(request: HttpRequest) -> HttpResponse:
    """A fault of ours: names the request so that it can be found in the log."""
    if wants_json(request):
        return fault(request)
    context: dict[str, Any] = {"request_id": getattr(request, "request_id", "-")}
    return render(request, "errors/fault.html", context, status=500)
