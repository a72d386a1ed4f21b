"""Where in a tensor a change sits, and what it did there: zeroed, scaled or edited."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from reviews.weights.pieces import Doubles, bounds, read
from reviews.weights.rounding import variances_of
from reviews.weights.tensors import Tensor

Effect = tuple[str, float | None]
Ranges = tuple[tuple[int, int], ...]

# A change is called local when it leaves at least this share of the rows (columns) untouched.
UNTOUCHED = 0.5
# Where there are more columns, memory does not allow to follow each of them.
MOST_COLUMNS = 1 << 20
# Ranges kept: a fine-tune that met half of the tokens needs no list.
KEPT_RANGES = 64
# "Scaled": what one factor leaves unexplained, at first of the change's norm, and then, element by
# element, against what rounding leaves.
_UNEXPLAINED_OF_CHANGE = 0.3
_TIMES_ROUNDING = 2.0


@dataclass(frozen=True)
class Block:
    """`axis` is "rows", "columns" (elements of a 1-D tensor) or "all"; `effect` is "zeroed",
    "scaled" (by `factor`) or "changed"; `ranges` are half-open, the first KEPT_RANGES of them."""

    axis: str
    effect: str
    factor: float | None
    count: int
    ranges: Ranges

    @classmethod
    def from_dict(cls, told: dict[str, Any]) -> Block:
        ranges = tuple((start, stop) for start, stop in told["ranges"])
        return cls(told["axis"], told["effect"], told["factor"], told["count"], ranges)


@dataclass(frozen=True)
class Norms:
    """Sums of squares along an axis: of base, candidate and change."""

    base: Doubles
    candidate: Doubles
    change: Doubles


def find_block(base: Tensor, candidate: Tensor, rows: Norms, by_column: Doubles) -> Block | None:
    """The block that a change keeps to; None when it is spread over the tensor.

    `by_column` is the largest change in each column, empty where it was not followed.
    Columns are only read again when needed.
    """
    everywhere = np.ones(len(rows.change), dtype=bool)
    effect, factor = _proven(base, candidate, "rows", everywhere, _effect(rows, everywhere))
    if effect != "changed":
        return Block("all", effect, factor, len(rows.change), ())
    touched = rows.change > 0
    if touched.mean() <= UNTOUCHED:
        found = _proven(base, candidate, "rows", touched, _effect(rows, touched))
        return Block("rows", *found, int(touched.sum()), ranges_of(touched))
    touched = by_column > 0
    if len(touched) and touched.mean() <= UNTOUCHED:
        columns = _column_norms(base, candidate)
        found = _proven(base, candidate, "columns", touched, _effect(columns, touched))
        return Block("columns", *found, int(touched.sum()), ranges_of(touched))
    return None


def ranges_of(touched: npt.NDArray[np.bool_]) -> Ranges:
    """Runs of True as half-open ranges, the first KEPT_RANGES."""
    edges = np.flatnonzero(np.diff(touched.astype(np.int8), prepend=0, append=0))
    pairs = edges.reshape(-1, 2)[:KEPT_RANGES]
    return tuple((int(start), int(stop)) for start, stop in pairs)


def _effect(norms: Norms, touched: npt.NDArray[np.bool_]) -> Effect:
    """What may have happened to the touched rows together: one effect, or "changed"."""
    old, new = float(norms.base[touched].sum()), float(norms.candidate[touched].sum())
    change = float(norms.change[touched].sum())
    if old == 0 or change == 0:
        return "changed", None
    if new == 0:
        return "zeroed", None
    product = (old + new - change) / 2
    unexplained = max(0.0, new - product**2 / old)
    if unexplained <= _UNEXPLAINED_OF_CHANGE**2 * change:
        return "scaled", product / old
    return "changed", None


def _proven(
    base: Tensor, candidate: Tensor, axis: str, touched: npt.NDArray[np.bool_], found: Effect
) -> Effect:
    """`found`, where a factor explains the change but for rounding, element by element; norms alone
    cannot tell that of a dtype finer than bf16. Steps that are not known explain nothing."""
    effect, factor = found
    rounding = variances_of(base, candidate) if factor is not None else None
    if factor is None:
        return found
    if rounding is None:
        return "changed", None
    columns = base.matrix[1]
    squares = products = left = expected = 0.0
    with np.errstate(all="ignore"):
        for start, stop in bounds(base.matrix):
            width = min(columns, stop - start)
            row, column = start // columns, start % columns
            if axis == "rows" and not touched[row : row + -(-(stop - start) // columns)].any():
                continue
            old, new = (
                read(each, start, stop)[1].astype(np.float64).reshape(-1, width)
                for each in (base, candidate)
            )
            if axis == "rows":
                mask = np.broadcast_to(touched[row : row + len(old), None], old.shape)
            else:
                mask = np.broadcast_to(touched[column : column + width], old.shape)
            mask = mask & np.isfinite(old) & np.isfinite(new)
            old, new = old[mask], new[mask]
            rest = new - factor * old
            squares += float(old @ old)
            products += float(old @ rest)
            left += float(rest @ rest)
            expected += float(rounding(old, new).sum())
    if not squares or left - products**2 / squares > _TIMES_ROUNDING**2 * expected:
        return "changed", None
    return effect, factor + products / squares


def _column_norms(base: Tensor, candidate: Tensor) -> Norms:
    """By column, in float64, over whole tensors of one shape."""
    columns = base.matrix[1]
    sums = np.zeros((3, columns))
    with np.errstate(all="ignore"):
        for start, stop in bounds(base.matrix):
            old, new = read(base, start, stop)[1], read(candidate, start, stop)[1]
            first, width = start % columns, min(columns, stop - start)
            for total, values in zip(sums, (old, new, new - old), strict=True):
                squares = values.astype(np.float64).reshape(-1, width) ** 2
                total[first : first + width] += np.nan_to_num(squares, posinf=0).sum(axis=0)
    return Norms(*sums)
