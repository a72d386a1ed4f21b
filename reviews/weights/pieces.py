"""Sums over one piece of two tensors: small enough to stay in a core's cache."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from reviews.weights.dtypes import FLOATS, Codes, Floats, decode, encode
from reviews.weights.histograms import (
    EXPONENTS,
    Bf16Codes,
    Counts,
    Doubles,
    octave_step,
    sample_codes,
)
from reviews.weights.tensors import PIECE, Tensor

if TYPE_CHECKING:
    from reviews.weights.sums import Bits


@dataclass(frozen=True)
class Side:
    """One tensor in a piece. Sums leave out what is not finite."""

    squares: Doubles  # by row
    largest: float
    nan: int
    inf: int
    shown: Bf16Codes  # of some elements


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


@dataclass(frozen=True)
class _Part:
    """One tensor's elements; of bf16, which is summed as it lies, without their values."""

    codes: Codes | None
    decoded: Floats | None

    @property
    def values(self) -> Floats:
        if self.decoded is None:
            return decode(np.asarray(self.codes), "BF16")
        return self.decoded

    @property
    def bits(self) -> Bits:
        if self.decoded is None:
            return np.asarray(self.codes).view(np.uint16)
        return _bits(self.decoded)


@dataclass(frozen=True)
class _Finite:
    """A part with zeros for what is not finite, and what has been left out."""

    bits: Bits
    largest: float
    nan: int = 0
    inf: int = 0


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


def sum_pieces(base: Tensor, candidate: Tensor, where: Sequence[tuple[int, int]]) -> list[Piece]:
    """`sum_piece` of each pair of bounds."""
    return [sum_piece(base, candidate, start, stop) for start, stop in where]


def sum_piece(base: Tensor, candidate: Tensor, start: int, stop: int) -> Piece:
    """What elements `start` up to `stop` of two tensors of one shape sum up to."""
    # Compiled code needs half a second to be imported: only where something is compared.
    from reviews.weights import sums

    rows, columns = base.matrix
    width = min(columns, stop - start)
    old, new = _part(base, start, stop), _part(candidate, start, stop)
    one_dtype = base.dtype == candidate.dtype
    with np.errstate(all="ignore"):
        changed = _count_changed(old, new, one_dtype)
        is_cast = not one_dtype and _is_cast(old, new, candidate.dtype)
        finite = _finite(old), _finite(new)
    pair = finite[0].bits, finite[1].bits
    by_row, by_column = np.zeros(((stop - start) // width, 4)), np.zeros(width)
    sums.row_sums(*pair, by_row, by_column)
    change = None
    if changed:
        octaves = np.zeros(EXPONENTS, dtype=np.int64)
        sums.count_octaves(*pair, octave_step((rows, columns), changed), octaves)
        change = Change(by_row[:, 2], by_row[:, 3], by_column, octaves)
    sides = [
        Side(by_row[:, at], each.largest, each.nan, each.inf, sample_codes(part, base.matrix))
        for at, (each, part) in enumerate(zip(finite, (old.bits, new.bits), strict=True))
    ]
    row, column = start // columns, start % columns
    return Piece(row, column, sides[0], sides[1], changed, change, is_cast)


def read(tensor: Tensor, start: int, stop: int) -> tuple[Codes | None, Floats]:
    """Codes where the tensor has them, and values."""
    part = _part(tensor, start, stop)
    return part.codes, part.values


def _part(tensor: Tensor, start: int, stop: int) -> _Part:
    if not tensor.has_codes:
        return _Part(None, tensor.values(start, stop))
    codes = tensor.codes(start, stop)
    return _Part(codes, None if tensor.dtype == "BF16" else decode(codes, tensor.dtype))


def _bits(values: npt.NDArray[Any]) -> Bits:
    """The bits of elements as unsigned integers."""
    found: Bits = np.ascontiguousarray(values).view(f"u{values.dtype.itemsize}")
    return found


def _count_changed(old: _Part, new: _Part, one_dtype: bool) -> int:
    """Elements whose bits differ; across dtypes and without codes, whose values differ."""
    from reviews.weights import sums

    if old.codes is not None and new.codes is not None and one_dtype:
        return int(sums.count_differing(_bits(old.codes), _bits(new.codes)))
    before, after = old.values, new.values
    return int(np.count_nonzero((before != after) & ~(np.isnan(before) & np.isnan(after))))


def _is_cast(old: _Part, new: _Part, dtype: str) -> bool:
    if new.codes is None or dtype not in FLOATS:
        return False
    return np.array_equal(_bits(encode(old.values, dtype)), _bits(new.codes))


def _finite(part: _Part) -> _Finite:
    from reviews.weights import sums

    bits = part.bits
    largest = _number(sums.largest(bits), bits)
    if np.isfinite(largest):
        return _Finite(bits, largest)
    values = part.values.copy()
    nan, inf = int(np.isnan(values).sum()), int(np.isinf(values).sum())
    values[~np.isfinite(values)] = 0
    return _Finite(_bits(values), float(np.abs(values).max()), nan, inf)


def _number(bits: int, like: Bits) -> float:
    """The number that bits stand for where such are kept."""
    one = np.array([bits], dtype=like.dtype)
    if like.dtype.itemsize == 2:
        return float(decode(one, "BF16")[0])
    return float(one.view(f"f{like.dtype.itemsize}")[0])
