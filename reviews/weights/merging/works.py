"""How the pieces of one merged tensor are worked out, by method.

What must be known of a whole tensor (a threshold, an angle) is found first, in further readings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from reviews.weights.merging.choosing import Drawn, Largest, largest
from reviews.weights.merging.formulas import (
    Block,
    Products,
    elect,
    kept_count,
    linear,
    rescale_kept,
    slerp_shares,
    stock_ratio,
    task_arithmetic,
    toward,
    weighted_sum,
)
from reviews.weights.merging.methods import Method
from reviews.weights.tensors import Tensor

# Elements of a task vector that are held rather than worked out again: at most 32 MB a thread.
_HELD = 1 << 22

# From the bounds of a piece to its numbers.
Work = Callable[[int, int], Block]


@dataclass(frozen=True)
class Part:
    """A model's tensor in a merge; `digest` names the model's weights."""

    tensor: Tensor
    digest: str
    weight: float
    density: float


@dataclass(frozen=True)
class Job:
    """One tensor to merge. `scale`, `t`, `normalize` and `seed` are the recipe's.

    `parts` stand in the recipe's order; arithmetic is in `floats`.
    """

    method: Method
    base: Tensor
    parts: tuple[Part, ...]
    scale: float
    t: float
    normalize: bool
    seed: int
    floats: type[np.floating[Any]]

    def sorted(self) -> list[Part]:
        """By digest: sums in this order come out alike however the recipe lists the models."""
        return sorted(self.parts, key=lambda part: part.digest)

    def read(self, tensor: Tensor, start: int, stop: int) -> Block:
        return tensor.values(start, stop).astype(self.floats, copy=False)

    def delta(self, part: Part, start: int, stop: int) -> Block:
        block = self.read(part.tensor, start, stop)
        return block - self.read(self.base, start, stop)

    def deltas(self, part: Part) -> Iterator[Block]:
        """The task vector of a whole tensor, piece by piece."""
        return (self.delta(part, start, stop) for start, stop in self.base.pieces())


def work_of(job: Job) -> Work:
    """The function that makes pieces of the job's tensor; looking at the tensor happens here."""
    return _WORKS[job.method](job)


def _linear(job: Job) -> Work:
    parts = job.sorted()
    weights = [part.weight for part in parts]

    def work(start: int, stop: int) -> Block:
        return linear([job.read(part.tensor, start, stop) for part in parts], weights)

    return work


def _deltas(job: Job, *, keep: str | None, agree: bool) -> Work:
    """Task arithmetic, TIES and DARE: deltas thinned out or not, agreeing ones only or all."""
    parts = job.sorted()
    weights = [part.weight for part in parts]
    thin = [_thinning(job, part, keep) for part in parts]
    whole = sum(weights) if job.normalize and abs(sum(weights)) > 1e-8 else 1.0

    def work(start: int, stop: int) -> Block:
        base = job.read(job.base, start, stop)
        deltas = []
        for part, thinned in zip(parts, thin, strict=True):
            delta = job.read(part.tensor, start, stop) - base
            deltas.append(thinned(delta, start))
        if agree:
            agreed = elect(deltas, weights, mean=job.normalize)
            return task_arithmetic(base, [agreed], [1.0], scale=job.scale)
        return task_arithmetic(base, deltas, weights, scale=job.scale / whole)

    return work


def _thinning(job: Job, part: Part, keep: str | None) -> Callable[[Block, int], Block]:
    if keep is None or part.density >= 1:
        return lambda delta, start: delta
    if keep == "largest":
        count = kept_count(part.density, job.base.count)
        chosen: Largest = largest(_readings(job, part), count)
        return lambda delta, start: delta * chosen.kept(delta, start)
    drawn = Drawn.of(part.density, job.seed, part.digest, job.base.name)
    return lambda delta, start: rescale_kept(delta, drawn.kept(delta, start), part.density)


def _readings(job: Job, part: Part) -> Callable[[], Iterator[Block]]:
    """The task vector from its start, as often as it is asked for; small ones are kept."""
    if job.base.count > _HELD:
        return partial(job.deltas, part)
    held = list(job.deltas(part))
    return lambda: iter(held)


def _slerp(job: Job) -> Work:
    """From ours to theirs: the order of the recipe counts."""
    ours, theirs = (part.tensor for part in job.parts)
    products = Products.none(2)
    for start, stop in ours.pieces():
        products.add([job.read(ours, start, stop), job.read(theirs, start, stop)])
    norms = products.norm(0), products.norm(1)
    shares = slerp_shares(float(products.table[0, 1]), norms, job.t)

    def work(start: int, stop: int) -> Block:
        return weighted_sum([job.read(each, start, stop) for each in (ours, theirs)], shares)

    return work


def _model_stock(job: Job) -> Work:
    parts = job.sorted()
    products = Products.none(len(parts))
    for start, stop in job.base.pieces():
        products.add([job.delta(part, start, stop) for part in parts])
    ratio = stock_ratio(products)

    def work(start: int, stop: int) -> Block:
        models = [job.read(part.tensor, start, stop) for part in parts]
        return toward(job.read(job.base, start, stop), models, ratio)

    return work


_WORKS: dict[Method, Callable[[Job], Work]] = {
    Method.LINEAR: _linear,
    Method.TASK_ARITHMETIC: partial(_deltas, keep=None, agree=False),
    Method.TIES: partial(_deltas, keep="largest", agree=True),
    Method.DARE_LINEAR: partial(_deltas, keep="drawn", agree=False),
    Method.DARE_TIES: partial(_deltas, keep="drawn", agree=True),
    Method.SLERP: _slerp,
    Method.MODEL_STOCK: _model_stock,
}
