"""Large bodies: decided before the first byte, then taken as a spooled file or a stream."""

from __future__ import annotations

import io
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.handlers.wsgi import WSGIRequest
from django.db import connection
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.http.response import HttpResponseBase
from django.urls import resolve
from django.views.decorators.http import require_GET
from rest_framework.request import Request

from hub.api.views import HubView
from hub.blobstore.landing import ByteStream
from hub.errors import BadInputError, HubError, NotFoundError, StorageUnavailableError
from hub.gitstore.receive import DRAIN_LIMIT_BYTES, drain
from hub.http.error_pages import refused
from hub.models import Repository


@dataclass(frozen=True)
class Body:
    """What was sent: `path` names the file that the proxy spooled it to, else read `stream`.

    `size_bytes` is None for a body in chunks whose length nobody announced.
    """

    stream: ByteStream
    size_bytes: int | None
    path: Path | None = None

    @classmethod
    def of(cls, request: HttpRequest) -> Body:
        """Raises: BadInputError for a spooled file outside the spool."""
        if settings.FRONT == "nginx":
            return cls._spooled(request.META.get("HTTP_X_BODY_FILE", ""))
        return cls(stream_of(request), announced_bytes(request))

    @classmethod
    def _spooled(cls, name: str) -> Body:
        if not name:  # the proxy makes no file of an empty body
            return cls(io.BytesIO(), 0)
        path = Path(name)
        if path.resolve().parent != settings.SPOOL_DIR.resolve() or not path.is_file():
            raise BadInputError("The body did not arrive through the proxy. Send it again.")
        return cls(io.BytesIO(), path.stat().st_size, path)


def stream_of(request: HttpRequest) -> ByteStream:
    """The body as it arrives, of a known length or in chunks."""
    # Django reads CONTENT_LENGTH bytes, which are none of a chunked body; gunicorn knows its end.
    if request.META.get("wsgi.input_terminated") and "HTTP_TRANSFER_ENCODING" in request.META:
        stream: ByteStream = request.META["wsgi.input"]
        return stream
    return request


def announced_bytes(request: HttpRequest) -> int | None:
    """What `Content-Length` says; None for a body in chunks."""
    text = request.META.get("CONTENT_LENGTH") or ""
    if not text:
        return None if "HTTP_TRANSFER_ENCODING" in request.META else 0
    if not text.isascii() or not text.isdecimal() or len(text) > 18:
        raise BadInputError("Content-Length is no number of bytes.")
    return int(text)


def release_connection() -> None:
    """Give the database connection back while bytes travel; the next query takes one again."""
    if not connection.in_atomic_block:  # the transaction around a test must stay
        connection.close()


class UploadView(HubView):
    """A view with a large body. It decides first; the proxy asks it before it reads the body.

    The address or its token says who sends: no session and no token of a person is looked at.
    """

    authentication_classes = []
    rate = rate_of_changes = None  # the right was given, and counted, before
    repository: Repository

    def decide(self, request: Request, announced: int | None, **path: Any) -> None:
        """Set `repository`, and refuse what is not to be read at all.

        `announced` bytes are to come; None for chunks of unknown length.
        """
        raise NotImplementedError

    def receive(self, body: Body, **path: Any) -> HttpResponseBase:
        """Take the body in and answer."""
        raise NotImplementedError

    def upload(self, request: Request, **path: Any) -> HttpResponseBase:
        sent = request._request
        if getattr(sent, "is_question", False):
            self._require(request, announced_bytes(sent), **path)
            return HttpResponse(status=204)
        body = Body.of(sent)
        try:
            if body.path:  # what lies in the spool has its room already
                self.decide(request, body.size_bytes, **path)
            else:
                self._require(request, body.size_bytes, **path)
            release_connection()
            return self.receive(body, **path)
        except UnreadablePostError:
            raise BadInputError("The upload broke off. Send it again.") from None
        except HubError:
            # Answered before its end, most clients see a broken connection and not the answer.
            release_connection()
            with suppress(UnreadablePostError):
                drain(body.stream, DRAIN_LIMIT_BYTES)
            raise

    def _require(self, request: Request, announced: int | None, **path: Any) -> None:
        self.decide(request, announced, **path)
        self.repository.blobs().landing.require_room(announced or 0)


@require_GET
def authorize_upload(request: HttpRequest) -> HttpResponseBase:
    """GET /-/internal/authorize-upload: what an upload's own view would say, its body unsent.

    The proxy names the upload in X-Original-URI, -Method and -Length. It permits on 204; after
    any refusal it asks again with X-Upload-Refused, to pass the answer on.
    """
    if settings.FRONT != "nginx":
        raise NotFoundError("There is nothing at this address.")
    target, _, query = request.headers.get("X-Original-URI", "").partition("?")
    match = resolve(target)
    if not issubclass(getattr(match.func, "cls", object), UploadView):
        raise NotFoundError("Nothing is uploaded to this address.")
    response: HttpResponseBase = match.func(
        _question(request, target, query), *match.args, **match.kwargs
    )
    is_refusal = bool(request.headers.get("X-Upload-Refused"))
    if is_refusal and not request.headers.get("X-Original-Expect"):
        release_connection()
        with suppress(UnreadablePostError):
            drain(stream_of(request), DRAIN_LIMIT_BYTES)
    if response.status_code == 204 and is_refusal:
        error = StorageUnavailableError("The upload was refused a moment ago: send it again.")
        return refused(request, error, as_json=True)
    return response


def _question(request: HttpRequest, target: str, query: str) -> HttpRequest:
    """The upload that is asked about, without its body."""
    length = request.headers.get("X-Original-Length", "")
    environ = request.META | {
        "REQUEST_METHOD": request.headers.get("X-Original-Method", ""),
        "PATH_INFO": target,
        "QUERY_STRING": query,
        "CONTENT_LENGTH": length,
        "wsgi.input": io.BytesIO(),
    }
    if not length:
        environ["HTTP_TRANSFER_ENCODING"] = "chunked"
    question = WSGIRequest(environ)
    question.is_question = True  # type: ignore[attr-defined]
    return question
