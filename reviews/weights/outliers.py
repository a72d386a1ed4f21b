"""Tensors that changed far more than others of their kind."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

# Robust z above which a tensor is told; it also has changed this many times the median at least,
# as tensors of one kind may agree so well that a tenth more stands out.
FLAGGED = 5.0
_TIMES = 2.0
# Fewer tensors of a kind have no usual size of change.
_FEWEST = 4


@dataclass(frozen=True)
class Outlier:
    """A tensor, its robust z, and how many times the median change of its kind it has."""

    name: str
    z: float
    times: float


def robust_z(values: Sequence[float]) -> list[float]:
    """(x - median) / (1.4826 · MAD) of each; 0 where all agree but for fewer than half."""
    numbers = np.asarray(values, dtype=np.float64)
    away = numbers - np.median(numbers)
    spread = 1.4826 * float(np.median(np.abs(away)))
    return (away / spread).tolist() if spread else [0.0] * len(numbers)


def outlying(changes: Iterable[tuple[str, str, float]]) -> list[Outlier]:
    """Of (name, kind, relative change), those with a robust z of log10 above FLAGGED.

    Unchanged tensors are left out: where one layer was edited, no other says what is usual.
    """
    kinds: dict[str, list[tuple[str, float]]] = defaultdict(list)
    for name, kind, relative in changes:
        if relative > 0:
            kinds[kind].append((name, relative))
    return [
        found for held in kinds.values() if len(held) >= _FEWEST for found in _of_one_kind(held)
    ]


def _of_one_kind(held: Sequence[tuple[str, float]]) -> Iterable[Outlier]:
    sizes = [relative for _, relative in held]
    median = float(np.median(sizes))
    zs = robust_z([float(np.log10(size)) for size in sizes])
    for (name, size), z in zip(held, zs, strict=True):
        if z > FLAGGED and size >= _TIMES * median:
            yield Outlier(name, z, size / median)
