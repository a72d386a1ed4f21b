"""The numbers of one tensor: moments, extremes, what is zero or not finite, quantiles, histogram.

One pass over pieces. Quantiles and the histogram come from counts of the upper 16 bits of float32,
which are exact of bf16 and fp8, and otherwise place a value at most 2^-7 of itself nearer to zero.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from math import sqrt
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from reviews.weights.dtypes import Floats
from reviews.weights.histograms import BINS, WIDEST
from reviews.weights.tensors import Tensor

VERSION = 1
QUANTILES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)
SMALL = 1e-6  # of the largest magnitude: what a sparse format would drop
_CODES = 1 << 16


@dataclass(frozen=True)
class TensorNumbers:
    """Moments are over the finite elements; None where there are none.

    `near_zero` counts elements below SMALL of the largest magnitude (from the counts), zeros among
    them. `histogram` has BINS equal bins from `low` to `high`; `beyond` elements lie outside.
    """

    count: int
    nan: int
    inf: int
    zeros: int
    near_zero: int
    mean: float | None
    deviation: float | None
    norm: float | None
    least: float | None
    largest: float | None
    quantiles: tuple[float, ...]
    low: float
    high: float
    histogram: tuple[int, ...]
    beyond: int

    @property
    def sparsity(self) -> float | None:
        return self.zeros / self.count if self.count else None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, told: dict[str, Any]) -> Self:
        held = {each.name: told[each.name] for each in fields(cls)}
        return cls(**held | {n: tuple(held[n]) for n in ("quantiles", "histogram")})


class _Sums:
    def __init__(self) -> None:
        self.codes = np.zeros(_CODES, dtype=np.int64)
        self.nan = self.inf = self.zeros = self.finite = 0
        self.total = self.squares = 0.0
        self.least, self.largest = np.inf, -np.inf

    def add(self, values: Floats) -> None:
        finite = np.isfinite(values)
        if not finite.all():
            nan = int(np.isnan(values).sum())
            self.nan += nan
            self.inf += len(values) - int(finite.sum()) - nan
            values = values[finite]
        if not len(values):
            return
        doubles = values.astype(np.float64, copy=False)
        self.finite += len(values)
        self.zeros += len(values) - int(np.count_nonzero(values))
        self.total += float(doubles.sum())
        self.squares += float(np.dot(doubles, doubles))
        self.least = min(self.least, float(doubles.min()))
        self.largest = max(self.largest, float(doubles.max()))
        with np.errstate(over="ignore"):
            bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
        self.codes += np.bincount(bits >> 16, minlength=_CODES)


def tensor_numbers(tensor: Tensor, keep: Callable[[], None] = lambda: None) -> TensorNumbers:
    """All of it, in one pass; `keep` is called after each piece.

    Raises: WeightsError: dtype_not_decoded, file_cut_off.
    """
    sums = _Sums()
    for start, stop in tensor.pieces():
        sums.add(tensor.values(start, stop))
        keep()
    return _finished(sums, tensor.count)


def _finished(sums: _Sums, count: int) -> TensorNumbers:
    values, counts = _in_order(sums.codes)
    mean = sums.total / sums.finite if sums.finite else None
    deviation = None
    if mean is not None:
        deviation = sqrt(max(0.0, sums.squares / sums.finite - mean * mean))
    reach = max(abs(sums.least), abs(sums.largest)) if sums.finite else 0.0
    low, high = _axis(sums, mean or 0.0, deviation or 0.0)
    held = (values >= low) & (values <= high)
    histogram, _edges = np.histogram(values[held], BINS, (low, high), weights=counts[held])
    return TensorNumbers(
        count=count,
        nan=sums.nan,
        inf=sums.inf,
        zeros=sums.zeros,
        near_zero=int(counts[np.abs(values) < SMALL * reach].sum()) if reach else sums.zeros,
        mean=mean,
        deviation=deviation,
        norm=sqrt(sums.squares) if sums.finite else None,
        least=sums.least if sums.finite else None,
        largest=sums.largest if sums.finite else None,
        quantiles=_quantiles(values, counts, sums) if sums.finite else (),
        low=low,
        high=high,
        histogram=tuple(int(each) for each in histogram),
        beyond=int(counts[~held].sum()),
    )


def _in_order(codes: npt.NDArray[np.int64]) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    """The numbers that stand for the codes that occur, the least first, and how often they do."""
    present = np.flatnonzero(codes)
    values = (present.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    # What rounds to infinity in float32 is finite in float64: it lies at the end.
    values = np.nan_to_num(values, posinf=float(np.finfo(np.float32).max), nan=0.0)
    order = np.argsort(values, kind="stable")
    return values[order], codes[present][order]


def _axis(sums: _Sums, mean: float, deviation: float) -> tuple[float, float]:
    if not sums.finite:
        return 0.0, 1.0
    low = max(sums.least, mean - WIDEST * deviation)
    high = min(sums.largest, mean + WIDEST * deviation)
    if not low < high:
        half = abs(mean) / 2 or 0.5
        low, high = mean - half, mean + half
    # Codes stand for numbers a little nearer to zero: the ends keep theirs.
    room = 2.0**-7
    return low - max(0.0, low) * room, high - min(0.0, high) * room


def _quantiles(
    values: npt.NDArray[Any], counts: npt.NDArray[np.int64], sums: _Sums
) -> tuple[float, ...]:
    """The element at each share of the order; the ends as they are."""
    ranks = np.cumsum(counts)
    inside = [
        float(values[np.searchsorted(ranks, share * (sums.finite - 1), side="right")])
        for share in QUANTILES[1:-1]
    ]
    bounded = [min(sums.largest, max(sums.least, each)) for each in inside]
    return (sums.least, *bounded, sums.largest)
