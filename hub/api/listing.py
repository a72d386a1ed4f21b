"""Lists of repositories: searched, filtered, sorted, a page at a time."""

from __future__ import annotations

import base64
import binascii
import json
import re
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Q
from django.http import QueryDict
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
from hub.models import Kind, Namespace, Repository
from hub.models.repositories import RepositoryQuerySet
from hub.policies import children_of, visible_repositories

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
# A page ends early where its repositories have more files together.
NAMES_LIMIT = 200_000
WORDS_LIMIT = 16
# Programs on people's own machines that read one format of weights and no other.
GGUF_APPS = frozenset(("llama.cpp", "ollama", "lmstudio", "jan", "koboldcpp", "localai"))
_SIZE = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)([KMBT]?)", re.IGNORECASE)
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}
_QUERY = [
    OpenApiParameter("search", OpenApiTypes.STR, many=True),
    OpenApiParameter("author", OpenApiTypes.STR),
    OpenApiParameter("filter", OpenApiTypes.STR, many=True, description="All must match."),
    OpenApiParameter("pipeline_tag", OpenApiTypes.STR),
    OpenApiParameter("gated", OpenApiTypes.BOOL),
    OpenApiParameter("num_parameters", OpenApiTypes.STR, description="min:6B,max:128B"),
    OpenApiParameter("apps", OpenApiTypes.STR, many=True, description="Any of these may match."),
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
        rows = narrowed(visible_repositories(self.actor).filter(kind=kind), request, kind)
        if "usedStorage" in names:
            rows = rows.with_storage()
        rows = _after(rows, column, request.query_params.get("cursor"))
        found = list(rows.order_by(f"-{column}", "-pk")[: page + 1])
        files = _files_of(found[:page]) if with_files else []
        shown = found[: len(files)] if with_files else found[:page]
        cursor = _cursor(shown[-1], column) if len(found) > len(shown) else None
        items = [self._item(request, row, names, full) for row in shown]
        if "childrenModelCount" in names:
            counts = children_of(self.actor, [row.repo_id for row in shown])
            for facts in items:
                facts["childrenModelCount"] = counts[facts["id"]]
        if with_files:
            for names_of_files, facts in zip(files, items, strict=True):
                facts["siblings"] = names_of_files
        return linked(request, items, cursor=cursor)

    def _item(
        self, request: Request, row: Repository, names: list[str], full: bool
    ) -> dict[str, Any]:
        if names:
            return representation.fields(row, names)
        card, config = flag(request, "cardData"), flag(request, "config")
        return representation.item(row, full=full, card=card, config=config)


def narrowed(rows: RepositoryQuerySet, request: Request, kind: Kind) -> RepositoryQuerySet:
    """`rows` that match all that the query asks for. Raises: BadInputError."""
    query = request.query_params
    for text in query.getlist("search"):
        if len(text) > SEARCH_LIMIT:
            raise BadInputError(f"Search for at most {SEARCH_LIMIT} characters.")
        for word in text.split()[:WORDS_LIMIT]:
            rows = rows.matching(word)
    if author := query.get("author"):
        rows = rows.filter(namespace__in=Namespace.objects.filter(slug__iexact=author))
    if tags := [tag for value in query.getlist("filter") for tag in value.split(",") if tag]:
        rows = rows.filter(tags__contains=tags)
    if task := query.get("pipeline_tag"):
        rows = rows.filter(pipeline_tag=task)
    if gated := query.get("gated"):
        rows = rows.filter(~Q(gated="") if gated.lower() == "true" else Q(gated=""))
    match kind:
        case Kind.MODEL:
            return _of_models(rows, query)
        case Kind.SPACE:
            return _of_spaces(rows, query)
    return rows


def _of_models(rows: RepositoryQuerySet, query: QueryDict) -> RepositoryQuerySet:
    if query.get("inference") or query.getlist("inference_provider"):
        return rows.none()  # nobody serves the models of this server
    if apps := query.getlist("apps"):
        wanted = {"gguf" if app.lower() in GGUF_APPS else app for app in apps}
        rows = rows.filter(tags__overlap=sorted(wanted))
    if sizes := query.get("num_parameters"):
        bounds = {"min": "parameters__total__gte", "max": "parameters__total__lte"}
        for part in sizes.split(","):
            side, _colon, text = part.strip().partition(":")
            if side not in bounds:
                raise BadInputError("“num_parameters” is written min:6B,max:128B.")
            rows = rows.filter(**{bounds[side]: _count(text)})
    return rows


def _count(text: str) -> int:
    """`6B`, `128M`, `1.5k` or `7` as a number. Raises: BadInputError."""
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise BadInputError("A number of parameters is written 7, 500M, 6B or 1.5T.")
    return int(Decimal(found[1]) * _UNITS[found[2].upper()])


def _of_spaces(rows: RepositoryQuerySet, query: QueryDict) -> RepositoryQuerySet:
    for key in ("models", "datasets"):
        for name in query.getlist(key):
            rows = rows.filter(
                Q(**{f"card_data__{key}__contains": [name]}) | Q(**{f"card_data__{key}": name})
            )
    if query.get("linked", "").lower() == "true":
        rows = rows.filter(card_data__has_any_keys=["models", "datasets"])
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
    except (ValueError, TypeError, OverflowError, binascii.Error):
        raise BadInputError("This cursor is not one of ours: start from the first page.") from None
    # `lte` says nothing new, but an index can start from it.
    below = Q(**{f"{column}__lt": value}) | Q(pk__lt=pk)
    return rows.filter(below, **{f"{column}__lte": value})


def _files_of(rows: list[Repository]) -> list[list[dict[str, Any]]]:
    """The files of each of the first of `rows`, until there are enough names for one answer."""
    found: list[list[dict[str, Any]]] = []
    for row in rows:
        found.append(_siblings(row))
        if sum(map(len, found)) >= NAMES_LIMIT:
            break
    return found


def _siblings(row: Repository) -> list[dict[str, Any]]:
    return siblings(row.store(), row.head_oid, blobs=False) if row.head_oid else []
