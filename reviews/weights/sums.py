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
    for row in range(len(by_row)):
        _sum_row(
            old[row * width : (row + 1) * width],
            new[row * width : (row + 1) * width],
            by_row[row],
            by_column,
        )


@njit(nogil=True, cache=True, fastmath=_ANY_ORDER)
def _sum_row(
    old: Bits,
    new: Bits,
    sums: npt.NDArray[np.float64],
    by_column: npt.NDArray[np.float64],
) -> None:  # pragma: no cover - compiled
    olds = news = changes = sizes = 0.0
    for at in range(len(by_column)):
        before, after = np.float64(value(old[at])), np.float64(value(new[at]))
        change = after - before
        size = abs(change)
        olds += before * before
        news += after * after
        changes += change * change
        sizes += size
        by_column[at] = size if size > by_column[at] else by_column[at]
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
) -> tuple[int, float, float, float, float]:  # pragma: no cover - compiled
    """Of the finite numbers among bf16 codes: count, mean, deviation, smallest and largest."""
    count, total, low, high = 0, 0.0, np.inf, -np.inf
    for code in codes:
        number = np.float64(value(code))
        if np.isfinite(number):
            count, total = count + 1, total + number
            low, high = min(low, number), max(high, number)
    mean, squares = total / max(1, count), 0.0
    for code in codes:
        number = np.float64(value(code))
        if np.isfinite(number):
            squares += (number - mean) ** 2
    return count, mean, np.sqrt(squares / max(1, count)), low, high


@njit(nogil=True, cache=True)
def count_bins(
    codes: npt.NDArray[np.uint16], low: float, high: float, bins: npt.NDArray[np.int64]
) -> None:  # pragma: no cover - compiled
    """Count the bf16 codes of numbers from `low` to `high` in bins of equal width."""
    scale = len(bins) / (high - low)
    for code in codes:
        number = np.float64(value(code))
        if low <= number <= high:
            bins[min(int((number - low) * scale), len(bins) - 1)] += 1
