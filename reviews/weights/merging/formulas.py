"""The arithmetic of merging, on blocks of equal shape.

A task vector is what training changed: delta_i = model_i - base. Blocks keep their float type;
numbers beside them are Python's. Every function gives a new array.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import acos, sin, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

Block = npt.NDArray[np.floating[Any]]
Mask = npt.NDArray[np.bool_]

# Vectors whose |cosine| is above are too parallel for the sphere: a straight line is taken.
PARALLEL = 0.9995
# 1 + (N-1) cosine below this: task vectors cancel each other, and no point between is best.
SINGULAR = 1e-6


def linear(models: Sequence[Block], weights: Sequence[float]) -> Block:
    """The weighted mean; the weights are made to sum to 1.

    Source: Wortsman et al. 2022, Model soups, arXiv:2203.05482.
    """
    result = weighted_sum(models, weights)
    result /= sum(weights)
    return result


def weighted_sum(blocks: Sequence[Block], weights: Sequence[float]) -> Block:
    result = blocks[0] * weights[0]
    for block, weight in zip(blocks[1:], weights[1:], strict=True):
        result += block if weight == 1 else block * weight
    return result


def task_arithmetic(
    base: Block, deltas: Sequence[Block], weights: Sequence[float], *, scale: float = 1.0
) -> Block:
    """base + scale · sum of weighted deltas (the paper's lambda is `scale`).

    Source: Ilharco et al. 2023, Editing models with task arithmetic, arXiv:2212.04089.
    """
    result = weighted_sum(deltas, weights)
    if scale != 1:
        result *= scale
    result += base
    return result


def elect(deltas: Sequence[Block], weights: Sequence[float], *, mean: bool = True) -> Block:
    """What the deltas agree on: the sign of their weighted sum (0 counts as +) is elected.

    Only deltas that have that sign take part, by their weighted mean, or by their sum unless
    `mean`. Source: Yadav et al. 2023, TIES-merging, arXiv:2306.01708, section 4; the weights are
    mergekit's.
    """
    weighted = [d if w == 1 else d * w for d, w in zip(deltas, weights, strict=True)]
    total = weighted[0].copy()
    for each in weighted[1:]:
        total += each
    positive = total >= 0
    result = np.zeros_like(total)
    shares = np.zeros_like(total)
    for each, weight in zip(weighted, weights, strict=True):
        agreeing = ((each > 0) == positive) & (each != 0)
        result += each * agreeing
        if mean:
            shares += agreeing if weight == 1 else agreeing * total.dtype.type(weight)
    if mean:
        shares[shares == 0] = 1
        result /= shares
    return result


def inner(left: Block, right: Block) -> float:
    """The inner product in float64, in an order of summing that no processor or thread changes.

    A BLAS would take its own, and start threads of its own.
    """
    return float(np.multiply(left, right, dtype=np.float64).sum())


def kept_count(density: float, count: int) -> int:
    """How many of `count` elements a density keeps: rounded down, but at least one."""
    return min(count, max(1, int(density * count)))


def rescale_kept(delta: Block, kept: Mask, density: float) -> Block:
    """DARE: what is kept makes up for what was dropped, so that the expectation stays.

    Source: Yu et al. 2024, Language models are super Mario, arXiv:2311.03099.
    """
    result = delta * kept
    result *= 1 / density
    return result


def slerp_shares(dot: float, norms: tuple[float, float], t: float) -> tuple[float, float]:
    """By how much each of two vectors counts on the arc from the first (t = 0) to the second.

    `dot` is their product. The vectors keep their lengths; the angle is that of their directions.
    Source: Shoemake 1985, doi:10.1145/325334.325242.
    """
    lengths = norms[0] * norms[1]
    cosine = min(1.0, max(-1.0, dot / lengths)) if lengths else 1.0
    if abs(cosine) > PARALLEL:
        return 1 - t, t
    angle = acos(cosine)
    return sin((1 - t) * angle) / sin(angle), sin(t * angle) / sin(angle)


@dataclass(frozen=True)
class Products:
    """Inner products of N task vectors, or of two models, over a whole tensor: [N, N]."""

    table: npt.NDArray[np.float64]

    @classmethod
    def none(cls, count: int) -> Products:
        return cls(np.zeros((count, count)))

    def add(self, blocks: Sequence[Block]) -> None:
        """Take in one more piece of every vector."""
        for row, left in enumerate(blocks):
            for column in range(row, len(blocks)):
                product = inner(left, blocks[column])
                self.table[row, column] += product
                if column != row:
                    self.table[column, row] += product

    def norm(self, at: int) -> float:
        return sqrt(self.table[at, at])

    def cosine(self, left: int, right: int) -> float | None:
        """None where one of the two is nothing but zeros."""
        lengths = self.norm(left) * self.norm(right)
        return float(self.table[left, right]) / lengths if lengths else None

    def cosines(self) -> list[float | None]:
        """Of every pair, in the order 0-1, 0-2, …, 1-2, …"""
        count = len(self.table)
        return [self.cosine(i, j) for i in range(count) for j in range(i + 1, count)]


def stock_ratio(products: Products) -> float:
    """How far from the base (0) to the mean of the models (1) Model Stock goes: Nc / (1+(N-1)c).

    c is the mean cosine of the pairs of task vectors; a vector of zeros has cosine 0 with others,
    and 0 comes out where the deltas cancel each other.
    Source: Jang et al. 2024, Model Stock, arXiv:2403.19522, equation 3.
    """
    count = len(products.table)
    cosines = [each or 0.0 for each in products.cosines()]
    mean = sum(cosines) / len(cosines)
    below = 1 + (count - 1) * mean
    return 0.0 if abs(below) < SINGULAR else count * mean / below


def toward(base: Block, models: Sequence[Block], ratio: float) -> Block:
    """The point at `ratio` on the line from the base to the mean of the models."""
    result = linear(models, [1.0] * len(models))
    result *= ratio
    result += base * (1 - ratio)
    return result


def join_factors(
    factors: Sequence[tuple[Block, Block]], shares: Sequence[float]
) -> tuple[Block, Block]:
    """Factors (B, A) of the sum of share_i · B_i A_i, of rank r_1 + r_2 + …

    Shapes: B_i [out, r_i], A_i [r_i, in]; the results are [out, r] and [r, in]. Joining averages
    the products and rounds nothing but share_i · B_i; averaging the factors would average
    something else. Source: Hu et al. 2021, LoRA, arXiv:2106.09685, section 4.1.
    """
    up = np.concatenate([b * share for (b, _), share in zip(factors, shares, strict=True)], axis=1)
    return up, np.concatenate([a for _, a in factors], axis=0)
