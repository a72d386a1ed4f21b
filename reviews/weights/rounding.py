"""How much of a change rounding alone may have made: its energy, and the edge of its spectrum."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from reviews.weights.dtypes import FLOATS, Codes, Floats
from reviews.weights.pieces import Doubles, bounds, read
from reviews.weights.tensors import Tensor

# Bits of the significand behind the point, and the exponent of the smallest number above zero.
_FRACTION = {"BF16": 7, "F16": 10, "F32": 23, "F64": 52}
_SMALLEST = {"BF16": -133, "F16": -24, "F32": -149, "F64": -1074}
# The Tracy-Widom law of real matrices lies below this but for one in a thousand.
_TRACY_WIDOM = 3.27

Booleans = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Rounding:
    """`energy` is the expected sum of squares of rounding, `edge` the singular value above which
    rounding alone reaches one time in a thousand at most."""

    energy: float
    edge: float


def rounding_noise(base: Tensor, candidate: Tensor) -> Rounding | None:
    """The noise in D where the candidate was rounded; None where its steps are not known.

    A value rounded to steps of u is off by a variance of u²/12 at most, also where the change is
    smaller than u and is lost. Rows and columns without any change are left out: nothing happened
    there. The edge bounds the norm of a matrix of independent entries with these variances by
    √(largest row sum) + √(largest column sum), which is tight for weights (Bandeira and van Handel
    2016, arXiv:1408.6185), with the margin of Tracy and Widom (Johnstone 2001).
    """
    coarse = _coarser(base, candidate)
    if coarse is None:
        return None
    fraction = _used_fraction(coarse)
    by_row, by_column, rows, columns = _variances(base, candidate, coarse, fraction)
    by_row, by_column = by_row[rows], by_column[columns]
    if not len(by_row):
        return Rounding(0.0, 0.0)
    margin = _margin(len(by_row), len(by_column))
    edge = np.sqrt(by_row.max()) + np.sqrt(by_column.max())
    return Rounding(float(by_row.sum()), float(edge) * margin)


def variances_of(base: Tensor, candidate: Tensor) -> Callable[[Doubles, Doubles], Doubles] | None:
    """What gives the variance of rounding of each element, of base's and candidate's values; None
    where the steps are not known."""
    coarse = _coarser(base, candidate)
    if coarse is None:
        return None
    fraction = _used_fraction(coarse)
    return lambda old, new: _variance(old if coarse is base else new, coarse.dtype, fraction)


def _coarser(base: Tensor, candidate: Tensor) -> Tensor | None:
    """The side whose steps are larger; the candidate where both are alike."""
    if {base.dtype, candidate.dtype} - FLOATS:
        return None
    return min(candidate, base, key=lambda tensor: _FRACTION[tensor.dtype])


def _used_fraction(tensor: Tensor) -> int:
    """Bits of the significand in use: a bf16 model saved as float32 has bf16's 7."""
    fraction = _FRACTION[tensor.dtype]
    if not tensor.has_codes:
        return fraction
    bits, least = 0, 0
    for start, stop in bounds(tensor.matrix):
        bits |= int(np.bitwise_or.reduce(_bits(tensor.codes(start, stop))))
        least = (bits & -bits).bit_length() - 1
        if least <= 0:
            break
    return max(0, fraction - max(0, least))


def _bits(codes: Codes) -> Codes:
    return codes.view(f"u{codes.dtype.itemsize}")


def _variances(
    base: Tensor, candidate: Tensor, coarse: Tensor, fraction: int
) -> tuple[Doubles, Doubles, Booleans, Booleans]:
    """Sums of u²/12 by row and by column, and which rows and columns have a change."""
    count_rows, columns = base.matrix
    by_row, by_column = np.zeros(count_rows), np.zeros(columns)
    rows, touched = np.zeros(count_rows, dtype=bool), np.zeros(columns, dtype=bool)
    with np.errstate(all="ignore"):
        for start, stop in bounds(base.matrix):
            old, new = read(base, start, stop)[1], read(candidate, start, stop)[1]
            width = min(columns, stop - start)
            row, column = start // columns, slice(start % columns, start % columns + width)
            changed = (old != new).reshape(-1, width)
            values = old if coarse is base else new
            variance = _variance(values, coarse.dtype, fraction).reshape(-1, width)
            span = slice(row, row + len(variance))
            by_row[span] += variance.sum(axis=1)
            by_column[column] += variance.sum(axis=0)
            rows[span] |= changed.any(axis=1)
            touched[column] |= changed.any(axis=0)
    return by_row, by_column, rows, touched


def _variance(values: Floats | Doubles, dtype: str, fraction: int) -> Doubles:
    """u²/12 of each value, u the step between it and its neighbour: 2^(exponent - fraction)."""
    bits = values.astype(np.float64).view(np.int64) & 0x7FF0_0000_0000_0000
    powers: Doubles = bits.view(np.float64)  # 2^exponent; 0 of 0, infinite of what is not finite
    powers[np.isinf(powers)] = 0
    lowest = 2.0 ** (_SMALLEST[dtype] + _FRACTION[dtype])
    steps = np.maximum(powers, lowest) * 2.0**-fraction
    return steps * steps / 12


def _margin(rows: int, columns: int) -> float:
    """How much higher than its limit the largest singular value of pure noise may lie."""
    small, large = np.sqrt(max(rows - 1, 1)), np.sqrt(columns)
    centre = (small + large) ** 2
    spread = (small + large) * (1 / small + 1 / large) ** (1 / 3)
    return float(np.sqrt(1 + _TRACY_WIDOM * spread / centre))
