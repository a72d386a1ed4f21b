"""Lists that are read newest first, a page at a time; a position is the last row's key."""

from __future__ import annotations

from typing import TypeVar

from django.db.models import Model, QuerySet
from rest_framework.request import Request

from hub.api.wire import number
from hub.errors import BadInputError

Row = TypeVar("Row", bound=Model)


def newest(request: Request, rows: QuerySet[Row]) -> tuple[list[Row], int | None]:
    """One page of `rows`, and the position of the next or None. Raises: BadInputError."""
    page = number(request, "limit", default=100)
    cursor = request.query_params.get("cursor")
    if cursor is not None:
        if not cursor.isdecimal() or len(cursor) > 18:
            raise BadInputError("This cursor is not one of ours: start from the first page.")
        rows = rows.filter(pk__lt=int(cursor))
    found = list(rows.order_by("-pk")[: page + 1])
    return found[:page], found[page - 1].pk if len(found) > page else None
