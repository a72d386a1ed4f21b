"""What readers of tables give: columns, records, rows; and a clock that ends a search."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from hub.formats.tables.errors import BudgetSpentError

if TYPE_CHECKING:
    from hub.formats.tables.conditions import Query

COLUMNS_LIMIT = 1_000
RECORD_LIMIT_BYTES = 4 * 1024**2
SAMPLE_ROWS = 200
SAMPLE_BYTES = 1024**2

# Types of columns, as people read them.
INT, FLOAT, BOOL, TEXT = "int", "float", "bool", "text"
LIST, STRUCT, TIME, BYTES = "list", "struct", "time", "bytes"
IMAGE, AUDIO, NULL, MIXED = "image", "audio", "null", "mixed"


@dataclass(frozen=True, slots=True)
class Column:
    """`dtype` is the file's own word for it, or ""; `labels` name the values of a class label."""

    name: str
    type: str
    dtype: str = ""
    labels: tuple[str, ...] = ()


class Record(NamedTuple):
    """One row before it is decoded: its number in the file, and where it begins.

    `content` is the reader's own; None stands for what is too long to be read.
    """

    number: int
    at: int
    content: Any


class Row(NamedTuple):
    """`problem` is "", "unreadable", "too_long" or "too_many" (values for the columns)."""

    number: int
    values: dict[str, Any]
    problem: str = ""


@dataclass(slots=True)
class Media:
    """A picture or a sound inside a row: its bytes, or where they lie."""

    content: bytes | None
    path: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """A row of a file, and the byte where it begins."""

    row: int = 0
    at: int = 0


# Content of a record that stands for the rows up to it which a query cannot mean.
PASSED = object()


class Reader(Protocol):
    """One file. `length` is the number of its rows where the file says it; `is_cut` where only
    the beginning can be read; `has_more_columns` where rows may have others than `columns`."""

    columns: tuple[Column, ...]
    length: int | None
    is_cut: bool
    has_more_columns: bool

    def records(
        self, first: int = 0, marks: tuple[Mark, ...] = (), query: Query | None = None
    ) -> Iterator[Record]:
        """Records from number `first` on, found from the nearest of `marks` before it.

        With a `query` some that it cannot mean are PASSED over; the others may be meant.
        """

    def row(self, record: Record) -> Row:
        """Decode one."""

    def values(self, name: str) -> Iterator[Any]:
        """The values of one column, None where a row has none: one for each row."""

    def records_at(self, numbers: Sequence[int], marks: tuple[Mark, ...] = ()) -> Iterator[Record]:
        """The records of these rows, which ascend."""


@dataclass
class Budget:
    """What one request may spend on looking; the worker's is endless."""

    seconds: float
    ends_at: float = field(init=False)
    _count: int = 0

    def __post_init__(self) -> None:
        self.ends_at = time.monotonic() + self.seconds

    def spend(self) -> None:
        """Raises: BudgetSpentError."""
        self._count += 1
        if self._count % 64 == 0 and time.monotonic() > self.ends_at:
            raise BudgetSpentError

    def require(self) -> None:
        """The same for steps that are long by themselves."""
        if time.monotonic() > self.ends_at:
            raise BudgetSpentError


def type_of(value: Any) -> str:
    """The type of one value, as columns are named; what is none of Python's own is a moment."""
    return _TYPES.get(type(value), TIME)


_TYPES: dict[type, str] = {
    type(None): NULL,
    bool: BOOL,
    int: INT,
    float: FLOAT,
    str: TEXT,
    list: LIST,
    dict: STRUCT,
    bytes: BYTES,
    Media: IMAGE,
}


def common_type(types: set[str]) -> str:
    """What a column is called whose values have these types."""
    types = types - {NULL}
    if not types:
        return NULL
    if len(types) == 1:
        return next(iter(types))
    return FLOAT if types == {INT, FLOAT} else MIXED


def values_by_row(reader: Reader, name: str) -> Iterator[Any]:
    """`Reader.values` of a format that decodes whole rows only."""
    return (reader.row(record).values.get(name) for record in reader.records())


def records_one_by_one(
    reader: Reader, numbers: Sequence[int], marks: tuple[Mark, ...]
) -> Iterator[Record]:
    """`Reader.records_at` of a format that goes to any row from the nearest mark."""
    if marks:
        for number in numbers:
            yield from islice(reader.records(number, marks), 1)
    elif numbers:
        wanted = set(numbers)
        for record in islice(reader.records(), numbers[-1] + 1):
            if record.number in wanted:
                yield record


def nearest(first: int, marks: tuple[Mark, ...]) -> Mark:
    """The last mark at or before row `first`."""
    best = Mark()
    for mark in marks:
        if mark.row > first:
            break
        best = mark
    return best
