"""Bodies of requests as they arrive: of a known length or in chunks, whole or refused."""

from __future__ import annotations

from django.http import HttpRequest, UnreadablePostError
from gunicorn.http.errors import ParseException  # type: ignore[import-untyped]

from hub.errors import BadInputError, HubError
from hub.gitstore.packets import ByteStream

# What is read of a body that nobody wants, so that its sender hears why instead of a broken pipe.
DRAIN_LIMIT_BYTES = 1024**3
_BROKEN_OFF = "The request broke off before its end: send it again."


def is_chunked(request: HttpRequest) -> bool:
    """Whether the body comes in chunks of no announced length, from a server that knows its end."""
    return bool(request.META.get("wsgi.input_terminated")) and (
        "HTTP_TRANSFER_ENCODING" in request.META
    )


class Body:
    """The body of `request`. What breaks off is refused, never taken for the whole."""

    def __init__(self, request: HttpRequest) -> None:
        # Django reads CONTENT_LENGTH bytes, which are none of a chunked body.
        self._stream: ByteStream = request.META["wsgi.input"] if is_chunked(request) else request
        self._left = None if is_chunked(request) else _announced(request)

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; none at the end. Raises: BadInputError when the body broke off."""
        try:
            data = self._stream.read(size)
        except (OSError, ParseException, UnreadablePostError) as error:
            raise BadInputError(_BROKEN_OFF) from error
        if self._left is not None:
            self._left -= len(data)
            if not data and size and self._left > 0:
                raise BadInputError(_BROKEN_OFF)
        return data


def _announced(request: HttpRequest) -> int:
    text = request.META.get("CONTENT_LENGTH") or "0"
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else 0


def read_away(request: HttpRequest) -> None:
    """Read the body to its end, within a limit: answered earlier, many clients hear nothing."""
    body, left = Body(request), DRAIN_LIMIT_BYTES
    try:
        while left > 0 and (chunk := body.read(64 * 1024)):
            left -= len(chunk)
    except HubError:
        return
