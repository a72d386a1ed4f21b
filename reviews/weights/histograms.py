"""Histograms of a tensor's values, of some at equal steps, and of the sizes of its changes."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd
from typing import Any

import numpy as np
import numpy.typing as npt

from reviews.weights.dtypes import Codes, Floats, decode

Counts = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]

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


def sample_codes(codes: Codes | None, values: Floats, dtype: str, step: int) -> Codes:
    """The bf16 codes of every `step`-th element.

    Exact of BF16; of other dtypes the upper 16 bits of float32 are taken, so that a value lands at
    most 2^-7 of itself nearer to zero: less than a bin's width.
    """
    if codes is None or dtype != "BF16":
        codes = values.astype(np.float32, copy=False).view(np.uint16)[1::2]
    return codes[::step].copy()


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


def count_octaves(magnitudes: Floats, changed: int, matrix: tuple[int, int]) -> Counts:
    """How often each binary exponent occurs among numbers >= 0, [EXPONENTS]; zeros come first.

    Some of the elements stand for all, RARE of those that changed at least.
    """
    step = _turning(min(step_of(matrix), changed // RARE), matrix[1])
    bits = magnitudes[::step].astype(np.float32).view(np.int32)
    return step * np.bincount(bits >> 23, minlength=EXPONENTS)


def overlay(base: Codes, candidate: Codes, step: int) -> Overlay | None:
    """One axis for both sides' `sample_codes`; None where nothing finite is there."""
    sides = [_finite(codes) for codes in (base, candidate)]
    ends = [_ends(values) for values in sides if len(values)]
    if not ends:
        return None
    low, high = min(end[0] for end in ends), max(end[1] for end in ends)
    if low == high:
        low, high = low - (abs(low) or 1.0) / 2, high + (abs(high) or 1.0) / 2
    binned = [_bins(values, low, high) for values in sides]
    beyond = [len(values) - sum(found) for values, found in zip(sides, binned, strict=True)]
    return Overlay(low, high, binned[0], binned[1], (beyond[0], beyond[1]), step)


def octaves(counts: Counts) -> Octaves | None:
    """Of `count_octaves`; None where nothing changed. Changes below 2^-126 count as none."""
    present = np.flatnonzero(counts[1:] > 0) + 1
    if len(present) == 0:
        return None
    first, last = int(present[0]), int(present[-1])
    return Octaves(first - _BIAS, tuple(counts[first : last + 1].tolist()))


def _finite(codes: Codes) -> Doubles:
    """The finite values among bf16 codes."""
    finite = codes[(codes.view(np.uint16) & 0x7F80) != 0x7F80]
    return decode(finite, "BF16").astype(np.float64)


def _ends(values: Doubles) -> tuple[float, float]:
    mean, reach = float(values.mean()), WIDEST * float(values.std())
    return max(float(values.min()), mean - reach), min(float(values.max()), mean + reach)


def _bins(values: Doubles, low: float, high: float) -> tuple[int, ...]:
    inside = values[(values >= low) & (values <= high)]
    places = ((inside - low) * (BINS / (high - low))).astype(np.int64)
    return tuple(np.bincount(np.minimum(places, BINS - 1), minlength=BINS).tolist())
