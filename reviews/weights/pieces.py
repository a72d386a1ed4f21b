"""Sums over one piece of two tensors: small enough to stay in a core's cache."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from reviews.weights.dtypes import FLOATS, Codes, Floats, decode, encode
from reviews.weights.histograms import Counts, Doubles, count_octaves, sample_codes, step_of
from reviews.weights.tensors import PIECE, Tensor

# Squares of these neither overflow nor vanish in float32; longer rows are summed in float64.
_SAFE = (1e-15, 1e15)
_LONG_ROW = 1 << 14


@dataclass(frozen=True)
class Side:
    """One tensor in a piece. Sums leave out what is not finite."""

    squares: Doubles  # by row
    largest: float
    nan: int
    inf: int
    shown: Codes  # bf16 codes of some elements


@dataclass(frozen=True)
class Piece:
    """Where it lies in `Tensor.matrix`, its two sides, and what differs (None: nothing).

    `is_cast`: the dtypes differ, and the candidate is the base rounded to its dtype, bit for bit.
    """

    row: int
    column: int
    base: Side
    candidate: Side
    changed: int
    change: Change | None
    is_cast: bool


@dataclass(frozen=True)
class Change:
    """D = candidate - base in a piece."""

    squares: Doubles  # by row
    sizes: Doubles  # sum of |D| by row
    by_column: Doubles  # largest |D|
    octaves: Counts


def bounds(matrix: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """Pieces of whole rows; rows that are longer than a piece are cut."""
    rows, columns = matrix
    if columns == 0:
        return
    if columns <= PIECE:
        step = max(1, PIECE // columns)
        for row in range(0, rows, step):
            yield row * columns, min(row + step, rows) * columns
        return
    for row in range(rows):
        for column in range(0, columns, PIECE):
            yield row * columns + column, row * columns + min(column + PIECE, columns)


def keep_heap() -> None:
    """Have glibc keep freed pieces for the next ones instead of giving the pages back each time.

    Freeing one block of nearly 32 MB raises its limits for this process; without it page faults
    make the sums four times as slow. Elsewhere this does nothing.
    """
    np.empty(31 << 20, dtype=np.uint8)


def sum_piece(base: Tensor, candidate: Tensor, start: int, stop: int) -> Piece:
    """What elements `start` up to `stop` of two tensors of one shape sum up to."""
    columns = base.matrix[1]
    width, step = min(columns, stop - start), step_of(base.matrix)
    with np.errstate(all="ignore"):
        old_codes, old = read(base, start, stop)
        new_codes, new = read(candidate, start, stop)
        one_dtype = base.dtype == candidate.dtype
        is_cast = not one_dtype and _is_cast(old, new_codes, candidate.dtype)
        changed = _count_changed(old_codes, new_codes, old, new, one_dtype)
        old_side, old = _side(old_codes, old, base.dtype, width, step)
        place = start // columns, start % columns
        if changed == 0:
            return Piece(*place, old_side, old_side, 0, None, is_cast)
        new_side, new = _side(new_codes, new, candidate.dtype, width, step)
        change = _change(old, new, width, changed, base.matrix)
        return Piece(*place, old_side, new_side, changed, change, is_cast)


def read(tensor: Tensor, start: int, stop: int) -> tuple[Codes | None, Floats]:
    """Codes where the tensor has them, and values."""
    if not tensor.has_codes:
        return None, tensor.values(start, stop)
    codes = tensor.codes(start, stop)
    return codes, decode(codes, tensor.dtype)


def _count_changed(
    old_codes: Codes | None, new_codes: Codes | None, old: Floats, new: Floats, one_dtype: bool
) -> int:
    """Elements whose bits differ; across dtypes and without codes, whose values differ."""
    if old_codes is None or new_codes is None or not one_dtype:
        return int(np.count_nonzero((old != new) & ~(np.isnan(old) & np.isnan(new))))
    bits = f"u{old_codes.dtype.itemsize}"
    return int(np.count_nonzero(old_codes.view(bits) != new_codes.view(bits)))


def _is_cast(old: Floats, new_codes: Codes | None, dtype: str) -> bool:
    if new_codes is None or dtype not in FLOATS:
        return False
    bits = f"u{new_codes.dtype.itemsize}"
    return np.array_equal(encode(old, dtype).view(bits), new_codes.view(bits))


def _side(
    codes: Codes | None, values: Floats, dtype: str, width: int, step: int
) -> tuple[Side, Floats]:
    """The sums of one side; and its values, zero where they are not finite."""
    shown = sample_codes(codes, values, dtype, step)
    largest = _largest(codes, values, dtype)
    nan = inf = 0
    if not np.isfinite(largest):
        nan, inf = int(np.isnan(values).sum()), int(np.isinf(values).sum())
        values = values.copy()
        values[~np.isfinite(values)] = 0
        largest = float(np.abs(values).max())
    return Side(_row_squares(values, largest, width), largest, nan, inf, shown), values


def _largest(codes: Codes | None, values: Floats, dtype: str) -> float:
    """The largest magnitude; NaN or infinite where such an element is."""
    if codes is not None and dtype == "BF16":
        return float(decode((codes.view(np.uint16) & 0x7FFF).max(keepdims=True), dtype)[0])
    return max(float(values.max()), -float(values.min()))


def _change(old: Floats, new: Floats, width: int, changed: int, matrix: tuple[int, int]) -> Change:
    change = new - old
    sizes = np.abs(change)
    by_column = sizes.reshape(-1, width).max(axis=0)
    squares = _row_squares(change, float(by_column.max()), width)
    by_row = np.vecdot(sizes.reshape(-1, width), np.ones(width, sizes.dtype)).astype(np.float64)
    sizes_counted = count_octaves(sizes, changed, matrix)
    return Change(squares, by_row, by_column.astype(np.float64), sizes_counted)


def _row_squares(values: Floats, largest: float, width: int) -> Doubles:
    """Sums of squares by row: float32 within a row where that is exact enough, else float64."""
    if not _SAFE[0] < largest < _SAFE[1] or width > _LONG_ROW:
        values = values.astype(np.float64)
    rows = values.reshape(-1, width)
    return np.vecdot(rows, rows).astype(np.float64)
