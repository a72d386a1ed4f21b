"""Singular values of the difference of two tensors, read in pieces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reviews.weights.pieces import Doubles
from reviews.weights.tensors import Tensor

# Up to this side an exact SVD is used; up to the next one the eigenvalues of the Gram matrix, which
# are blind below 1e-8 of the largest singular value; beyond it only leading values are computed.
_SVD_SIDE = 256
_GRAM_SIDE = 2048
_DIRECTIONS = 128
_PASSES = 4
# Elements of a block of rows: 16 MB in float64, enough for fast products.
_BLOCK = 1 << 21
# Operations a second that are counted on, on one core (float64).
_FLOPS = 8e9


@dataclass(frozen=True)
class Values:
    """`sigma` in descending order; `energy` is ‖D‖²; singular values up to `floor` may be errors of
    arithmetic. `whole`: all of them are there. `finite`: NaN and Inf were met nowhere (D counts as
    zero there)."""

    sigma: Doubles
    energy: float
    floor: float
    whole: bool
    finite: bool


def singular_values(base: Tensor, candidate: Tensor, budget_seconds: float) -> Values:
    """All of them, or the leading _DIRECTIONS where all would take longer than the budget."""
    difference = Difference(base, candidate)
    side, long = sorted(base.matrix)
    if side == 0:
        return Values(np.zeros(0), 0.0, 0.0, True, True)
    if side <= _SVD_SIDE:
        return difference.small()
    seconds = (side * side * long * 2 + 10 * side**3) / _FLOPS
    if side <= _GRAM_SIDE and seconds <= budget_seconds:
        return difference.by_gram()
    return difference.leading(min(_DIRECTIONS, side // 2))


def of_factors(b: Doubles, a: Doubles, scale: float) -> Values:
    """Of scale · B A, from its factors [out, r] and [r, in]: exact, r values; none where the
    product is not finite."""
    if not (np.isfinite(b).all() and np.isfinite(a).all()):
        return Values(np.zeros(0), 0.0, 0.0, True, False)
    left, right = _triangle(b.astype(np.float64)), _triangle(a.T.astype(np.float64))
    with np.errstate(over="ignore", invalid="ignore"):
        core = abs(scale) * left @ right.T
    if not np.isfinite(core).all():
        return Values(np.zeros(0), 0.0, 0.0, True, False)
    sigma = _singular(core)
    floor = float(sigma[0]) * max(*b.shape, *a.shape) * np.finfo(np.float64).eps
    return Values(sigma, float((sigma**2).sum()), floor, True, True)


def _triangle(matrix: Doubles) -> Doubles:
    """R of a QR decomposition: its singular values are the matrix's."""
    return np.asarray(np.linalg.qr(matrix, mode="r"), dtype=np.float64)


def _singular(matrix: Doubles) -> Doubles:
    return np.asarray(np.linalg.svd(matrix, compute_uv=False), dtype=np.float64)


class Difference:
    """D = candidate - base, by blocks of rows in float64; what is not finite counts as zero."""

    def __init__(self, base: Tensor, candidate: Tensor) -> None:
        self.base, self.candidate = base, candidate
        self.rows, self.columns = base.matrix
        self.finite = True

    def block(self, start: int, stop: int) -> Doubles:
        with np.errstate(all="ignore"):
            change = self.candidate.rows(start, stop).astype(np.float64)
            change -= self.base.rows(start, stop)
        wrong = ~np.isfinite(change)
        if wrong.any():
            self.finite = False
            change[wrong] = 0
        return change

    def spans(self) -> list[tuple[int, int]]:
        step = max(1, _BLOCK // self.columns)
        return [(row, min(row + step, self.rows)) for row in range(0, self.rows, step)]

    def small(self) -> Values:
        """By an exact SVD of the triangle that QR makes of D, block after block."""
        if self.rows >= self.columns:
            triangle = np.zeros((0, self.columns))
            for start, stop in self.spans():
                block = np.concatenate([triangle, self.block(start, stop)])
                triangle = _triangle(block)
        else:
            triangle = _triangle(self.block(0, self.rows).T)
        sigma = _singular(triangle)
        floor = float(sigma[0]) * max(self.rows, self.columns) * np.finfo(np.float64).eps
        return Values(sigma, float((sigma**2).sum()), floor, True, self.finite)

    def by_gram(self) -> Values:
        """By the eigenvalues of DᵀD, or of D Dᵀ where that is smaller."""
        gram = self._tall() if self.rows >= self.columns else self._wide()
        energy = float(np.trace(gram))
        sigma = np.sqrt(np.linalg.eigvalsh(gram)[::-1].clip(0))
        return Values(sigma, energy, float(sigma[0]) * 1e-7, True, self.finite)

    def _tall(self) -> Doubles:
        gram = np.zeros((self.columns, self.columns))
        for start, stop in self.spans():
            block = self.block(start, stop)
            gram += block.T @ block
        return gram

    def _wide(self) -> Doubles:
        """Two blocks of rows at a time: all of a wide matrix would take too much memory."""
        gram = np.zeros((self.rows, self.rows))
        spans = self.spans()
        for at, (start, stop) in enumerate(spans):
            block = self.block(start, stop)
            for first, last in spans[at:]:
                other = block if first == start else self.block(first, last)
                gram[start:stop, first:last] = block @ other.T
                gram[first:last, start:stop] = gram[start:stop, first:last].T
        return gram

    def leading(self, directions: int) -> Values:
        """By subspace iteration from a fixed start (Halko, Martinsson, Tropp 2011)."""
        basis = np.random.default_rng(0).normal(size=(self.columns, directions))
        energy, eigenvalues = 0.0, np.zeros(directions)
        for _ in range(_PASSES):
            basis = np.linalg.qr(basis)[0]
            image, energy = np.zeros_like(basis), 0.0
            for start, stop in self.spans():
                block = self.block(start, stop)
                energy += float(np.vdot(block, block))
                image += block.T @ (block @ basis)
            eigenvalues = np.linalg.eigvalsh(basis.T @ image)[::-1].clip(0)
            basis = image
        sigma = np.sqrt(eigenvalues)
        return Values(sigma, energy, float(sigma[0]) * 1e-7, False, self.finite)
