"""How alike two runs answer: flips of a model against itself, and two models side by side."""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np


def noise_floor(flips: int, n: int) -> float:
    """The standard error that `flips` changed answers among `n` items add: sqrt(flips) / n.

    From an A/A run: the base against itself at another batch size. No change below it is evidence.
    """
    if n < 1 or not 0 <= flips <= n:
        raise ValueError("A noise floor needs items, and no more flips than items.")
    return sqrt(flips) / n


def noise_of(first: Sequence[float], second: Sequence[float]) -> float:
    """The noise floor of any scores: the root mean square of an item's change, over sqrt(n).

    Of right/wrong items it is `noise_floor`; scores of more grades flip by less than one.
    """
    changes = np.asarray(second, np.float64) - np.asarray(first, np.float64)
    if not changes.size:
        raise ValueError("A noise floor needs items.")
    return float(np.sqrt(np.mean(changes**2) / changes.size))


@dataclass(frozen=True, slots=True)
class Agreement:
    """Answers of two models on the same n items: the share that is equal, and Cohen's kappa.

    `kappa` is None where chance alone would make them agree always.
    """

    n: int
    share: float
    kappa: float | None


def agreement(one: Sequence[Hashable], other: Sequence[Hashable]) -> Agreement:
    """How often two lists of answers agree, and how far beyond chance.

    Raises: ValueError for lists of different length or without items.
    Source: Cohen 1960, Educational and Psychological Measurement 20:37.
    """
    n = len(one)
    if n == 0 or n != len(other):
        raise ValueError("Agreement needs two lists of the same items.")
    share = sum(a == b for a, b in zip(one, other, strict=True)) / n
    left, right = Counter(one), Counter(other)
    chance = sum(count * right[answer] for answer, count in left.items()) / n**2
    return Agreement(n, share, None if chance >= 1.0 else (share - chance) / (1.0 - chance))


@dataclass(frozen=True, slots=True)
class Overlap:
    """Which of two models are right on how many items."""

    both: int
    only_base: int
    only_candidate: int
    neither: int


def overlap(base: Sequence[float], candidate: Sequence[float]) -> Overlap:
    """The table of right (1) and wrong (0) answers of two models on the same items."""
    pairs = Counter((a > 0.5, b > 0.5) for a, b in zip(base, candidate, strict=True))
    return Overlap(
        both=pairs[True, True],
        only_base=pairs[True, False],
        only_candidate=pairs[False, True],
        neither=pairs[False, False],
    )
