"""Stored bytes on their way out: the proxy sends them, or this process where there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from typing import BinaryIO

from django.conf import settings
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from hub.api.resolve import Span
from hub.errors import EntryNotFoundError

CHUNK_BYTES = 1024**2
Opener = Callable[[int, int], BinaryIO]


def sent_file(
    request: HttpRequest, place: PurePosixPath | None, size_bytes: int, open_range: Opener
) -> HttpResponseBase:
    """The file at `place` below the object store, or the range of it that is asked for.

    `open_range(start, end)` gives its bytes where no proxy sends them.
    Raises: EntryNotFoundError, UnsatisfiableRangeError.
    """
    if place is None:
        raise EntryNotFoundError("The bytes of this file are missing. Tell the operator.")
    span = Span.asked(request.headers.get("Range", ""), size_bytes)
    response: HttpResponseBase
    if settings.FRONT == "nginx":
        response = HttpResponse(headers={"X-Accel-Redirect": f"/-/internal/objects/{place}"})
    else:
        start, end = (span.start, span.end) if span else (0, size_bytes)
        response = StreamingHttpResponse(_chunks(open_range(start, end)))
        response["Content-Length"] = str(end - start)
        if span:
            response.status_code = 206
            response["Content-Range"] = f"bytes {start}-{end - 1}/{size_bytes}"
    response["Content-Type"] = "application/octet-stream"
    response["Accept-Ranges"] = "bytes"
    response["Cache-Control"] = "private, no-cache"
    response["Content-Disposition"] = "attachment"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk
