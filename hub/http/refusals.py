"""One place where refusals become responses: `X-Error-Code`, `X-Error-Message`, JSON body."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote, urlsplit

import structlog
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from rest_framework import exceptions

from hub.errors import (
    GatedRepositoryError,
    HubError,
    InvalidCredentialsError,
    RepositoryMovedError,
    RepositoryNotFoundError,
)
from hub.errors import UnauthenticatedError as Unauthenticated
from hub.http.path_words import sentence_of

log = structlog.get_logger(__name__)
HEADER_BYTES = 1000


def header_text(text: str) -> str:
    """`text` as one header line: no control characters, bounded, in the bytes of UTF-8.

    Clients read it so, and show the sentence of the body a second time if the two differ.
    """
    clean = "".join(c if c.isprintable() else " " for c in text)
    whole = clean.encode(errors="replace")[:HEADER_BYTES].decode(errors="ignore")
    return whole.encode().decode("latin-1")  # Django sends each sign of latin-1 as its byte


def told_by(response: HttpResponse) -> str:
    """The sentence that `header_text` put into the headers of `response`, or nothing."""
    said = str(response.headers.get("X-Error-Message", ""))
    return said.encode("latin-1", "replace").decode(errors="replace")


def refusal_status(error: HubError, *, signed_in: bool) -> int:
    """Anonymous readers of a hidden repository get 401, so that clients ask them to sign in."""
    if isinstance(error, RepositoryNotFoundError | GatedRepositoryError) and not signed_in:
        return 401
    return error.http_status


def refusal(
    error: HubError, *, signed_in: bool, extra: dict[str, Any] | None = None
) -> HttpResponse:
    """The JSON response of a refusal; HEAD requests are served by its headers."""
    said = sentence_of(error)
    response = JsonResponse(
        {"error": said, **(extra or {})}, status=refusal_status(error, signed_in=signed_in)
    )
    response["X-Error-Code"] = error.code
    response["X-Error-Message"] = header_text(said)
    if isinstance(error, Unauthenticated | InvalidCredentialsError):
        response["WWW-Authenticate"] = 'Basic realm="Weighbridge"'
    return response


def moved(request: HttpRequest, error: RepositoryMovedError) -> HttpResponse:
    """Where the same request is answered now: 307 keeps its method and body.

    A request that named the repository in its body cannot be led anywhere: it is told the name.

    The address has no host: old clients follow such redirects only, and it holds behind any proxy.
    """
    raw = request.META.get("RAW_URI") or request.META.get("REQUEST_URI") or request.get_full_path()
    path, question, query = re.sub(r"^[a-z]+://[^/]*", "", raw).partition("?")
    new = _moved_path(path, error.paths)
    if new is None:
        return refusal(RepositoryNotFoundError(f"{error} Use that name."), signed_in=True)
    response = JsonResponse({"error": str(error)}, status=error.http_status)
    base = urlsplit(settings.PUBLIC_URL).path.rstrip("/")
    response["Location"] = f"{base}/{new}{question}{query}"
    response["Cache-Control"] = "no-cache"
    return response


def _moved_path(path: str, moves: dict[str, str]) -> str | None:
    """`path`, raw as it was sent, with the new name in the old one's place; None without it."""
    parts = path.lstrip("/").split("/")
    for old, new in moves.items():
        size = old.count("/") + 1
        sent = unquote("/".join(parts[:size])).lower()
        if sent in {old.lower(), f"{old.lower()}.git"}:
            return "/".join([new + (".git" if sent.endswith(".git") else ""), *parts[size:]])
    return None


def as_hub_error(exc: Exception) -> HubError | None:
    """Translate what Django and REST framework raise; None for a fault of ours."""
    if isinstance(exc, HubError):
        return exc
    translated = HubError(str(getattr(exc, "detail", exc)) or "The request was refused.")
    if isinstance(exc, exceptions.ValidationError):
        translated = HubError(_flatten(exc.detail))
    match exc:
        case Http404():
            translated.code, translated.http_status = "NotFound", 404
            translated.args = ("There is nothing at this address.",)
        case PermissionDenied():
            translated.code, translated.http_status = "Forbidden", 403
        case exceptions.APIException():
            translated.code = "".join(p.title() for p in str(exc.default_code).split("_"))
            translated.http_status = exc.status_code
        case _:
            return None
    return translated


def _flatten(detail: Any, name: str = "") -> str:
    """Validation errors as one sentence a field."""
    if isinstance(detail, dict):
        return " ".join(_flatten(value, str(key)) for key, value in detail.items())
    if isinstance(detail, list):
        return " ".join(_flatten(value, name) for value in detail)
    return f"{name}: {detail}" if name and name != "non_field_errors" else str(detail)


def exception_handler(exc: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """REST framework's handler."""
    request = context["request"]
    error = as_hub_error(exc)
    if isinstance(error, RepositoryMovedError):
        return moved(request._request, error)
    if error is None:
        return None  # Django's handler500 answers and logs the traceback
    user = getattr(request, "_user", None)
    return refusal(
        error,
        signed_in=bool(user and user.is_authenticated),
        extra=getattr(exc, "extra", None),
    )


def fault(request: HttpRequest) -> HttpResponse:
    """The JSON answer to a fault of ours: says so, names the request, shows nothing."""
    request_id = getattr(request, "request_id", "-")
    response = JsonResponse(
        {"error": f"The server made a mistake and has logged it as {request_id}."}, status=500
    )
    response["X-Error-Code"] = "InternalError"
    return response
