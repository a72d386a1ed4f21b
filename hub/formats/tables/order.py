"""The order of a table's rows by the values of one column: numbers by size, empty ones last."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, time, timedelta
from math import isnan
from typing import Any

from hub.formats.tables.errors import SortError
from hub.formats.tables.rows import AUDIO, BYTES, IMAGE, LIST, STRUCT, Reader

# What is held while rows are sorted: a key each, which of a text is its beginning.
ROWS_LIMIT = 100_000
KEY_CHARACTERS = 64
UNORDERED = frozenset((LIST, STRUCT, BYTES, IMAGE, AUDIO))
_Key = tuple[int, Any]


@dataclass(frozen=True)
class Sort:
    """By which column, and whether the largest come first."""

    column: str
    is_descending: bool = False


def require_sortable(reader: Reader, column: str) -> None:
    """Refuse a column that is not there or whose values have no order. Raises: SortError."""
    known = {each.name: each for each in reader.columns}
    if column not in known and not reader.has_more_columns:
        raise SortError("no_column", f"There is no column “{column[:100]}”.")
    if column in known and known[column].type in UNORDERED:
        raise SortError("no_order", f"Values of “{column[:100]}” have no order.")


def sorted_numbers(rows: Iterable[tuple[int, Any]], *, is_descending: bool) -> array[int]:
    """The numbers of rows in the order of their values; equal ones in the order of the table.

    What is empty, or has no order, comes last in both directions. Raises: SortError when there are
    more than ROWS_LIMIT.
    """
    keyed: list[tuple[_Key, int]] = []
    last: list[int] = []
    for number, value in rows:
        if len(keyed) + len(last) >= ROWS_LIMIT:
            raise SortError("too_large", f"More than {ROWS_LIMIT} rows are not sorted.")
        key = key_of(value)
        if key is None:
            last.append(number)
        else:
            keyed.append((key, number))
    keyed.sort(key=lambda each: each[0], reverse=is_descending)
    return array("Q", (*(number for _key, number in keyed), *last))


def key_of(value: Any) -> _Key | None:
    """What a value is compared by: numbers before moments before text; None for what has no order.

    Text is compared whatever its case.
    """
    if isinstance(value, int | float):
        return None if isnan(value) else (0, value)
    if isinstance(value, timedelta):
        return 0, value.total_seconds()
    if isinstance(value, date | time):
        return 1, value.isoformat()
    return (2, value[:KEY_CHARACTERS].casefold()) if isinstance(value, str) else None
