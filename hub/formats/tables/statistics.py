"""What a column holds, worked out in one pass over its values with bounded memory.

Numbers (and the lengths of texts and lists) are kept as doubles until BUDGET of them are there, so
that quantiles and histograms are exact; what follows is counted as rows only, and said to be.
"""

from __future__ import annotations

import math
import operator
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

from hub.formats.tables.cells import clean
from hub.formats.tables.rows import (
    BYTES,
    FLOAT,
    IMAGE,
    INT,
    MIXED,
    NULL,
    Column,
    Media,
    Row,
    common_type,
    type_of,
)

BUDGET = 8_000_000  # values kept: 64 MB
DISTINCT_LIMIT = 1_000
TOP = 10
BINS = 20
VALUE_LIMIT = 200  # characters of a text that is counted as a category
_DAY, _EPOCH = 86_400.0, date(1970, 1, 1).toordinal()
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


class ColumnStatistics:
    """The running statistics of one column."""

    def __init__(self, column: Column) -> None:
        self.column = column
        self.types: dict[str, int] = {}
        self.numbers = array("d")
        self.lengths = array("d")
        self.moments = array("d")  # seconds since 1970, of UTC where nothing else is said
        self.first: Any = None
        self.last: Any = None
        self.seen: dict[str, int] = {}
        self.has_more = False  # more distinct values than are told apart
        self.nans = 0
        self.low: int | float | None = None
        self.high: int | float | None = None

    @property
    def kept(self) -> int:
        return len(self.numbers) + len(self.lengths) + len(self.moments)

    def add(self, value: Any) -> None:
        kind = type_of(value)
        self.types[kind] = self.types.get(kind, 0) + 1
        if kind is INT or kind is FLOAT:
            self._add_number(value)
        elif isinstance(value, str):
            self.lengths.append(len(value))
            self._count(value if len(value) <= VALUE_LIMIT else None)
        elif isinstance(value, list | bytes):
            self.lengths.append(len(value))
        elif isinstance(value, Media):
            self.lengths.append(len(value.content or b""))
        elif value is not None and not isinstance(value, dict):
            self._count(str(value).lower() if isinstance(value, bool) else str(value))
            if isinstance(value, date):
                self._add_moment(value)

    def _add_number(self, value: int | float) -> None:
        try:
            is_number = math.isfinite(value)
        except OverflowError:
            is_number = False
        if not is_number:
            self.nans += 1
            return
        self.numbers.append(value)
        self.low = value if self.low is None or value < self.low else self.low
        self.high = value if self.high is None or value > self.high else self.high

    def _add_moment(self, value: date) -> None:
        seconds = _seconds(value)
        if not self.moments or seconds < self.first[0]:
            self.first = (seconds, value)
        if not self.moments or seconds > self.last[0]:
            self.last = (seconds, value)
        self.moments.append(seconds)

    def _count(self, value: str | None) -> None:
        count = self.seen.get(value, 0) if value is not None else 0
        if value is None or (not count and len(self.seen) >= DISTINCT_LIMIT):
            self.has_more = True
        else:
            self.seen[value] = count + 1

    def told(self) -> dict[str, Any]:
        """All of it as JSON; the values that were kept go."""
        types, count = Counter(self.types), sum(self.types.values())
        found = common_type(set(types))
        declared = self.column.type
        kind = found if declared in (NULL, MIXED) or found == MIXED else declared
        told: dict[str, Any] = {
            "name": clean(self.column.name),
            "type": kind,
            "dtype": clean(self.column.dtype),
            "rows": count,
            "nulls": types[NULL],
            "nans": self.nans,
        }
        if kind == MIXED:
            told["types"] = {name: number for name, number in types.most_common() if name != NULL}
        numbers = sorted(self.numbers)
        self.numbers = array("d")
        if numbers:
            told["numbers"] = spread(numbers) | {"min": _kept(self.low), "max": _kept(self.high)}
        different = len(set(numbers))
        distinct = different + len(self.seen)
        if types[IMAGE] + types[BYTES] == 0 and distinct:
            told["distinct"], told["distinct_more"] = distinct, self.has_more
        told["top"] = self._top(numbers, different, distinct)
        if self.moments:
            moments = spread(sorted(self.moments))
            ends = {"min": str(self.first[1])[:40], "max": str(self.last[1])[:40]}
            told["moments"] = ends | {"histogram": moments["histogram"]}
            self.moments = array("d")
        if self.lengths:
            told["lengths"] = spread(sorted(self.lengths))
            self.lengths = array("d")
        return told

    def _top(self, numbers: Sequence[float], different: int, distinct: int) -> list[list[Any]]:
        """The most frequent values with their counts, where values repeat."""
        counts = Counter(self.seen)
        if numbers and different <= 2 * TOP:
            counts.update(self._label(number) for number in numbers)
        elif numbers:
            return []
        if self.has_more or distinct == sum(counts.values()):
            return []  # all different: nothing is more frequent
        ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        return [[clean(str(value)), count] for value, count in ranked[:TOP]]

    def _label(self, number: float) -> str:
        labels = self.column.labels
        if number.is_integer() and 0 <= number < len(labels):
            return labels[int(number)]
        return f"{number:.10g}"


def _seconds(moment: date) -> float:
    """Seconds since 1970. A day begins at midnight."""
    day = moment.toordinal() - _EPOCH
    if not isinstance(moment, datetime):
        return day * _DAY
    offset = moment.utcoffset()
    within = timedelta(
        hours=moment.hour,
        minutes=moment.minute,
        seconds=moment.second,
        microseconds=moment.microsecond,
    )
    return day * _DAY + (within - (offset or timedelta())).total_seconds()


def _kept(value: int | float | None) -> int | float | None:
    """An integer only where JSON clients keep it whole."""
    return float(value) if isinstance(value, int) and abs(value) > 2**53 else value


def spread(ordered: Sequence[float]) -> dict[str, Any]:
    """Mean, deviation, quantiles and histogram of sorted finite numbers, at least one."""
    try:
        mean: float | None = math.fsum(ordered) / len(ordered)
        deviation = _deviation(ordered, mean or 0.0)
    except OverflowError:  # numbers near the largest that a double holds
        mean = deviation = None
    return {
        "min": ordered[0],
        "max": ordered[-1],
        "mean": mean,
        "std": deviation,
        "quantiles": [quantile(ordered, share) for share in QUANTILES],
        "histogram": histogram(ordered),
    }


def _deviation(ordered: Sequence[float], mean: float) -> float | None:
    """Of a sample: over n - 1. None where the squares are too large."""
    if len(ordered) < 2:
        return 0.0
    away = [value - mean for value in ordered]
    squares = math.fsum(map(operator.mul, away, away))
    return math.sqrt(squares / (len(ordered) - 1)) if math.isfinite(squares) else None


def quantile(ordered: Sequence[float], share: float) -> float:
    """Linear interpolation between neighbours, as numpy does by default."""
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    weight = place - below
    return ordered[below] * (1 - weight) + ordered[above] * weight


def histogram(ordered: Sequence[float], bins: int = BINS) -> dict[str, Any]:
    """Counts of equal bins; the last one holds its right edge too. Whole numbers of a small range
    have a bin each."""
    low, high = ordered[0], ordered[-1]
    if low == high:
        return {"edges": [low, high], "counts": [len(ordered)]}
    whole = high - low < bins and low.is_integer() and high.is_integer()
    if whole and all(value.is_integer() for value in ordered):
        edges = [low - 0.5 + at for at in range(int(high - low) + 2)]
    else:
        edges = [low * (1 - at / bins) + high * (at / bins) for at in range(bins + 1)]
    places = [0, *(bisect_left(ordered, edge) for edge in edges[1:-1]), len(ordered)]
    counts = [after - before for before, after in pairwise(places)]
    return {"edges": edges, "counts": counts}


class TableStatistics:
    """Statistics of all columns; `is_full` once no more values may be kept."""

    def __init__(self, columns: Sequence[Column], budget: int = BUDGET) -> None:
        self._columns = {column.name: ColumnStatistics(column) for column in columns}
        self._budget, self.rows, self.broken = budget, 0, 0
        self.is_full = False

    def add(self, row: Row) -> None:
        self.rows += 1
        if row.problem:
            self.broken += 1
        for name, column in self._columns.items():
            column.add(row.values.get(name))
        if self.rows % 256 == 0 or len(self._columns) > 100:
            kept = sum(column.kept for column in self._columns.values())
            self.is_full = kept >= self._budget

    def told(self) -> list[dict[str, Any]]:
        return [column.told() for column in self._columns.values()]
