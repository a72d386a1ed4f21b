"""Bodies of API requests: bounded, no duplicate keys, no NaN (threats F8)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.exceptions import TooManyFieldsSent
from django.http import QueryDict
from rest_framework.parsers import BaseParser

from hub.errors import BadInputError, TooLargeError
from hub.formats.bounded_json import load_json

# Neither Postgres nor a command line can hold it, and nobody means it.
_NUL = "The body holds a NUL character: leave it out."


def _texts(value: Any) -> Iterator[str]:
    """Every key and text of a JSON value, whose depth is bounded."""
    match value:
        case str():
            yield value
        case dict():
            yield from value
            for inner in value.values():
                yield from _texts(inner)
        case list():
            for inner in value:
                yield from _texts(inner)


def _read(stream: Any) -> bytes:
    limit_bytes = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    body: bytes = stream.read(limit_bytes + 1)
    if len(body) > limit_bytes:
        raise TooLargeError(f"The body is larger than {limit_bytes} bytes: send less at once.")
    return body


class BoundedJSONParser(BaseParser):
    media_type = "application/json"

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        body = _read(stream)
        value = load_json(body) if body.strip() else {}
        if b"\\u0000" in body and any("\0" in text for text in _texts(value)):
            raise BadInputError(_NUL)
        return value


class LfsJSONParser(BoundedJSONParser):
    media_type = "application/vnd.git-lfs+json"


class AnyJSONParser(BoundedJSONParser):
    """JSON whatever the content type says: some clients send none."""

    media_type = "*/*"


class BoundedFormParser(BaseParser):
    media_type = "application/x-www-form-urlencoded"

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        body = _read(stream)
        if b"\0" in body or b"%00" in body:
            raise BadInputError(_NUL)
        try:
            return QueryDict(body, encoding="utf-8")
        except TooManyFieldsSent:
            most = settings.DATA_UPLOAD_MAX_NUMBER_FIELDS
            raise BadInputError(f"The form has more than {most} fields: send fewer.") from None
