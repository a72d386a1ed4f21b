"""A page of a table's rows: from any row on, or those that a query asks for, in bounded time."""

from __future__ import annotations

from dataclasses import dataclass, field

from hub.actions.tables import Table
from hub.errors import EntryNotFoundError
from hub.formats.tables.conditions import Query
from hub.formats.tables.errors import BudgetSpentError
from hub.formats.tables.rows import (
    COLUMNS_LIMIT,
    PASSED,
    Budget,
    Column,
    Media,
    Reader,
    Row,
)
from hub.jobs.table_files import TablePart, opened
from hub.jobs.tables import marks_of
from hub.models import TableFacts

PAGE_SECONDS = 1.0
SEARCH_SECONDS = 0.6
PAGE_BYTES = 8 * 1024**2  # of the values of one page


@dataclass(frozen=True)
class PlacedRow:
    """A row with its number in the table, and where it lies: the file, and its number there."""

    number: int
    row: Row
    path: str


@dataclass
class RowPage:
    """Rows from `first` on. `next_first` is where to go on; `is_unfinished`: time was up before
    the page was full. Rows before `reached` were looked at. `length` is that of the table, where
    the files say it."""

    first: int
    rows: list[PlacedRow] = field(default_factory=list)
    columns: dict[str, Column] = field(default_factory=dict)
    next_first: int | None = None
    reached: int = 0
    is_unfinished: bool = False
    is_cut: bool = False
    length: int | None = None

    def note(self, reader: Reader) -> None:
        for column in reader.columns:
            self.columns.setdefault(column.name, column)
        self.is_cut |= reader.is_cut

    def keep(self, placed: PlacedRow) -> None:
        """One more row; it may have columns that no other had."""
        self.rows.append(placed)
        for name in placed.row.values:
            if name not in self.columns and len(self.columns) < COLUMNS_LIMIT:
                self.columns[name] = Column(name, "mixed")


def read_page(
    table: Table, facts: TableFacts, *, first: int, length: int, query: Query | None = None
) -> RowPage:
    """Up to `length` rows from row `first` on that `query` asks for.

    Raises: TableError, QueryError.
    """
    page, budget = RowPage(first), Budget(SEARCH_SECONDS if query else PAGE_SECONDS)
    reading = _Reading(table, facts, page, length, query or Query(), budget)
    try:
        reading.go()
    except BudgetSpentError:
        page.is_unfinished = True
        page.next_first = reading.reached
    page.reached = reading.reached
    return page


class _Reading:
    """One walk over the files of a table, until the page is full."""

    def __init__(
        self,
        table: Table,
        facts: TableFacts,
        page: RowPage,
        length: int,
        query: Query,
        budget: Budget,
    ) -> None:
        self._table, self._facts, self._page = table, facts, page
        self._length, self._query, self._budget = length, query, budget
        self._is_meant = query.test()
        self._room = PAGE_BYTES
        self.reached = page.first  # the row where another page would go on
        self._seen = 0  # rows of the file that was read last, once that is at its end

    def go(self) -> None:
        before = 0
        for index, part in enumerate(self._table.parts):
            count = self._facts.counts[index] if self._facts.is_done else None
            if count is None or self._page.first < before + count or self._is_last(index):
                with opened(self._table.repository, part, self._budget) as reader:
                    if not self._page.columns:
                        self._query.require_columns(
                            reader.columns, may_have_more=reader.has_more_columns
                        )
                    self._page.note(reader)
                    count = reader.length if count is None else count
                    if self._is_filled_by(reader, part, index, before):
                        return
                    count = self._seen if count is None else count
            before += count
        self._page.length = before if self._facts.is_done else self._page.length

    def _is_last(self, index: int) -> bool:
        """The last file is opened in any case: something has to name the columns."""
        return index == len(self._table.parts) - 1 and not self._page.columns

    def _is_filled_by(self, reader: Reader, part: TablePart, index: int, before: int) -> bool:
        if len(self._table.parts) == 1:
            self._page.length = reader.length
        wanted = max(0, self._page.first - before)
        is_known = self._facts.is_done or reader.length is not None
        marks = marks_of(self._facts, index)
        self._seen = 0
        for record in reader.records(wanted if is_known else 0, marks, self._query or None):
            number, self._seen = before + record.number, record.number + 1
            if number < self._page.first:
                continue
            if record.content is PASSED:
                self.reached = number + 1
                continue
            self._budget.spend()
            if len(self._page.rows) == self._length or self._room <= 0:
                self._page.next_first = number
                return True
            row = reader.row(record)
            self.reached = number + 1
            if self._is_meant(row):
                placed = PlacedRow(number, row, part.path)
                self._page.keep(placed)
                self._room -= size_of(placed)
        return False


def size_of(placed: PlacedRow) -> int:
    """About how many bytes the values of a row take."""
    return sum(_size(value) for value in placed.row.values.values())


def _size(value: object) -> int:
    if isinstance(value, str | bytes):
        return len(value)
    if isinstance(value, Media):
        return len(value.content or b"")
    return 64


def read_row(table: Table, facts: TableFacts, number: int) -> tuple[PlacedRow, RowPage]:
    """One row. Raises: EntryNotFoundError when the table has no such row, TableError."""
    page = read_page(table, facts, first=number, length=1)
    if not page.rows:
        raise EntryNotFoundError(f"There is no row {number} here, or it is not counted yet.")
    return page.rows[0], page


def read_media(table: Table, facts: TableFacts, number: int, column: str) -> Media:
    """A picture or sound of a row. Raises: EntryNotFoundError, TableError."""
    placed, _page = read_row(table, facts, number)
    found = placed.row.values.get(column)
    if not isinstance(found, Media) or not found.content:
        raise EntryNotFoundError("There is no picture and no sound here.")
    return found
