"""A table as pages show it: rows, one row, what its columns hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from hub.actions.table_pages import PlacedRow, RowPage, read_page, read_row
from hub.actions.tables import Table, facts_of
from hub.errors import EntryNotFoundError, HubError
from hub.formats.errors import FormatError
from hub.formats.tables.cells import cell_of, clean
from hub.formats.tables.conditions import OPERATORS, Query
from hub.formats.tables.errors import TableError
from hub.formats.tables.rows import NULL, Column
from hub.models import TableFacts
from hub.rendering.table_charts import bars

ROWS_A_PAGE = 25
COLUMNS_SHOWN = 40
PAGE_CHARACTERS = 24_000
CELL_LEAST, CELL_MOST = 40, 300
VALUE_CHARACTERS = 100_000  # of one value where a row stands alone

WORDS = {
    "eq": gettext_lazy("is"),
    "ne": gettext_lazy("is not"),
    "contains": gettext_lazy("contains"),
    "ge": gettext_lazy("at least"),
    "le": gettext_lazy("at most"),
    "null": gettext_lazy("is empty"),
    "filled": gettext_lazy("is not empty"),
}
TYPES = {
    "int": gettext_lazy("whole number"),
    "float": gettext_lazy("number"),
    "bool": gettext_lazy("yes or no"),
    "text": gettext_lazy("text"),
    "list": gettext_lazy("list"),
    "struct": gettext_lazy("object"),
    "time": gettext_lazy("moment"),
    "bytes": gettext_lazy("bytes"),
    "image": gettext_lazy("picture"),
    "audio": gettext_lazy("sound"),
    "null": gettext_lazy("empty"),
    "mixed": gettext_lazy("mixed"),
}
FAULTS = {
    "broken": gettext_lazy("This file is not what its name says, or it is broken."),
    "encoding": gettext_lazy("This file is not UTF-8. Save it as UTF-8."),
    "columns": gettext_lazy("This file has too many columns, or two of one name."),
    "too_large": gettext_lazy("This file cannot be paged: write one row a line, or Parquet."),
    "format": gettext_lazy("The hub reads no tables in this format."),
    "empty": gettext_lazy("This file is empty."),
    "workers_died": gettext_lazy("Every worker that tried this died of it."),
}
PROBLEMS = {
    "unreadable": gettext_lazy("This row cannot be read."),
    "too_long": gettext_lazy("This row is too long to be read here."),
    "too_many": gettext_lazy("This row has more values than there are columns."),
}


@dataclass(frozen=True)
class Place:
    """Where a table is shown: the page's address, and what always stands in its query."""

    url: str
    fixed: Mapping[str, str]
    facts_url: str
    media_url: str
    media_fixed: Mapping[str, str]

    def link(self, **query: Any) -> str:
        return f"{self.url}?{urlencode([*self.fixed.items(), *pairs(query)])}"

    def facts_link(self) -> str:
        return f"{self.facts_url}?{urlencode(self.media_fixed)}"

    def media_link(self, number: int, column: str) -> str:
        query = {**self.media_fixed, "row": number, "column": column}
        return f"{self.media_url}?{urlencode(query)}"


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

    @classmethod
    def of(cls, given: QueryDict) -> Asked:
        """Raises: FormatError."""
        names, operators, values = (given.getlist(key) for key in ("c", "o", "v"))
        values += [""] * (len(operators) - len(values))
        told = zip(names, operators, values, strict=False)
        conditions = [each for each in told if each[0] and each[1]]
        wanted = [c for c in conditions if c[2] or c[1] in ("null", "filled")]
        query = Query.of(given.get("q", "").strip(), wanted)
        row = _number(given.get("row", ""))
        return cls(query, _number(given.get("from", "")) or 0, row)

    def as_query(self, without: int | None = None) -> dict[str, Any]:
        """The query again as parts of an address, maybe without one condition."""
        kept = [c for at, c in enumerate(self.query.conditions) if at != without]
        # A condition without a value keeps its place by a dash.
        values = [c.value if c.operator not in ("null", "filled") else "-" for c in kept]
        told = {"c": [c.column for c in kept], "o": [c.operator for c in kept], "v": values}
        return {"q": self.query.text, **told}


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else None


def table_context(request: HttpRequest, table: Table, place: Place) -> dict[str, Any]:
    """What `hub/table.html` needs."""
    facts = facts_of(table)
    told: dict[str, Any] = {"place": place, "facts": facts_context(facts, place)}
    try:
        asked = Asked.of(request.GET)
        if asked.row is not None:
            return told | _row_context(table, facts, asked, place)
        page = read_page(table, facts, first=asked.first, length=ROWS_A_PAGE, query=asked.query)
    except TableError as error:
        return _refused(error) if error.fault == "empty" else told | _refused(error)
    except EntryNotFoundError:
        return told | {"problem": _("There is no such row, or it is not counted yet.")}
    except FormatError as error:
        return told | {"problem": str(error)}
    return told | _page_context(facts, asked, page, place)


def _page_context(facts: TableFacts, asked: Asked, page: RowPage, place: Place) -> dict[str, Any]:
    columns = list(page.columns.values())[:COLUMNS_SHOWN]
    limit = PAGE_CHARACTERS // max(1, len(columns) * max(1, len(page.rows)))
    limit = max(CELL_LEAST, min(CELL_MOST, limit))
    statistics = {each["name"]: each for each in facts.columns} if facts.is_done else {}
    query = asked.as_query()
    return {
        "query": asked.query,
        "hidden": [*place.fixed.items()],
        "columns": [_heading(each, statistics.get(clean(each.name))) for each in columns],
        "all_columns": [clean(name) for name in page.columns][:200],
        "more_columns": max(0, len(page.columns) - COLUMNS_SHOWN),
        "operators": [(key, WORDS[key]) for key in OPERATORS],
        "chips": _chips(asked, place),
        "rows": [_shown(each, columns, place, limit) for each in page.rows],
        "first": asked.first,
        "told": _told(facts, asked, page),
        "is_unfinished": page.is_unfinished,
        "is_waiting": page.is_unfinished and not asked.query,
        "clear_url": place.link(),
        "first_url": place.link(**query) if asked.first else "",
        "previous_url": _previous(asked, place),
        "next_url": "" if page.next_first is None else place.link(**query, from_=page.next_first),
    }


def _previous(asked: Asked, place: Place) -> str:
    """The page before; one that is searched has only its beginning."""
    if not asked.first or asked.query:
        return ""
    return place.link(from_=max(0, asked.first - ROWS_A_PAGE) or None)


def _told(facts: TableFacts, asked: Asked, page: RowPage) -> str:
    """How far one sees, in words."""
    total = facts.rows if facts.is_done else page.length
    at_least = page.is_cut or (facts.is_done and facts.is_cut)
    if asked.query:
        end = page.next_first if page.next_first is not None else total
        found = ngettext("%(count)s row", "%(count)s rows", len(page.rows))
        of = _("found in rows %(first)s to %(last)s")
        if end is None or end <= asked.first:
            return found % {"count": len(page.rows)}
        last = {"first": f"{asked.first:,}", "last": f"{end - 1:,}"}
        return f"{found % {'count': len(page.rows)}} {of % last}"
    if not page.rows:
        return ""
    last_row = page.rows[-1].number
    span = {"first": f"{asked.first:,}", "last": f"{last_row:,}"}
    if total is None:
        return _("Rows %(first)s to %(last)s; the rest is being counted") % span
    text = (
        _("Rows %(first)s to %(last)s of at least %(total)s")
        if at_least
        else _("Rows %(first)s to %(last)s of %(total)s")
    )
    return text % (span | {"total": f"{total:,}"})


def _chips(asked: Asked, place: Place) -> list[dict[str, Any]]:
    return [
        {
            "column": each.column,
            "word": WORDS[each.operator],
            "value": "" if each.operator in ("null", "filled") else each.value,
            "remove_url": place.link(**asked.as_query(without=at)),
            "condition": each,
        }
        for at, each in enumerate(asked.query.conditions)
    ]


def _heading(column: Column, statistics: dict[str, Any] | None) -> dict[str, Any]:
    kind = statistics["type"] if statistics else column.type
    told = {"name": clean(column.name), "type": TYPES.get(kind, kind), "dtype": column.dtype}
    spread = (statistics or {}).get("numbers") or (statistics or {}).get("lengths")
    top = (statistics or {}).get("top") or []
    if top:
        return told | {"bars": bars([count for _value, count in top])}
    return told | {"bars": bars(spread["histogram"]["counts"]) if spread else ""}


def _shown(placed: PlacedRow, columns: list[Column], place: Place, limit: int) -> dict[str, Any]:
    values = placed.row.values
    return {
        "number": placed.number,
        "url": place.link(row=placed.number),
        "problem": PROBLEMS.get(placed.row.problem, ""),
        "cells": [_cell(values.get(c.name), c, placed, place, limit) for c in columns],
    }


def _cell(
    value: Any,
    column: Column,
    placed: PlacedRow,
    place: Place,
    limit: int,
    indent: int | None = None,
) -> dict[str, Any]:
    cell = cell_of(value, column, limit=limit, indent=indent)
    source = place.media_link(placed.number, column.name) if cell.media else ""
    return {"kind": cell.kind, "text": cell.text, "is_cut": cell.is_cut, "label": cell.label,
            "media": cell.media.partition("/")[0], "src": source,
            "is_null": cell.kind == NULL}  # fmt: skip


def _row_context(table: Table, facts: TableFacts, asked: Asked, place: Place) -> dict[str, Any]:
    number = asked.row or 0
    placed, page = read_row(table, facts, number)
    total = facts.rows if facts.is_done else page.length
    columns = list(page.columns.values())
    cells = [
        (clean(c.name), TYPES.get(c.type, c.type),
         _cell(placed.row.values.get(c.name), c, placed, place, VALUE_CHARACTERS, 2))
        for c in columns
    ]  # fmt: skip
    is_last = total is not None and number + 1 >= total
    return {
        "row": {
            "number": number,
            "cells": cells,
            "path": placed.path,
            "problem": PROBLEMS.get(placed.row.problem, ""),
            "back_url": place.link(from_=number // ROWS_A_PAGE * ROWS_A_PAGE or None),
            "previous_url": place.link(row=number - 1) if number else "",
            "next_url": "" if is_last else place.link(row=number + 1),
        }
    }


# What the columns hold -------------------------------------------------------------------------
def facts_context(facts: TableFacts, place: Place) -> dict[str, Any]:
    """What `hub/table_facts.html` needs."""
    told: dict[str, Any] = {
        "is_done": facts.is_done,
        "is_settled": facts.is_settled,
        "url": place.facts_link(),
        "problem": "",
    }
    if facts.is_settled and not facts.is_done:
        told["problem"] = FAULTS.get(facts.fault, _("The columns could not be worked out."))
    if facts.is_done:
        told |= {
            "columns": [_column_card(each) for each in facts.columns[:COLUMNS_SHOWN]],
            "more_columns": max(0, len(facts.columns) - COLUMNS_SHOWN),
            "rows": facts.rows,
            "counted_rows": facts.counted_rows,
            "broken_rows": facts.broken_rows,
            "is_partial": facts.is_partial,
            "is_cut": facts.is_cut,
        }
    return told


def _column_card(told: dict[str, Any]) -> dict[str, Any]:
    spread = told.get("numbers") or told.get("lengths")
    counts = spread["histogram"]["counts"] if spread else []
    top = told.get("top") or []
    most = max((count for _value, count in top), default=0)
    return {
        **told,
        "word": TYPES.get(told["type"], told["type"]),
        "types": [(TYPES.get(k, k), n) for k, n in told.get("types", {}).items()],
        "spread": spread,
        "is_lengths": bool(spread) and "numbers" not in told,
        "bars": bars(counts),
        "counts": ", ".join(map(str, counts)),
        "top": [(value, count, round(100 * count / most)) for value, count in top],
        "median": spread["quantiles"][2] if spread else None,
    }


def shown_or_problem(make: Any) -> dict[str, Any]:
    """What `make` gives, or why there is no table."""
    try:
        found: dict[str, Any] = make()
    except TableError as error:
        return _refused(error)
    except HubError as error:
        return {"problem": str(error)}
    return found


def _refused(error: TableError) -> dict[str, Any]:
    """Why there is no table; that nothing is in a file is no fault of it."""
    return {
        "problem": FAULTS.get(error.fault, str(error)),
        "said": str(error),
        "is_empty": error.fault == "empty",
    }
