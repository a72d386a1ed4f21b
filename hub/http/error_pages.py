"""Error pages: one clear sentence with the cause and the remedy, in page and API alike."""

from __future__ import annotations

from typing import Any

import structlog
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from hub.errors import BadInputError, ForbiddenError, HubError, NotFoundError, UnauthenticatedError
from hub.http.refusals import fault, header_text, refusal

log = structlog.get_logger(__name__)


def wants_json(request: HttpRequest) -> bool:
    """API routes, git, and clients that do not ask for a page."""
    path = request.path_info
    if path.startswith(("/api/", "/-/xet/", "/-/lfs/")) or "/info/lfs/" in path:
        return True
    return "text/html" not in request.headers.get("Accept", "")


def refused(request: HttpRequest, error: HubError, *, as_json: bool) -> HttpResponse:
    """The response to a refusal, for a person or for a program."""
    user = getattr(request, "user", None)
    signed_in = bool(user and user.is_authenticated)
    if as_json:
        return refusal(error, signed_in=signed_in)
    if isinstance(error, UnauthenticatedError) and not signed_in:
        query = urlencode({"next": request.get_full_path()})
        return redirect(f"/-/sign-in?{query}")
    status = error.http_status
    response = render(
        request, "errors/refused.html", {"error": error, "sentence": str(error)}, status=status
    )
    response["X-Error-Code"] = error.code
    response["X-Error-Message"] = header_text(str(error))
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
