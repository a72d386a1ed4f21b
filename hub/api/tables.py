"""Rows, splits and statistics of data sets, in the shapes of the Hub's dataset viewer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.utils.translation import gettext_lazy as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from hub.actions.table_pages import PlacedRow, RowPage, read_page
from hub.actions.tables import Table, facts_of, splits_at, table_at
from hub.api.table_shapes import RowsShape, SplitsShape, StatisticsShape
from hub.api.views import RepositoryView
from hub.errors import BadInputError, EntryNotFoundError, NotFoundError
from hub.formats.tables.cells import cell_of, clean, plain
from hub.formats.tables.conditions import OPERATORS, Query
from hub.formats.tables.rows import AUDIO, IMAGE, INT, Column
from hub.formats.tables.splits import Split
from hub.models import Kind, RepoId, TableFacts
from hub.policies import require_files

ROWS_LIMIT = 100
CELL_CHARACTERS = 20_000
FIRST_CELL_CHARACTERS = 1_000

CONFIG = OpenApiParameter("config", OpenApiTypes.STR, description="The first one by default.")
SPLIT = OpenApiParameter("split", OpenApiTypes.STR, description="The first one by default.")
OFFSET = OpenApiParameter("offset", OpenApiTypes.INT, description="The first row, from 0.")
LENGTH = OpenApiParameter("length", OpenApiTypes.INT, description="At most 100 rows.")
ASKED = [
    OpenApiParameter("query", OpenApiTypes.STR, description="Only rows that hold this text."),
    OpenApiParameter("column", OpenApiTypes.STR, description="Only rows where this column …"),
    OpenApiParameter("operator", OpenApiTypes.STR, enum=OPERATORS, description="… compares so …"),
    OpenApiParameter("value", OpenApiTypes.STR, description="… with this value."),
]
_FIRST_SECOND = -62_135_596_800.0  # of year 1
_DTYPES = {"int": "int64", "float": "float64", "text": "string", "time": "timestamp"}


class TableView(RepositoryView):
    """The base: a data set, its files open to who asks, and the split that is meant."""

    def split(self) -> tuple[Split, Table, TableFacts]:
        """Raises: NotFoundError for other kinds; EntryNotFoundError, GatedRepositoryError."""
        require_files(self.actor, self.repository)
        if self.repository.kind != Kind.DATASET:
            raise NotFoundError("Only data sets have rows.")
        oid = self.repository.store().resolve(self.repository.default_branch)
        given = self.request.query_params
        found = splits_at(self.repository, oid).named(
            given.get("config", ""), given.get("split", "")
        )
        if found is None:
            raise EntryNotFoundError("This data set has no such split.")
        table = table_at(self.repository, oid, found.paths)
        return found, table, facts_of(table)

    def number(self, name: str, default: int, most: int) -> int:
        """A whole number of the query. Raises: BadInputError."""
        text = self.request.query_params.get(name, "") or str(default)
        if not text.isascii() or not text.isdecimal() or len(text) > 15:
            raise BadInputError(f"“{name}” must be a whole number from 0 on.")
        return min(int(text), most)

    def where(self, split: Split) -> dict[str, Any]:
        return {
            "dataset": self.repository.repo_id,
            "config": clean(split.config),
            "split": clean(split.name),
        }

    def told(self, split: Split, page: RowPage, *, most: int) -> dict[str, Any]:
        """Columns and rows on the wire."""
        columns = list(page.columns.values())
        features = [
            {"feature_idx": at, "name": clean(each.name), "type": _feature(each)}
            for at, each in enumerate(columns)
        ]
        rows = [self._row(split, placed, columns, most) for placed in page.rows]
        return self.where(split) | {"features": features, "rows": rows}

    def _row(
        self, split: Split, placed: PlacedRow, columns: list[Column], most: int
    ) -> dict[str, Any]:
        values: dict[str, Any] = {}
        cut: list[str] = []
        for column in columns:
            name, value = clean(column.name), placed.row.values.get(column.name)
            cell = cell_of(value, column, limit=most)
            if cell.media:
                values[name] = {"src": self._media_url(split, placed.number, column.name)}
            elif cell.is_cut:
                values[name] = cell.text
                cut.append(name)
            else:
                values[name] = plain(value)
        return {"row_idx": placed.number, "row": values, "truncated_cells": cut}

    def _media_url(self, split: Split, number: int, column: str) -> str:
        query = {"config": split.config, "split": split.name, "row": number, "column": column}
        return f"{settings.PUBLIC_URL}/{self.repository.path}/viewer/media?{urlencode(query)}"


class SplitsView(TableView):
    """GET /api/{kind}s/{namespace}/{name}/splits"""

    @extend_schema(summary=_("The subsets and splits of a data set"), responses=SplitsShape)
    def get(self, request: Request, repo: RepoId) -> Response:
        require_files(self.actor, self.repository)
        if self.repository.kind != Kind.DATASET:
            raise NotFoundError("Only data sets have splits.")
        oid = self.repository.store().resolve(self.repository.default_branch)
        found = splits_at(self.repository, oid).found
        return Response({"splits": [self.where(each) for each in found]})


class RowsView(TableView):
    """GET /api/{kind}s/{namespace}/{name}/rows"""

    @extend_schema(
        summary=_("Rows of a split, all or those that are asked for"),
        parameters=[CONFIG, SPLIT, OFFSET, LENGTH, *ASKED],
        responses=RowsShape,
    )
    def get(self, request: Request, repo: RepoId) -> Response:
        offset = self.number("offset", 0, 10**15)
        length = self.number("length", ROWS_LIMIT, ROWS_LIMIT)
        split, table, facts = self.split()
        query = _query(request)
        page = read_page(table, facts, first=offset, length=length, query=query)
        total = facts.rows if facts.is_done else page.length
        body = self.told(split, page, most=CELL_CHARACTERS) | {
            "num_rows_total": None if query else total,
            "num_rows_per_page": ROWS_LIMIT,
            "partial": page.is_cut or (facts.is_done and facts.is_cut),
            "next_offset": page.next_first,
        }
        return Response(body)


class FirstRowsView(TableView):
    """GET /api/{kind}s/{namespace}/{name}/first-rows"""

    @extend_schema(
        summary=_("The first rows of a split, long values cut"),
        parameters=[CONFIG, SPLIT],
        responses=RowsShape,
    )
    def get(self, request: Request, repo: RepoId) -> Response:
        split, table, facts = self.split()
        page = read_page(table, facts, first=0, length=ROWS_LIMIT)
        body = self.told(split, page, most=FIRST_CELL_CHARACTERS)
        return Response(body | {"truncated": page.next_first is not None})


class StatisticsView(TableView):
    """GET /api/{kind}s/{namespace}/{name}/statistics"""

    @extend_schema(
        summary=_("What the columns of a split hold"),
        parameters=[CONFIG, SPLIT],
        responses=StatisticsShape,
    )
    def get(self, request: Request, repo: RepoId) -> Response:
        split, _table, facts = self.split()
        body = self.where(split) | {
            "state": facts.state,
            "num_examples": facts.rows if facts.is_done else None,
            "partial": facts.is_partial,
            "statistics": [_statistics(each) for each in facts.columns],
        }
        return Response(body)


def _query(request: Request) -> Query:
    given = request.query_params
    conditions = []
    if given.get("column") and given.get("operator"):
        conditions = [(given["column"], given["operator"], given.get("value", ""))]
    return Query.of(given.get("query", ""), conditions)


def _feature(column: Column) -> dict[str, Any]:
    if column.labels:
        return {"_type": "ClassLabel", "names": [clean(each) for each in column.labels]}
    if column.type in (IMAGE, AUDIO):
        return {"_type": column.type.capitalize()}
    return {"_type": "Value", "dtype": column.dtype or _DTYPES.get(column.type, column.type)}


def _statistics(told: dict[str, Any]) -> dict[str, Any]:
    """One column under the names of the Hub's dataset viewer."""
    count = told["rows"] or 1
    found: dict[str, Any] = {
        "nan_count": told["nulls"] + told["nans"],
        "nan_proportion": (told["nulls"] + told["nans"]) / count,
    }
    spread = told.get("numbers") or told.get("lengths")
    if spread:
        histogram = spread["histogram"]
        found |= {
            "min": spread["min"],
            "max": spread["max"],
            "mean": spread["mean"],
            "median": spread["quantiles"][2],
            "std": spread["std"],
            "histogram": {"hist": histogram["counts"], "bin_edges": histogram["edges"]},
        }
    if moments := told.get("moments"):
        histogram = moments["histogram"]
        found |= {
            "min": moments["min"],
            "max": moments["max"],
            "histogram": {
                "hist": histogram["counts"],
                "bin_edges": [_moment(edge) for edge in histogram["edges"]],
            },
        }
    if "distinct" in told:
        found |= {"n_unique": told["distinct"], "n_unique_at_least": told["distinct_more"]}
    if told["top"]:
        found["frequencies"] = dict(told["top"])
    kind = told["type"] if told["type"] in (INT, "float", "bool") else _kind_word(told)
    return {"column_name": told["name"], "column_type": kind, "column_statistics": found}


def _moment(seconds: float) -> str:
    """Seconds since 1970 as the moment they are."""
    since = max(seconds, _FIRST_SECOND)
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=since)).isoformat()


def _kind_word(told: dict[str, Any]) -> str:
    if "moments" in told:
        return "datetime"
    if told["type"] == "text":
        return "string_label" if told["top"] else "string_text"
    return str(told["type"])
