"""Histograms of a tensor's values, of some at equal steps, and of the sizes of its changes."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd
from typing import Any

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]
Bf16Codes = npt.NDArray[np.uint16]

BINS = 64
# Values further out than this many standard deviations are counted, but do not widen the axis.
WIDEST = 8.0
# Elements of a tensor that are counted for the overlay: a bin with 1 % of them is known to 6 %.
SHOWN = 1 << 15
EXPONENTS = 256
# So many changed elements of a piece are counted at least before one may stand for others.
RARE = 1000
_BIAS = 127


@dataclass(frozen=True)
class Overlay:
    """Values of both sides on one axis: BINS bins of equal width from `low` to `high`.

    Every `step`-th element is counted. `beyond` counts those outside the axis, of the base and of
    the candidate.
    """

    low: float
    high: float
    base: tuple[int, ...]
    candidate: tuple[int, ...]
    beyond: tuple[int, int]
    step: int

    @classmethod
    def from_dict(cls, told: dict[str, Any]) -> Overlay:
        return cls(
            told["low"], told["high"], tuple(told["base"]), tuple(told["candidate"]),
            (told["beyond"][0], told["beyond"][1]), told["step"],
        )  # fmt: skip


@dataclass(frozen=True)
class Octaves:
    """How large the changes are: `counts[i]` elements have |D| from 2^(first + i) up to twice that.

    Elements without a change are not in it. Of large tensors the counts are estimates.
    """

    first: int
    counts: tuple[int, ...]

    @classmethod
    def from_dict(cls, told: dict[str, Any]) -> Octaves:
        return cls(told["first"], tuple(told["counts"]))


def sample_codes(bits: npt.NDArray[Any], matrix: tuple[int, int]) -> Bf16Codes:
    """The bf16 codes of some elements, given the bits of bf16, float32 or float64.

    Exact of bf16; of others the upper 16 bits of float32 are taken, so that a value lands at most
    2^-7 of itself nearer to zero: less than a bin's width.
    """
    some = bits[:: step_of(matrix)]
    if bits.dtype.itemsize == 2:
        return some.copy()
    with np.errstate(over="ignore"):
        values = some.view(f"f{bits.dtype.itemsize}").astype(np.float32)
    return (values.view(np.uint32) >> 16).astype(np.uint16)


def step_of(matrix: tuple[int, int]) -> int:
    """How many elements stand for one, so that SHOWN at least are counted."""
    rows, columns = matrix
    return _turning(rows * columns // SHOWN, columns)


def _turning(step: int, columns: int) -> int:
    """The largest step up to `step` that is coprime to the columns: each of them has its turn."""
    step = max(1, step)
    while gcd(step, columns) > 1:
        step -= 1
    return step


def octave_step(matrix: tuple[int, int], changed: int) -> int:
    """How many changes stand for one in a piece, so that RARE of them at least are counted."""
    return _turning(min(step_of(matrix), changed // RARE), matrix[1])


def overlay(base: Bf16Codes, candidate: Bf16Codes, step: int) -> Overlay | None:
    """One axis for both sides' `sample_codes`; None where nothing finite is there."""
    from reviews.weights import sums

    both = base, candidate
    spreads = [sums.spread(codes) for codes in both]
    ends = [_ends(*spread) for count, *spread in spreads if count]
    if not ends:
        return None
    low, high = min(end[0] for end in ends), max(end[1] for end in ends)
    if low == high:
        low, high = low - (abs(low) or 1.0) / 2, high + (abs(high) or 1.0) / 2
    binned = np.zeros((2, BINS), dtype=np.int64)
    for codes, bins in zip(both, binned, strict=True):
        sums.count_bins(codes, low, high, bins)
    beyond = [spread[0] - int(bins.sum()) for spread, bins in zip(spreads, binned, strict=True)]
    shown = [tuple(bins.tolist()) for bins in binned]
    return Overlay(low, high, shown[0], shown[1], (beyond[0], beyond[1]), step)


def octaves(counts: Counts) -> Octaves | None:
    """Of `count_octaves`; None where nothing changed. Changes below 2^-126 count as none."""
    present = np.flatnonzero(counts[1:] > 0) + 1
    if len(present) == 0:
        return None
    first, last = int(present[0]), int(present[-1])
    return Octaves(first - _BIAS, tuple(counts[first : last + 1].tolist()))


def _ends(mean: float, deviation: float, low: float, high: float) -> tuple[float, float]:
    reach = WIDEST * deviation
    return max(low, mean - reach), min(high, mean + reach)
