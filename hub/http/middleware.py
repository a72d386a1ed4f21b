"""What every request passes through: an id, the raw path, headers, refusals."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from urllib.parse import unquote

import structlog
from django.http import HttpRequest, HttpResponse

from hub.errors import BadInputError, HubError
from hub.http.converters import SLASH
from hub.http.error_pages import refused, wants_json
from hub.http.refusals import header_text, refusal, told_by

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; frame-src 'self'; form-action 'self'; "
    "manifest-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
)
# Of pages that show files of a repository, which may be sound and films.
PLAYERS_POLICY = f"{POLICY}; media-src 'self'"
log = structlog.get_logger(__name__)
Handler = Callable[[HttpRequest], HttpResponse]
# What Django refuses by itself, in our words.
PLAIN_REFUSALS = {
    400: ("BadRequest", "The request could not be understood."),
    403: ("Forbidden", "You may not do this."),
    404: ("NotFound", "There is nothing at this address."),
    405: ("MethodNotAllowed", "This address does not take this method."),
    422: ("Unprocessable", "What was sent could not be accepted."),
    429: ("Throttled", "Too many tries: wait a few minutes, then go on."),
    500: ("InternalError", "The server made a mistake."),
    503: ("Unavailable", "A part of the server does not answer: try again in a moment."),
}
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:=;-]{1,128}")


class RequestIdMiddleware:
    """Names each request as its client did, so that both sides' logs can be joined."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        sent = request.headers.get("X-Request-Id") or request.headers.get("X-Amzn-Trace-Id") or ""
        request_id = sent if _REQUEST_ID.fullmatch(sent) else str(uuid.uuid4())
        request.request_id = request_id  # type: ignore[attr-defined]
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        response = self.get_response(request)
        response["X-Request-Id"] = request_id
        if code := response.headers.get("X-Error-Code"):
            log.info(
                "request.refused",
                method=request.method,
                path=request.path[:300],
                status=response.status_code,
                code=code,
                sentence=told_by(response),
            )
        return response


class HeadMiddleware:
    """Answers HEAD by headers alone; a body would only make the server warn and drop it."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.method == "HEAD" and not response.streaming and response.content:
            response.setdefault("Content-Length", str(len(response.content)))
            response.content = b""
        return response


class ErrorContractMiddleware:
    """Every refusal has its code and its sentence in headers, whoever made it (hub-api 1.5)."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if response.status_code < 400:
            return response
        if not response.has_header("X-Error-Code"):
            self._complete(request, response)
        elif not response.has_header("X-Error-Message"):
            response["X-Error-Message"] = "The server made a mistake."
        return response

    def _complete(self, request: HttpRequest, response: HttpResponse) -> None:
        code, sentence = PLAIN_REFUSALS.get(response.status_code, PLAIN_REFUSALS[400])
        is_text = response.get("Content-Type", "").startswith("text/plain")
        if not response.streaming and is_text and response.content:
            sentence = response.content[:500].decode("utf-8", "replace")
        response["X-Error-Code"] = code
        response["X-Error-Message"] = header_text(sentence)
        if not response.streaming and (is_text or not response.content) and wants_json(request):
            response.content = json.dumps({"error": sentence}).encode()
            response["Content-Type"] = "application/json"


class RawPathMiddleware:
    """Routes on the raw path: an encoded slash stays inside its segment (see `converters`)."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # Neither Postgres nor a command line can hold a NUL.
        if "\0" in request.path_info or "%00" in request.META.get("QUERY_STRING", ""):
            return _malformed(request, "This address holds a control character.")
        raw = request.META.get("RAW_URI") or request.META.get("REQUEST_URI")
        if raw is None:
            return self.get_response(request)
        path = re.sub(r"^[a-z]+://[^/]*", "", raw).partition("?")[0]
        if "%1f" in path.lower() or SLASH in path:
            return _malformed(request, "This address holds a control character.")
        decoded = re.sub("%2f", SLASH, path, flags=re.IGNORECASE)
        try:
            request.path_info = unquote(decoded, errors="strict")
        except UnicodeDecodeError:
            return _malformed(request, "This address is not UTF-8.")
        request.path = request.path_info
        return self.get_response(request)


def _malformed(request: HttpRequest, sentence: str) -> HttpResponse:
    # As JSON for everybody: whose session and language this is was not looked up yet.
    return refusal(BadInputError(sentence), signed_in=False)


class SecurityHeadersMiddleware:
    """A policy without inline anything on pages; user files set a stricter one themselves."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.setdefault("Content-Security-Policy", POLICY)
        if not getattr(response, "xframe_options_exempt", False):
            response.setdefault("X-Frame-Options", "DENY")
        response.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
        response.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        return response


class RefusalMiddleware:
    """Turns a refusal that a page raised into a page, or JSON for whoever asked for that."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exc: Exception) -> HttpResponse | None:
        return (
            refused(request, exc, as_json=wants_json(request))
            if isinstance(exc, HubError)
            else None
        )
