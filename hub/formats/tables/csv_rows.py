"""Rows of CSV and TSV: the first line names the columns, types are those that the values have."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from math import isfinite
from typing import Any

from hub.formats.tables.conditions import Query
from hub.formats.tables.errors import TableError
from hub.formats.tables.lines import LineFile
from hub.formats.tables.rows import (
    BOOL,
    COLUMNS_LIMIT,
    FLOAT,
    INT,
    NULL,
    TEXT,
    Column,
    Mark,
    Record,
    Row,
    common_type,
    records_one_by_one,
)
from hub.formats.tables.sieve import LineSieve, could_say

_INTEGER = re.compile(r"[-+]?(?:0|[1-9]\d{0,17})\Z", re.ASCII)
_DECIMAL = re.compile(r"[-+]?(?:\d{1,30}\.?\d{0,30}|\.\d{1,30})(?:[eE][-+]?\d{1,3})?\Z", re.ASCII)
_BOOLEANS = {"true": True, "false": False}
_MISSING = frozenset(("", "na", "n/a", "nan", "null", "none"))


class Separated:
    """A table whose values are text between `delimiter`s."""

    length: int | None = None
    has_more_columns = False

    def __init__(self, file: LineFile, *, delimiter: str | None = None) -> None:
        self._file = file
        self.is_cut = file.is_cut
        # Of all that is looked for no second byte is a delimiter, a quote or the end of a line.
        self._codec = file.codec()
        heading = self._text(file.heading())
        self._delimiter = delimiter or _delimiter_of(heading)
        names = _split(heading, self._delimiter)
        if not names:
            raise TableError("broken", "The first line does not name the columns.")
        if len(names) > COLUMNS_LIMIT:
            raise TableError("columns", f"More than {COLUMNS_LIMIT} columns are not shown.")
        self._names = _unique(names)
        self.columns = self._columns()

    def records(
        self, first: int = 0, marks: tuple[Mark, ...] = (), query: Query | None = None
    ) -> Iterator[Record]:
        return self._file.sifted(first, marks, self._sieve(query) if query else None)

    def _sieve(self, query: Query) -> Callable[[bytes], bool]:
        """Whether a record may be meant: by its bytes, then by those of its cells that decide."""
        lines = LineSieve(query, self.columns, self._codec)
        wanted = query.text.casefold()
        kinds = [column.type for column in self.columns]
        asked = [
            (at, each)
            for each in query.conditions
            for at, column in enumerate(self.columns)
            if column.name == each.column
        ]
        # 1e3 is told as 1000.0, in a column of whole numbers too.
        is_number = bool(wanted) and could_say(wanted, FLOAT)
        retold = [at for at, kind in enumerate(kinds) if is_number and kind in (INT, FLOAT)]

        def passes(content: bytes) -> bool:
            if not lines.passes(content):
                return False
            if not asked and not retold:
                return True
            cells = _split(self._text(content), self._delimiter)
            if cells is None or len(cells) < len(kinds):
                return True
            if not all(each.accepts(_typed(cells[at], kinds[at])) for at, each in asked):
                return False
            return any(wanted in cell.casefold() for cell in cells) or any(
                wanted in str(_typed(cells[at], kinds[at])) for at in retold
            )

        return passes

    def _text(self, content: bytes) -> str:
        return content.decode(self._codec, "replace")

    def row(self, record: Record) -> Row:
        cells = self._cells(record)
        if isinstance(cells, str):
            return Row(record.number, {}, cells)
        values = {
            column.name: _typed(cell, column.type)
            for column, cell in zip(self.columns, cells, strict=False)
        }
        return Row(record.number, values, "too_many" if len(cells) > len(self.columns) else "")

    def values(self, name: str) -> Iterator[Any]:
        at, kind = next(
            ((at, each.type) for at, each in enumerate(self.columns) if each.name == name),
            (len(self.columns), TEXT),
        )
        for record in self.records():
            cells = self._cells(record)
            is_there = not isinstance(cells, str) and at < len(cells)
            yield _typed(cells[at], kind) if is_there else None

    def records_at(self, numbers: Sequence[int], marks: tuple[Mark, ...] = ()) -> Iterator[Record]:
        return records_one_by_one(self, numbers, marks)

    def _cells(self, record: Record) -> list[str] | str:
        """The values of a record, or what is wrong with it."""
        if record.content is None:
            return "too_long"
        cells = _split(self._text(record.content), self._delimiter)
        return "unreadable" if cells is None else cells

    def _columns(self) -> tuple[Column, ...]:
        types: list[set[str]] = [set() for _name in self._names]
        for record in self._file.sample():
            cells = self._cells(record)
            for found, cell in zip(types, [] if isinstance(cells, str) else cells, strict=False):
                found.add(_type_of(cell))
        return tuple(
            Column(name, _column_type(found))
            for name, found in zip(self._names, types, strict=True)
        )


def _delimiter_of(heading: str) -> str:
    if "," not in heading:
        for other in ("\t", ";", "|"):
            if other in heading:
                return other
    return ","


def _split(text: str, delimiter: str) -> list[str] | None:
    """The values of one record; None when they cannot be told apart."""
    try:
        return next(csv.reader([text.rstrip("\r\n")], delimiter=delimiter), [])
    except csv.Error:
        return None


def _unique(names: list[str]) -> list[str]:
    """Every name once: empty ones are numbered, repeated ones too."""
    found: dict[str, None] = {}
    for number, name in enumerate(names, start=1):
        wanted, again = name or f"column {number}", 2
        while wanted in found:
            wanted, again = f"{name or 'column'} ({again})", again + 1
        found[wanted] = None
    return list(found)


def _column_type(types: set[str]) -> str:
    common = common_type(types)
    return common if common in (INT, FLOAT, BOOL, NULL) else TEXT


def _type_of(cell: str) -> str:
    word = cell.strip()
    if word.lower() in _MISSING:
        return NULL
    if _INTEGER.match(word):
        return INT
    if _DECIMAL.match(word):
        return FLOAT
    return BOOL if word.lower() in _BOOLEANS else TEXT


def _typed(cell: str, kind: str) -> Any:
    """The value in a column of that type; text that does not fit stays text."""
    if kind == TEXT or not cell:
        return cell or None
    word = cell.strip()
    found = _type_of(word)
    if found == NULL:
        return None
    if found == INT and kind in (INT, FLOAT):
        return int(word) if kind == INT else float(word)
    if found == FLOAT and kind in (INT, FLOAT):
        number = float(word)
        return number if isfinite(number) else cell
    if found == BOOL and kind == BOOL:
        return _BOOLEANS[word.lower()]
    return cell
