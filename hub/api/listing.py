"""Lists of repositories: searched, filtered, sorted, a page at a time."""

from __future__ import annotations

import base64
import binascii
import json
from datetime import datetime
from typing import Any

from django.db.models import Q, Value
from django.db.models.functions import Concat
from django.utils.translation import gettext_lazy as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from hub.api import representation, shapes
from hub.api.info import expanded, siblings
from hub.api.views import HubView
from hub.api.wire import flag, linked, number
from hub.errors import BadInputError
from hub.models import Kind, Repository
from hub.models.repositories import RepositoryQuerySet
from hub.policies import visible_repositories

SORTS = {
    "downloads": "downloads",
    "likes": "likes",
    "lastModified": "last_modified_at",
    "last_modified": "last_modified_at",
    "createdAt": "created_at",
    "created_at": "created_at",
    "trendingScore": "likes",
    "trending_score": "likes",
}
SEARCH_LIMIT = 256
# Listing the files of each repository reads git, so those pages are short.
PAGE, PAGE_WITH_FILES = 1000, 100
_QUERY = [
    OpenApiParameter("search", OpenApiTypes.STR, many=True),
    OpenApiParameter("author", OpenApiTypes.STR),
    OpenApiParameter("filter", OpenApiTypes.STR, many=True, description="All must match."),
    OpenApiParameter("pipeline_tag", OpenApiTypes.STR),
    OpenApiParameter("gated", OpenApiTypes.BOOL),
    OpenApiParameter("sort", OpenApiTypes.STR, enum=list(SORTS)),
    OpenApiParameter("limit", OpenApiTypes.INT),
    OpenApiParameter("full", OpenApiTypes.BOOL),
    OpenApiParameter("cardData", OpenApiTypes.BOOL),
    OpenApiParameter("config", OpenApiTypes.BOOL),
    OpenApiParameter("expand", OpenApiTypes.STR, many=True),
]


class RepositoryListView(HubView):
    """GET /api/{kind}s"""

    @extend_schema(
        summary=_("Repositories that the caller may see"),
        responses=shapes.InfoShape(many=True),
        parameters=_QUERY,
    )
    def get(self, request: Request, kind: Kind) -> Response:
        names = expanded(request, kind)
        full = flag(request, "full") and not names
        with_files = full or "siblings" in names
        page = number(request, "limit", default=PAGE, most=PAGE_WITH_FILES if with_files else PAGE)
        column = _sort(request)
        rows = narrowed(visible_repositories(self.actor).filter(kind=kind), request)
        rows = _after(rows, column, request.query_params.get("cursor"))
        found = list(rows.order_by(f"-{column}", "-pk")[: page + 1])
        shown = found[:page]
        cursor = _cursor(shown[-1], column) if len(found) > page else None
        items = [self._item(request, row, names, full) for row in shown]
        if with_files:
            for row, facts in zip(shown, items, strict=True):
                facts["siblings"] = _siblings(row)
        return linked(request, items, cursor=cursor)

    def _item(
        self, request: Request, row: Repository, names: list[str], full: bool
    ) -> dict[str, Any]:
        if names:
            return representation.fields(row, names)
        card, config = flag(request, "cardData"), flag(request, "config")
        return representation.item(row, full=full, card=card, config=config)


def narrowed(rows: RepositoryQuerySet, request: Request) -> RepositoryQuerySet:
    """`rows` that match all that the query asks for. Raises: BadInputError."""
    query = request.query_params
    rows = rows.annotate(full_id=Concat("namespace__slug", Value("/"), "name"))
    for text in query.getlist("search"):
        if len(text) > SEARCH_LIMIT:
            raise BadInputError(f"Search for at most {SEARCH_LIMIT} characters.")
        for word in text.split():
            rows = rows.filter(full_id__icontains=word)
    if author := query.get("author"):
        rows = rows.filter(namespace__slug__iexact=author)
    if tags := [tag for value in query.getlist("filter") for tag in value.split(",") if tag]:
        rows = rows.filter(tags__contains=tags)
    if task := query.get("pipeline_tag"):
        rows = rows.filter(pipeline_tag=task)
    if gated := query.get("gated"):
        rows = rows.filter(~Q(gated="") if gated.lower() == "true" else Q(gated=""))
    return rows


def _sort(request: Request) -> str:
    name = request.query_params.get("sort") or "trendingScore"
    if name not in SORTS:
        raise BadInputError(f"Sort by one of {', '.join(SORTS)}.")
    return SORTS[name]


def _cursor(row: Repository, column: str) -> str:
    value = getattr(row, column)
    text = value.isoformat() if isinstance(value, datetime) else value
    return base64.urlsafe_b64encode(json.dumps([text, row.pk]).encode()).decode()


def _after(rows: RepositoryQuerySet, column: str, cursor: str | None) -> RepositoryQuerySet:
    """The rows below the one that `cursor` names. Raises: BadInputError when it is not ours."""
    if cursor is None:
        return rows
    try:
        value, pk = json.loads(base64.urlsafe_b64decode(cursor[:256].encode()))
        value = datetime.fromisoformat(value) if isinstance(value, str) else int(value)
        pk = int(pk)
        is_moment = isinstance(value, datetime) and value.tzinfo is not None
        if is_moment != column.endswith("_at"):
            raise ValueError(column)
    except (ValueError, TypeError, binascii.Error):
        raise BadInputError("This cursor is not one of ours: start from the first page.") from None
    return rows.filter(Q(**{f"{column}__lt": value}) | Q(**{column: value}, pk__lt=pk))


def _siblings(row: Repository) -> list[dict[str, Any]]:
    return siblings(row.store(), row.head_oid, blobs=False) if row.head_oid else []
