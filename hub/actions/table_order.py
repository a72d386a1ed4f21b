"""A page of a table's rows in the order of one column, for tables that are small enough.

The order is worked out while the reader waits, over the values of that column alone, and kept for
the next page.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator
from typing import Any

from django.core.cache import cache

from hub.actions.table_pages import PAGE_BYTES, PlacedRow, RowPage, size_of
from hub.actions.tables import Table
from hub.formats.tables.conditions import Query
from hub.formats.tables.errors import BudgetSpentError, SortError
from hub.formats.tables.order import ROWS_LIMIT, Sort, require_sortable, sorted_numbers
from hub.formats.tables.rows import PASSED, Budget, Reader
from hub.jobs.table_files import VERSION, opened
from hub.jobs.tables import marks_of
from hub.models import TableFacts

SORT_SECONDS = 4.0
SORT_LIMIT_BYTES = 32 * 1024**2
_KEPT_SECONDS = 3600
# The numbers of the rows in their order, how many rows each file has, whether that is all.
_Order = tuple["array[int]", list[int], bool]


def is_sortable(table: Table, facts: TableFacts) -> bool:
    """Whether a table is small enough, as far as one knows."""
    is_long = facts.is_done and facts.rows > ROWS_LIMIT
    return table.size_bytes <= SORT_LIMIT_BYTES and not is_long


def read_sorted(
    table: Table, facts: TableFacts, *, first: int, length: int, query: Query, sort: Sort
) -> RowPage:
    """Up to `length` rows from place `first` of the order on; `length` of the page counts all.

    Raises: SortError, TableError, QueryError.
    """
    if not is_sortable(table, facts):
        raise SortError("too_large", "This table is too large to be sorted.")
    try:
        numbers, counts, is_cut = _order(table, query, sort)
        wanted = numbers[first : first + length]
        page = RowPage(first, length=len(numbers), is_cut=is_cut)
        _fill(page, table, facts, wanted, counts)
    except BudgetSpentError:
        raise SortError("too_slow", "Sorting this table takes too long just now.") from None
    end = first + len(page.rows)
    page.reached = end
    page.next_first = end if page.rows and end < len(numbers) else None
    return page


def _order(table: Table, query: Query, sort: Sort) -> _Order:
    named = repr((VERSION, table.digest, query, sort)).encode("utf-8", "replace")
    key = f"table-order:{hashlib.sha256(named).hexdigest()}"
    kept: _Order | None = cache.get(key)
    if kept is None:
        rows = _Rows(table, query, sort.column)
        numbers = sorted_numbers(rows, is_descending=sort.is_descending)
        if numbers and not rows.has_column:
            raise SortError("no_column", f"There is no column “{sort.column[:100]}”.")
        kept = numbers, rows.counts, rows.is_cut
        cache.set(key, kept, _KEPT_SECONDS)
    return kept


class _Rows:
    """Every row that is meant: its number and its value in the column."""

    def __init__(self, table: Table, query: Query, column: str) -> None:
        self._table, self._query, self._column = table, query, column
        self._is_meant = query.test()
        self._budget = Budget(SORT_SECONDS)
        self.counts: list[int] = []
        self.is_cut = False
        self.has_column = False  # rows of JSON may name one that none of the first did

    def __iter__(self) -> Iterator[tuple[int, Any]]:
        before = 0
        for part in self._table.parts:
            with opened(self._table.repository, part, self._budget) as reader:
                if not self.counts:
                    may_have_more = reader.has_more_columns
                    self._query.require_columns(reader.columns, may_have_more=may_have_more)
                    require_sortable(reader, self._column)
                self.has_column |= any(each.name == self._column for each in reader.columns)
                self.is_cut |= reader.is_cut
                self.counts.append(0)
                for number, value in self._meant(reader) if self._query else self._all(reader):
                    self._budget.spend()
                    self.has_column |= value is not None
                    yield before + number, value
            before += self.counts[-1]

    def _all(self, reader: Reader) -> Iterator[tuple[int, Any]]:
        for number, value in enumerate(reader.values(self._column)):
            self.counts[-1] = number + 1
            yield number, value

    def _meant(self, reader: Reader) -> Iterator[tuple[int, Any]]:
        for record in reader.records(query=self._query):
            self.counts[-1] = record.number + 1
            if record.content is PASSED:
                continue
            row = reader.row(record)
            if self._is_meant(row):
                yield record.number, row.values.get(self._column)


def _fill(
    page: RowPage, table: Table, facts: TableFacts, wanted: array[int], counts: list[int]
) -> None:
    """Read the rows with these numbers, as many as a page holds, in this order."""
    found: dict[int, PlacedRow] = {}
    budget, before = Budget(SORT_SECONDS), 0
    for index, (part, count) in enumerate(zip(table.parts, counts, strict=True)):
        here = sorted(number - before for number in wanted if before <= number < before + count)
        if here or (not page.columns and index == len(counts) - 1):
            with opened(table.repository, part, budget) as reader:
                page.note(reader)
                for record in reader.records_at(here, marks_of(facts, index)):
                    number = before + record.number
                    found[number] = PlacedRow(number, reader.row(record), part.path)
        before += count
    room = PAGE_BYTES
    for number in wanted:
        if number not in found or room <= 0:
            break
        room -= size_of(found[number])
        page.keep(found[number])
