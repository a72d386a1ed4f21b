"""Rows in the order of a column: the links in the heading, and what is said of it."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from hub.actions.table_order import SORT_LIMIT_BYTES, read_sorted
from hub.actions.table_pages import RowPage, read_page
from hub.actions.tables import Table
from hub.formats.tables.cells import clean
from hub.formats.tables.errors import SortError
from hub.formats.tables.order import ROWS_LIMIT, UNORDERED, Sort
from hub.formats.tables.rows import Column
from hub.models import TableFacts
from hub.web.table_asked import ROWS_A_PAGE, Asked, Place, sort_query

_FAULTS = {
    "no_column": gettext_lazy("There is no column “%(column)s” to sort by."),
    "no_order": gettext_lazy("Values of “%(column)s” have no order."),
    "too_large": gettext_lazy(
        "This table is too large to be sorted here: at most %(rows)s rows and %(size)s MiB are. "
        "Its rows stand in their own order."
    ),
    "too_slow": gettext_lazy(
        "Sorting this table takes too long just now: try again in a moment. Its rows stand in "
        "their own order."
    ),
}


def asked_page(table: Table, facts: TableFacts, asked: Asked) -> tuple[RowPage, str]:
    """The page that is asked for, and why it is not sorted though it was to be.

    Raises: TableError, QueryError.
    """
    problem = ""
    if asked.sort:
        try:
            page = read_sorted(
                table, facts, first=asked.first, length=ROWS_A_PAGE, query=asked.query,
                sort=asked.sort,
            )  # fmt: skip
        except SortError as error:
            problem = _said(error.fault, asked.sort)
        else:
            return page, ""
    page = read_page(table, facts, first=asked.first, length=ROWS_A_PAGE, query=asked.query)
    return page, problem


def _said(fault: str, sort: Sort) -> str:
    limits = {"rows": f"{ROWS_LIMIT:,}", "size": SORT_LIMIT_BYTES // 1024**2}
    return str(_FAULTS[fault] % {"column": clean(sort.column)[:100], **limits})


def told_sorted(page: RowPage, sort: Sort) -> str:
    """How far one sees of sorted rows, in words."""
    if not page.rows:
        return ""
    text = (
        _("%(first)s to %(last)s of at least %(total)s rows, sorted by %(column)s")
        if page.is_cut
        else _("%(first)s to %(last)s of %(total)s rows, sorted by %(column)s")
    )
    span = {"first": f"{page.first + 1:,}", "last": f"{page.first + len(page.rows):,}"}
    return text % (span | {"total": f"{page.length:,}", "column": clean(sort.column)[:100]})


def heading_sort(column: Column, asked: Asked, place: Place) -> dict[str, Any]:
    """Where the heading of a column leads: up, then down, then the table's own order again."""
    if column.type in UNORDERED or column.name != clean(column.name):
        return {}
    now = asked.sort if asked.sort and asked.sort.column == column.name else None
    if now is None:
        wanted, word = Sort(column.name), _("Sort by this column, the smallest first")
    elif not now.is_descending:
        wanted, word = Sort(column.name, True), _("Sort by this column, the largest first")
    else:
        wanted, word = None, _("Back to the order of the table")
    query = asked.as_query() | {"sort": "", "order": ""} | sort_query(wanted)
    direction = "" if now is None else "descending" if now.is_descending else "ascending"
    return {"sort_url": place.link(**query), "sort_word": word, "sorted": direction}
