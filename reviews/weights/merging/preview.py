"""How far a merge lies from each of its parents, told before anything is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import isfinite, sqrt

import numpy as np

from reviews.weights.merging.formulas import inner
from reviews.weights.pieces import keep_heap
from reviews.weights.tensors import Tensor


@dataclass(frozen=True, slots=True)
class Distance:
    """Of a merged tensor from a parent's: sums of squares of the difference and the parent."""

    difference: float
    parent: float

    @property
    def relative(self) -> float | None:
        """The norm of the difference by the parent's; None of a parent of zeros, and with NaN."""
        known = isfinite(self.difference) and isfinite(self.parent) and self.parent > 0
        return sqrt(self.difference / self.parent) if known else None


@dataclass(frozen=True)
class DeltaPreview:
    """`tensors`: by name, a distance from each parent; None where that has no such tensor."""

    tensors: Mapping[str, Sequence[Distance | None]]

    def total(self, parent: int) -> float | None:
        """The relative distance of the whole merge from one parent, over the tensors both have."""
        found = [each[parent] for each in self.tensors.values()]
        known = [each for each in found if each is not None]
        whole = Distance(sum(d.difference for d in known), sum(d.parent for d in known))
        return whole.relative


def delta_preview(
    merged: Mapping[str, Tensor],
    parents: Sequence[Mapping[str, Tensor]],
    *,
    threads: int = 2,
    keep: Callable[[], None] = lambda: None,
) -> DeltaPreview:
    """The distances of merged tensors, written or yet to be worked out, from the parents'.

    `keep` is called after each tensor.
    """

    def measure(tensor: Tensor) -> list[Distance | None]:
        with np.errstate(invalid="ignore", over="ignore"):
            return _distances(tensor, [parent.get(tensor.name) for parent in parents])

    keep_heap()
    with ThreadPoolExecutor(threads) as pool:
        found = {}
        for name, distances in zip(merged, pool.map(measure, merged.values()), strict=True):
            found[name] = distances
            keep()
        return DeltaPreview(found)


def _distances(merged: Tensor, parents: Sequence[Tensor | None]) -> list[Distance | None]:
    alike = [each if each and each.shape == merged.shape else None for each in parents]
    sums = np.zeros((len(parents), 2))
    for start, stop in merged.pieces():
        values = merged.values(start, stop)
        for at, parent in enumerate(alike):
            if parent is not None:
                other = parent.values(start, stop)
                apart = values - other
                sums[at] += [inner(apart, apart), inner(other, other)]
    return [
        Distance(*map(float, each)) if parent else None
        for each, parent in zip(sums, alike, strict=True)
    ]
