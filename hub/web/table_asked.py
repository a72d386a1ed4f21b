"""What an address asks of a table, and the addresses of what it leads to."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict

from hub.formats.tables.conditions import Query
from hub.formats.tables.order import Sort
from hub.formats.tables.rows import Column

ROWS_A_PAGE = 25
DESCENDING = "desc"


@dataclass(frozen=True)
class Place:
    """Where a table is shown: the page's address, and what always stands in its query."""

    url: str
    fixed: Mapping[str, str]
    facts_url: str
    media_url: str
    search_url: str
    media_fixed: Mapping[str, str]

    def link(self, **query: Any) -> str:
        return f"{self.url}?{urlencode([*self.fixed.items(), *pairs(query)])}"

    def facts_link(self) -> str:
        return f"{self.facts_url}?{urlencode(self.media_fixed)}"

    def media_link(self, number: int, column: str) -> str:
        query = {**self.media_fixed, "row": number, "column": column}
        return f"{self.media_url}?{urlencode(query)}"

    def step_link(self, **query: Any) -> str:
        return f"{self.search_url}?{urlencode([*self.media_fixed.items(), *pairs(query)])}"


def pairs(query: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The filled ones, lists as repeated names."""
    found = []
    for name, value in query.items():
        for each in value if isinstance(value, list) else [value]:
            if each not in ("", None):
                found.append((name.rstrip("_"), str(each)))
    return found


@dataclass(frozen=True)
class Asked:
    """What the address asks of a table."""

    query: Query
    first: int
    row: int | None
    sort: Sort | None = None

    @classmethod
    def of(cls, given: QueryDict) -> Asked:
        """Raises: FormatError."""
        names, operators, values = (given.getlist(key) for key in ("c", "o", "v"))
        values += [""] * (len(operators) - len(values))
        told = zip(names, operators, values, strict=False)
        conditions = [each for each in told if each[0] and each[1]]
        wanted = [c for c in conditions if c[2] or c[1] in ("null", "filled")]
        query = Query.of(given.get("q", "").strip(), wanted)
        row = number_of(given.get("row", ""))
        by = given.get("sort", "")
        sort = Sort(by, given.get("order") == DESCENDING) if by else None
        return cls(query, number_of(given.get("from", "")) or 0, row, sort)

    def as_query(self, without: int | None = None) -> dict[str, Any]:
        """The query again as parts of an address, maybe without one condition."""
        kept = [c for at, c in enumerate(self.query.conditions) if at != without]
        # A condition without a value keeps its place by a dash.
        values = [c.value if c.operator not in ("null", "filled") else "-" for c in kept]
        told = {"c": [c.column for c in kept], "o": [c.operator for c in kept], "v": values}
        return {"q": self.query.text, **told, **sort_query(self.sort)}


def sort_query(sort: Sort | None) -> dict[str, str]:
    """An order as parts of an address."""
    if sort is None:
        return {}
    return {"sort": sort.column, "order": DESCENDING if sort.is_descending else ""}


@dataclass(frozen=True)
class Sofar:
    """What earlier steps of a search have found: rows below one heading, from row `begin` on."""

    begin: int = 0
    found: int = 0
    cols: str = ""

    @classmethod
    def of(cls, given: QueryDict) -> Sofar:
        found = min(number_of(given.get("found", "")) or 0, ROWS_A_PAGE - 1)
        return cls(number_of(given.get("begin", "")) or 0, found, given.get("cols", "")[:16])


def digest_of(columns: Sequence[Column]) -> str:
    """Short, and the same where a heading of columns is."""
    names = "\0".join(column.name for column in columns)
    return hashlib.sha256(names.encode("utf-8", "replace")).hexdigest()[:16]


def number_of(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else None
