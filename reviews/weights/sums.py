"""Sums over the elements of two tensors in one pass, compiled and without the interpreter's lock.

Elements come as the bits of a float: 16 of bf16, 32 of float32, 64 of float64. Compiling takes a
second a combination of them; numba keeps what it compiled in NUMBA_CACHE_DIR.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit
from numba.extending import overload

Bits = npt.NDArray[np.unsignedinteger[Any]]
# Sums may be taken in any order; NaN and infinities keep their meaning.
_ANY_ORDER = {"reassoc", "contract", "nsz"}
# Elements that a count of 16 bits can hold.
_COUNTED = 1 << 12
_NOT_FINITE = np.uint16(0x7F80)


def value(bits: Any) -> Any:
    """The number that bits stand for; of compiled code only."""
    raise NotImplementedError


@overload(value)
def _value(bits):
    if bits.bitwidth == 16:
        return lambda bits: np.uint32(np.uint32(bits) << np.uint32(16)).view(np.float32)
    if bits.bitwidth == 32:
        return lambda bits: np.uint32(bits).view(np.float32)
    return lambda bits: np.uint64(bits).view(np.float64)


def magnitude(bits: Any) -> Any:
    """Bits without the sign: the larger the number, the larger they are; of compiled code only."""
    raise NotImplementedError


@overload(magnitude)
def _magnitude(bits):
    # Operations on small integers give 64 bits, which would take four times as long.
    if bits.bitwidth == 16:
        return lambda bits: np.uint16(bits & np.uint16(0x7FFF))
    if bits.bitwidth == 32:
        return lambda bits: np.uint32(bits & np.uint32(0x7FFF_FFFF))
    return lambda bits: np.uint64(bits & np.uint64(0x7FFF_FFFF_FFFF_FFFF))


@njit(nogil=True, cache=True)
def largest(bits: Bits) -> int:  # pragma: no cover - compiled
    """The bits of the largest magnitude; those of NaN and infinity are above all others."""
    found = magnitude(bits[0])
    for at in range(1, len(bits)):
        found = max(found, magnitude(bits[at]))
    return found


@njit(nogil=True, cache=True)
def count_differing(old: Bits, new: Bits) -> int:  # pragma: no cover - compiled
    """How many elements have other bits."""
    count = 0
    for start in range(0, len(old), _COUNTED):
        # Counts as narrow as the elements are added many at a time.
        some = np.uint16(0)
        for at in range(start, min(len(old), start + _COUNTED)):
            some = np.uint16(some + np.uint16(old[at] != new[at]))
        count += int(some)
    return count


@njit(nogil=True, cache=True, fastmath=_ANY_ORDER)
def row_sums(
    old: Bits,
    new: Bits,
    by_row: npt.NDArray[np.float64],
    by_column: npt.NDArray[np.float64],
) -> None:  # pragma: no cover - compiled
    """Of each row of [rows, columns]: sums of old², new², D² and |D| into `by_row`, [rows, 4].

    `by_column`, [columns], is raised to the largest |D| of each. All must be finite.
    """
    width = len(by_column)
    # Raised from one array into another: in place it becomes masked stores, which are slow.
    held, raised = by_column, np.empty(width)
    for row in range(len(by_row)):
        _sum_row(
            old[row * width : (row + 1) * width],
            new[row * width : (row + 1) * width],
            by_row[row],
            held,
            raised,
        )
        held, raised = raised, held
    if len(by_row) % 2:
        by_column[:] = held


@njit(nogil=True, cache=True, fastmath=_ANY_ORDER)
def _sum_row(
    old: Bits,
    new: Bits,
    sums: npt.NDArray[np.float64],
    held: npt.NDArray[np.float64],
    raised: npt.NDArray[np.float64],
) -> None:  # pragma: no cover - compiled
    olds = news = changes = sizes = 0.0
    for at in range(len(held)):
        before, after = np.float64(value(old[at])), np.float64(value(new[at]))
        change = after - before
        size = abs(change)
        olds += before * before
        news += after * after
        changes += change * change
        sizes += size
        raised[at] = size if size > held[at] else held[at]
    sums[0], sums[1], sums[2], sums[3] = olds, news, changes, sizes


@njit(nogil=True, cache=True)
def count_octaves(
    old: Bits, new: Bits, step: int, counts: npt.NDArray[np.int64]
) -> None:  # pragma: no cover - compiled
    """Add `step` to `counts` at the binary exponent of |D| in float32, of every `step`-th."""
    for at in range(0, len(old), step):
        change = np.float32(abs(np.float64(value(new[at])) - np.float64(value(old[at]))))
        counts[change.view(np.int32) >> 23] += step


@njit(nogil=True, cache=True)
def spread(
    codes: npt.NDArray[np.uint16],
) -> tuple[int, float, float, Any, Any]:  # pragma: no cover - compiled
    """Of the finite numbers among bf16 codes: count, mean, deviation, smallest and largest."""
    count, total, squares = 0, 0.0, 0.0
    low, high = np.float32(np.inf), np.float32(-np.inf)
    for code in codes:
        is_finite = (code & _NOT_FINITE) != _NOT_FINITE
        number = value(code)
        wide = np.float64(number) if is_finite else 0.0
        count += is_finite
        total += wide
        squares += wide * wide
        low = min(low, number if is_finite else low)
        high = max(high, number if is_finite else high)
    # Of bf16, whose neighbours lie 2^-8 of themselves apart, float64 loses nothing here.
    mean = total / max(1, count)
    return count, mean, np.sqrt(max(0.0, squares / max(1, count) - mean * mean)), low, high


@njit(nogil=True, cache=True)
def count_bins(
    codes: npt.NDArray[np.uint16], low: float, high: float, bins: npt.NDArray[np.int64]
) -> None:  # pragma: no cover - compiled
    """Count the bf16 codes of numbers from `low` to `high` in bins of equal width."""
    scale, last = len(bins) / (high - low), np.float64(len(bins) - 1)
    places = np.empty(len(codes), dtype=np.int32)
    for at in range(len(codes)):
        number = np.float64(value(codes[at]))
        place = (number - low) * scale
        place = place if place < last else last
        # One place more is of those outside; NaN is neither above nor below anything.
        is_inside = (number >= low) & (number <= high)
        places[at] = np.int32(place if is_inside else np.float64(len(bins)))
    counts = np.zeros(len(bins) + 1, dtype=np.int32)
    for at in range(len(places)):
        counts[places[at]] += 1
    bins += counts[:-1]
