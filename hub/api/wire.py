"""Spellings that clients insist on: moments, absolute links, page links."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from django.conf import settings
from rest_framework.request import Request
from rest_framework.response import Response

from hub.errors import BadInputError
from hub.http.converters import SLASH

PAGE_LIMIT = 1000


def moment(value: datetime) -> str:
    """UTC with milliseconds and `Z`: clients raise on any other offset."""
    return f"{value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def flag(request: Request, name: str) -> bool:
    """A boolean of the query, written `true` or `1`."""
    return request.query_params.get(name, "").lower() in {"true", "1"}


def number(request: Request, name: str, *, default: int, most: int = PAGE_LIMIT) -> int:
    """A count of the query between 1 and `most`. Raises: BadInputError when it is no number."""
    text = request.query_params.get(name)
    if text is None:
        return default
    if not text.isdecimal() or len(text) > 9:
        raise BadInputError(f"“{name}” must be a number.")
    return max(1, min(int(text), most))


def linked(request: Request, items: list[Any], **position: str | int | None) -> Response:
    """One page of a list; `Link` names the next one, unless its position is None."""
    response = Response(items)
    if None not in position.values():
        response["Link"] = f'<{_with(request, position)}>; rel="next"'
    return response


def _with(request: Request, position: dict[str, Any]) -> str:
    parts = (quote(part.replace(SLASH, "/"), safe="") for part in request.path_info.split("/"))
    query = request.query_params.copy()
    for name, value in position.items():
        query[name] = str(value)
    return f"{settings.PUBLIC_URL}{'/'.join(parts)}?{query.urlencode()}"
