"""The rows of a tensor that changed most: for embeddings, tokens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reviews.weights.localised import Norms

KEPT = 20


@dataclass(frozen=True)
class RowChange:
    """One row: the norm of its change, and that over the norm of the row before (None: was 0)."""

    index: int
    change_norm: float
    relative: float | None


def top_rows(rows: Norms, kept: int = KEPT) -> tuple[RowChange, ...]:
    """The rows with the largest changes, largest first; equal ones by index; none of a vector."""
    if len(rows.change) < 2:
        return ()
    kept = min(kept, int(np.count_nonzero(rows.change)))
    order = np.argsort(-rows.change, kind="stable")[:kept]
    return tuple(
        _row(int(index), float(rows.change[index]), float(rows.base[index])) for index in order
    )


def _row(index: int, change: float, base: float) -> RowChange:
    return RowChange(index, change**0.5, (change / base) ** 0.5 if base else None)
