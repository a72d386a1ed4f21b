"""A table as pages show it: rows, one row, what its columns hold."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from hub.actions.table_order import is_sortable
from hub.actions.table_pages import PlacedRow, RowPage, read_page, read_row
from hub.actions.tables import Table, facts_of
from hub.errors import EntryNotFoundError, HubError
from hub.formats.errors import FormatError
from hub.formats.tables.cells import cell_of, clean
from hub.formats.tables.conditions import OPERATORS
from hub.formats.tables.errors import QueryError, TableError
from hub.formats.tables.rows import NULL, Column
from hub.models import TableFacts
from hub.rendering.table_charts import bars
from hub.web.table_asked import ROWS_A_PAGE, Asked, Place, Sofar, digest_of, pairs, sort_query
from hub.web.table_facts import COLUMNS_SHOWN, FAULTS, TYPES, facts_context
from hub.web.table_sorting import asked_page, heading_sort, told_sorted

WAIT_SECONDS = 2  # until a search asks again that has to wait for a worker's marks
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
QUERY_FAULTS = {
    "no_column": gettext_lazy("There is no column “%(column)s”."),
    "no_number": gettext_lazy("“%(value)s” is no number, and “%(column)s” holds numbers."),
    "no_moment": gettext_lazy("“%(value)s” is no moment, and “%(column)s” holds moments."),
    "no_truth": gettext_lazy("“%(column)s” holds true and false only."),
    "no_order": gettext_lazy("Values of “%(column)s” have no order."),
}
PROBLEMS = {
    "unreadable": gettext_lazy("This row cannot be read."),
    "too_long": gettext_lazy("This row is too long to be read here."),
    "too_many": gettext_lazy("This row has more values than there are columns."),
}


def table_context(request: HttpRequest, table: Table, place: Place) -> dict[str, Any]:
    """What `hub/table.html` needs."""
    facts = facts_of(table)
    told: dict[str, Any] = {
        "place": place, "facts": facts_context(facts, place, is_awaited=False),
    }  # fmt: skip
    try:
        asked = Asked.of(request.GET)
        if asked.row is not None:
            return told | _row_context(table, facts, asked, place)
        page, unsorted = asked_page(table, facts, asked)
    except TableError as error:
        return _no_table(error) if error.fault == "empty" else told | _no_table(error)
    except QueryError as error:
        return told | {"problem": _refused(error)}
    except EntryNotFoundError:
        return told | {"problem": _("There is no such row, or it is not counted yet.")}
    except FormatError as error:
        return told | {"problem": str(error)}
    if unsorted:
        asked = replace(asked, sort=None)
    shown = _page_context(table, facts, asked, page, place) | {"unsorted": unsorted}
    if shown["is_counting"]:
        told["facts"] = facts_context(facts, place, is_awaited=True)
    return told | shown


def _refused(error: QueryError) -> str:
    asked = error.condition
    told = {"column": clean(asked.column)[:100], "value": clean(asked.value)}
    return str(QUERY_FAULTS[error.fault] % told)


def step_context(request: HttpRequest, table: Table, place: Place) -> dict[str, Any]:
    """What `hub/table_step.html` needs: a search that goes on from where the last step ended."""
    asked = Asked.of(request.GET)
    sofar = Sofar.of(request.GET)
    facts, length = facts_of(table), ROWS_A_PAGE - sofar.found
    page = read_page(table, facts, first=asked.first, length=length, query=asked.query)
    told = _page_context(table, facts, asked, page, place, sofar)
    # Rows of other columns do not fit below those that were found.
    if sofar.found and page.rows and told["cols"] != sofar.cols:
        return {"table": _stopped(asked, sofar, place)}
    return {
        "table": told,
        "is_whole": not sofar.found and (page.rows or not page.is_unfinished),
        "is_more": sofar.found and page.rows,
    }


def _stopped(asked: Asked, sofar: Sofar, place: Place) -> dict[str, Any]:
    """A search that ends before its end, with the way on."""
    found = ngettext("%(count)s row", "%(count)s rows", sofar.found) % {"count": sofar.found}
    where = _("found in rows %(first)s to %(last)s")
    span = {"first": f"{sofar.begin:,}", "last": f"{max(sofar.begin, asked.first - 1):,}"}
    return {
        "told": f"{found} {where % span}",
        "is_unfinished": True,
        "next_url": place.link(**asked.as_query(), from_=asked.first),
    }


def _page_context(
    table: Table,
    facts: TableFacts,
    asked: Asked,
    page: RowPage,
    place: Place,
    sofar: Sofar | None = None,
) -> dict[str, Any]:
    sofar = sofar or Sofar(begin=asked.first)
    columns = list(page.columns.values())[:COLUMNS_SHOWN]
    limit = PAGE_CHARACTERS // max(1, len(columns) * max(1, len(page.rows)))
    limit = max(CELL_LEAST, min(CELL_MOST, limit))
    statistics = {each["name"]: each for each in facts.columns} if facts.is_done else {}
    query, may_sort = asked.as_query(), is_sortable(table, facts)
    return {
        "query": asked.query,
        "hidden": [*place.fixed.items(), *pairs(sort_query(asked.sort))],
        "columns": [
            _heading(each, statistics.get(clean(each.name)))
            | (heading_sort(each, asked, place) if may_sort else {})
            for each in columns
        ],
        "is_too_large_to_sort": not may_sort,
        "all_columns": [clean(name) for name in page.columns][:200],
        "more_columns": max(0, len(page.columns) - COLUMNS_SHOWN),
        "operators": [(key, WORDS[key]) for key in OPERATORS],
        "chips": _chips(asked, place),
        "rows": [_shown(each, columns, place, limit) for each in page.rows],
        "first": asked.first,
        "cols": digest_of(columns),
        "told": told_sorted(page, asked.sort) if asked.sort else _told(facts, asked, page, sofar),
        "is_counting": bool(page.rows) and not asked.query and _total(facts, page) is None,
        "search": _search(table, facts, asked, page, place, sofar),
        "is_unfinished": page.is_unfinished,
        "is_waiting": page.is_unfinished and not asked.query,
        "clear_url": place.link(),
        "first_url": place.link(**query) if sofar.begin else "",
        "previous_url": _previous(asked, place),
        "next_url": "" if page.next_first is None else place.link(**query, from_=page.next_first),
    }


def _previous(asked: Asked, place: Place) -> str:
    """The page before; one that is searched has only its beginning."""
    if not asked.first or (asked.query and not asked.sort):
        return ""
    return place.link(**asked.as_query(), from_=max(0, asked.first - ROWS_A_PAGE) or None)


def _search(
    table: Table, facts: TableFacts, asked: Asked, page: RowPage, place: Place, sofar: Sofar
) -> dict[str, Any] | None:
    """How a search goes on by itself; None where it is at its end."""
    if not (asked.query and page.is_unfinished):
        return None
    columns = list(page.columns.values())[:COLUMNS_SHOWN]
    url = place.step_link(
        **asked.as_query(),
        from_=page.reached,
        begin=sofar.begin,
        found=sofar.found + len(page.rows),
        cols=digest_of(columns) if page.rows else sofar.cols,
        commit=table.oid,
    )
    is_waiting = page.reached <= asked.first
    return {
        "url": url,
        "trigger": f"load delay:{WAIT_SECONDS}s" if is_waiting else "load",
        "reached": page.reached,
        "total": _total(facts, page),
    }


def _told(facts: TableFacts, asked: Asked, page: RowPage, sofar: Sofar) -> str:
    """How far one sees, in words."""
    total = _total(facts, page)
    at_least = page.is_cut or (facts.is_done and facts.is_cut)
    if asked.query:
        count = sofar.found + len(page.rows)
        found = ngettext("%(count)s row", "%(count)s rows", count) % {"count": count}
        if page.is_unfinished:
            seen = {"seen": f"{page.reached:,}", "total": f"{total or 0:,}"}
            looked = (
                _("looked at %(seen)s of %(total)s rows") if total else _("looked at %(seen)s rows")
            )
            return f"{found} · {looked % seen}"
        end = page.next_first if page.next_first is not None else total
        of = _("found in rows %(first)s to %(last)s")
        if end is None or end <= sofar.begin:
            return found
        last = {"first": f"{sofar.begin:,}", "last": f"{end - 1:,}"}
        return f"{found} {of % last}"
    if not page.rows:
        return ""
    last_row = page.rows[-1].number
    span = {"first": f"{asked.first:,}", "last": f"{last_row:,}"}
    if total is None:
        return _("Rows %(first)s to %(last)s") % span
    text = (
        _("Rows %(first)s to %(last)s of at least %(total)s")
        if at_least
        else _("Rows %(first)s to %(last)s of %(total)s")
    )
    return text % (span | {"total": f"{total:,}"})


def _total(facts: TableFacts, page: RowPage) -> int | None:
    return facts.rows if facts.is_done else page.length


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
    known = statistics or {}
    spread = known.get("numbers") or known.get("moments") or known.get("lengths")
    top = known.get("top") or []
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
    total = _total(facts, page)
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


def shown_or_problem(make: Any) -> dict[str, Any]:
    """What `make` gives, or why there is no table."""
    try:
        found: dict[str, Any] = make()
    except TableError as error:
        return _no_table(error)
    except HubError as error:
        return {"problem": str(error)}
    return found


def _no_table(error: TableError) -> dict[str, Any]:
    """Why there is no table; that nothing is in a file is no fault of it."""
    return {
        "problem": FAULTS.get(error.fault, str(error)),
        "said": str(error),
        "is_empty": error.fault == "empty",
    }
