"""Rows of JSON lines, and of JSON documents that are small enough to be read whole."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, Any

from hub.formats.tables.conditions import Query
from hub.formats.tables.errors import TableError
from hub.formats.tables.lines import LineFile
from hub.formats.tables.rows import (
    COLUMNS_LIMIT,
    MIXED,
    Column,
    Mark,
    Record,
    Row,
    common_type,
    records_one_by_one,
    type_of,
    values_by_row,
)
from hub.formats.tables.sieve import LineSieve

DOCUMENT_LIMIT_BYTES = 8 * 1024**2
VALUE = "value"  # the column of rows that are no objects


def decode(content: bytes) -> Any:
    """One JSON value. Raises: ValueError for whatever is wrong with it."""
    try:
        return json.loads(content.decode("utf-8", "replace"))
    except RecursionError:
        raise ValueError("nested too deeply") from None


class JsonLines:
    """A row a line. Names of columns are those that the first rows have."""

    length: int | None = None
    has_more_columns = True

    def __init__(self, file: LineFile) -> None:
        self._file = file
        self.is_cut = file.is_cut
        self.columns = columns_of(self.row(each).values for each in file.sample())

    def records(
        self, first: int = 0, marks: tuple[Mark, ...] = (), query: Query | None = None
    ) -> Iterator[Record]:
        sieve = LineSieve(query, [Column("", MIXED)]) if query else None
        return self._file.sifted(first, marks, sieve.passes if sieve else None)

    def row(self, record: Record) -> Row:
        return json_row(record)

    def values(self, name: str) -> Iterator[Any]:
        return values_by_row(self, name)

    def records_at(self, numbers: Sequence[int], marks: tuple[Mark, ...] = ()) -> Iterator[Record]:
        return records_one_by_one(self, numbers, marks)


def json_row(record: Record) -> Row:
    if record.content is None:
        return Row(record.number, {}, "too_long")
    try:
        value = decode(record.content)
    except ValueError:
        return Row(record.number, {}, "unreadable")
    return as_row(record.number, value)


def as_row(number: int, value: Any) -> Row:
    if not isinstance(value, dict):
        return Row(number, {VALUE: value})
    if len(value) > COLUMNS_LIMIT:
        return Row(number, {}, "too_many")
    return Row(number, value)


def columns_of(rows: Iterable[dict[str, Any]]) -> tuple[Column, ...]:
    """The columns that these rows have, in the order of their first appearance."""
    types: dict[str, set[str]] = {}
    for values in rows:
        for name, value in values.items():
            if name in types or len(types) < COLUMNS_LIMIT:
                types.setdefault(name, set()).add(type_of(value))
    return tuple(Column(name, common_type(found)) for name, found in types.items())


class JsonDocument:
    """One document: a list of rows, an object with such a list, or an object of columns."""

    is_cut = False
    has_more_columns = True

    def __init__(self, file: IO[bytes], size_bytes: int) -> None:
        if size_bytes > DOCUMENT_LIMIT_BYTES:
            raise TableError(
                "too_large",
                f"A JSON document of more than {DOCUMENT_LIMIT_BYTES} bytes cannot be paged: "
                "write one row a line (JSON lines).",
            )
        try:
            found = decode(file.read(DOCUMENT_LIMIT_BYTES))
        except ValueError as error:
            raise TableError("broken", "This is not valid JSON.") from error
        self._rows = _rows_in(found)
        self.length: int | None = len(self._rows)
        self.columns = columns_of(as_row(0, each).values for each in self._rows[:1000])

    def records(
        self, first: int = 0, marks: tuple[Mark, ...] = (), query: Query | None = None
    ) -> Iterator[Record]:
        for number in range(first, len(self._rows)):
            yield Record(number, 0, self._rows[number])

    def row(self, record: Record) -> Row:
        return as_row(record.number, record.content)

    def values(self, name: str) -> Iterator[Any]:
        return values_by_row(self, name)

    def records_at(self, numbers: Sequence[int], marks: tuple[Mark, ...] = ()) -> Iterator[Record]:
        return records_one_by_one(self, numbers, marks)


def _rows_in(found: Any) -> list[Any]:
    if isinstance(found, list):
        return found
    if not isinstance(found, dict):
        return [found]
    lists = {name: each for name, each in found.items() if isinstance(each, list)}
    if lists and len(lists) == len(found) and len({len(each) for each in lists.values()}) == 1:
        names = list(lists)
        return [dict(zip(names, cells, strict=True)) for cells in zip(*lists.values(), strict=True)]
    inner = [each for each in lists.values() if each and all(isinstance(e, dict) for e in each)]
    return inner[0] if len(inner) == 1 else [found]
