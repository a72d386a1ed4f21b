"""What differs between two tensors of one shape, in numbers.

Source of the formulas: W0 base, W1 candidate, D = W1 - W0; norms are Frobenius.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields
from math import sqrt
from typing import Any, TypeAlias

import numpy as np

from reviews.weights.errors import WeightsError
from reviews.weights.histograms import (
    EXPONENTS,
    Bf16Codes,
    Octaves,
    Overlay,
    octaves,
    overlay,
    step_of,
)
from reviews.weights.localised import MOST_COLUMNS, Block, Norms, find_block
from reviews.weights.pieces import Piece, bounds, keep_heap, sum_pieces
from reviews.weights.tensors import Tensor
from reviews.weights.top_rows import RowChange, top_rows

# Raised whenever a number or a field means something else: caches drop what has another one.
VERSION = 2


# Pieces that one thread sums before it hands them over: each handing over costs as much as a small
# piece, and the interpreter's lock.
TOGETHER = 8
Task: TypeAlias = "tuple[_Sums, Future[list[Piece]] | None]"


@dataclass(frozen=True)
class SideStats:
    """One tensor alone. `outlier` is max|W| / rms(W), None where all is zero; NaN and infinite
    elements are counted and left out of every sum."""

    dtype: str
    norm: float
    largest: float
    outlier: float | None
    nan: int
    inf: int


@dataclass(frozen=True)
class TensorStats:
    """`relative` is ‖D‖/‖W0‖ (None where W0 is 0), `cosine` of W0 and W1 (None where one is 0).

    `changed` counts elements whose bits differ (whose values differ, across dtypes and for
    quantised blocks). `is_cast`: W1 is W0 rounded to another dtype, bit for bit.
    `zeroed_rows` counts rows that were something and are zero now.
    """

    shape: tuple[int, ...]
    base: SideStats
    candidate: SideStats
    changed: int
    change_norm: float
    relative: float | None
    cosine: float | None
    max_change: float
    mean_change: float
    is_cast: bool
    values: Overlay | None
    change_octaves: Octaves | None
    zeroed_rows: int
    block: Block | None
    rows: tuple[RowChange, ...]

    @property
    def changed_share(self) -> float:
        return self.changed / max(1, int(np.prod(self.shape)))

    def to_dict(self) -> dict[str, Any]:
        """JSON with VERSION inside."""
        return {"version": VERSION, **asdict(self)}

    @classmethod
    def from_dict(cls, told: dict[str, Any]) -> TensorStats:
        """Raises: WeightsError "another_version" for what an older or newer program wrote."""
        if told.get("version") != VERSION:
            raise WeightsError("another_version", version=told.get("version"))
        known = {field.name: told[field.name] for field in fields(cls)}
        readers: dict[str, Callable[[Any], Any]] = {
            "shape": tuple,
            "base": lambda side: SideStats(**side),
            "candidate": lambda side: SideStats(**side),
            "values": lambda found: found and Overlay.from_dict(found),
            "change_octaves": lambda found: found and Octaves.from_dict(found),
            "block": lambda found: found and Block.from_dict(found),
            "rows": lambda rows: tuple(RowChange(**row) for row in rows),
        }
        return cls(**known | {name: read(known[name]) for name, read in readers.items()})


def compare_tensors(base: Tensor, candidate: Tensor, *, threads: int = 2) -> TensorStats:
    """Compare two tensors of one shape in pieces.

    Raises: WeightsError "shapes_differ"; "file_cut_off" and other faults of reading.
    """
    return next(compare_many([(base, candidate)], threads=threads))


def compare_many(
    pairs: Iterable[tuple[Tensor, Tensor]], *, threads: int = 2
) -> Iterator[TensorStats]:
    """As `compare_tensors` for each pair in order; threads read ahead across pairs."""
    keep_heap()
    done: deque[Future[TensorStats]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for sums, pieces in _ahead(_tasks(pairs, pool), 4 * threads):
            if pieces is not None:
                for piece in pieces.result():
                    sums.add(piece)
                continue
            done.append(pool.submit(sums.finish))
            while done[0].done() or len(done) > 4 * threads:
                yield done.popleft().result()
                if not done:
                    break
        for each in done:
            yield each.result()


def _tasks(pairs: Iterable[tuple[Tensor, Tensor]], pool: ThreadPoolExecutor) -> Iterator[Task]:
    """Pieces under way; None marks a tensor's end."""
    for base, candidate in pairs:
        if base.shape != candidate.shape:
            raise WeightsError("shapes_differ", base=base.name, candidate=candidate.name)
        sums = _Sums(base, candidate)
        every = list(bounds(base.matrix))
        for at in range(0, len(every), TOGETHER):
            yield sums, pool.submit(sum_pieces, base, candidate, every[at : at + TOGETHER])
        yield sums, None


def _ahead(tasks: Iterable[Task], count: int) -> Iterator[Task]:
    """`tasks` in their order, so many of which have been started before the first is looked at."""
    waiting: deque[Task] = deque()
    for task in tasks:
        waiting.append(task)
        if len(waiting) >= count:
            yield waiting.popleft()
    yield from waiting


class _Sums:
    """A tensor's pieces put together. Adding them in order gives the same bits every time."""

    def __init__(self, base: Tensor, candidate: Tensor) -> None:
        rows, columns = base.matrix
        self.tensors = base, candidate
        self.rows = Norms(np.zeros(rows), np.zeros(rows), np.zeros(rows))
        self.sizes = np.zeros(rows)
        self.by_column = np.zeros(columns if columns <= MOST_COLUMNS else 0)
        self.max_change = 0.0
        self.shown: tuple[list[Bf16Codes], list[Bf16Codes]] = [], []
        self.largest = [0.0, 0.0]
        self.not_finite = [[0, 0], [0, 0]]
        self.octaves = np.zeros(EXPONENTS, dtype=np.int64)
        self.changed = 0
        self.is_cast = base.dtype != candidate.dtype

    def add(self, piece: Piece) -> None:
        self.is_cast = self.is_cast and piece.is_cast
        self.changed += piece.changed
        for at, side in enumerate((piece.base, piece.candidate)):
            self.shown[at].append(side.shown)
            self.largest[at] = max(self.largest[at], side.largest)
            self.not_finite[at][0] += side.nan
            self.not_finite[at][1] += side.inf
        rows = slice(piece.row, piece.row + len(piece.base.squares))
        self.rows.base[rows] += piece.base.squares
        self.rows.candidate[rows] += piece.candidate.squares
        if change := piece.change:
            self.rows.change[rows] += change.squares
            self.sizes[rows] += change.sizes
            self.octaves += change.octaves
            self.max_change = max(self.max_change, float(change.by_column.max()))
            if len(self.by_column):
                columns = self.by_column[piece.column : piece.column + len(change.by_column)]
                np.maximum(columns, change.by_column, out=columns)

    def finish(self) -> TensorStats:
        base, candidate = self.tensors
        count = max(1, base.count)
        old, new, change = (float(part.sum()) for part in vars(self.rows).values())
        zeroed = (self.rows.base > 0) & (self.rows.candidate == 0)
        return TensorStats(
            shape=base.shape,
            base=self._side(0, old),
            candidate=self._side(1, new),
            changed=self.changed,
            change_norm=sqrt(change),
            relative=sqrt(change / old) if old else None,
            cosine=_cosine(old, new, change),
            max_change=self.max_change,
            mean_change=float(self.sizes.sum()) / count,
            is_cast=self.is_cast,
            values=overlay(_joined(self.shown[0]), _joined(self.shown[1]), step_of(base.matrix)),
            change_octaves=octaves(self.octaves),
            zeroed_rows=int(zeroed.sum()),
            block=find_block(base, candidate, self.rows, self.by_column) if change else None,
            rows=top_rows(self.rows),
        )

    def _side(self, at: int, squares: float) -> SideStats:
        tensor, (nan, inf) = self.tensors[at], self.not_finite[at]
        counted = tensor.count - nan - inf
        outlier = self.largest[at] / sqrt(squares / counted) if squares else None
        return SideStats(tensor.dtype, sqrt(squares), self.largest[at], outlier, nan, inf)


def _joined(shown: list[Bf16Codes]) -> Bf16Codes:
    return np.concatenate(shown) if shown else np.empty(0, dtype=np.uint16)


def _cosine(old: float, new: float, change: float) -> float | None:
    """From the three norms: <W0, W1> = (‖W0‖² + ‖W1‖² - ‖D‖²) / 2."""
    if not old or not new:
        return None
    return min(1.0, max(-1.0, (old + new - change) / 2 / sqrt(old * new)))
