"""Singular values of a change, and how many of them stand above what rounding makes.

Rounding to bf16 gives every change full numerical rank; the honest rank counts the singular values
above the edge of the rounding noise, and says so where that cannot be told.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from reviews.weights.errors import WeightsError
from reviews.weights.pieces import Doubles
from reviews.weights.rounding import Rounding, rounding_noise
from reviews.weights.singular_values import Values, of_factors, singular_values
from reviews.weights.tensor_stats import VERSION
from reviews.weights.tensors import Tensor

# Leading singular values that are kept, for a plot.
KEPT = 128
# A change is of low rank when at most this share of the directions stands out, and what is below
# the edge has no more energy than rounding (a little more, as the sum is a random one).
LOW_RANK_SHARE = 0.25
_ENERGY_MARGIN = 1.15

Factors = tuple[Doubles, Doubles, float]


@dataclass(frozen=True)
class Spectrum:
    """`sigma`: the leading singular values of D. `noise_edge`: None where no edge is known.

    `rank`: singular values above the edge, or None, with `undecidable` saying why:
    "below_rounding" (the change has less energy than rounding), "unknown_rounding" (quantised or
    integer), "more_than" (all that were computed, `at_least`), "nothing_above" (no direction stands
    out), "not_finite". `numerical_rank` and `effective_rank` need the whole spectrum: None when
    only a part was computed. Empty `sigma` and rank 0: nothing changed.
    """

    sigma: tuple[float, ...]
    directions: int
    noise_edge: float | None
    rank: int | None
    undecidable: str | None
    at_least: int
    stable_rank: float | None
    effective_rank: float | None
    numerical_rank: int | None
    low_rank: bool
    exact_factors: bool

    def to_dict(self) -> dict[str, Any]:
        """JSON with VERSION inside."""
        return {"version": VERSION, **vars(self)}

    @classmethod
    def from_dict(cls, told: dict[str, Any]) -> Spectrum:
        """Raises: WeightsError "another_version" for what an older or newer program wrote."""
        if told.get("version") != VERSION:
            raise WeightsError("another_version", version=told.get("version"))
        known = {field.name: told[field.name] for field in fields(cls)}
        return cls(**known | {"sigma": tuple(known["sigma"])})


def spectrum(
    base: Tensor,
    candidate: Tensor,
    *,
    budget_seconds: float = 10.0,
    factors: Factors | None = None,
) -> Spectrum:
    """The spectrum of candidate - base, both taken as `Tensor.matrix`.

    `budget_seconds` decides by counted operations, not by the clock, whether the whole spectrum is
    computed or its leading part: the same tensors always give the same numbers. `factors` (B, A,
    scale) of an adapter give the rank exactly. Memory: twice a bf16 tensor, and 150 MB at most.
    Raises: WeightsError "shapes_differ".
    """
    if base.shape != candidate.shape:
        raise WeightsError("shapes_differ", base=base.name, candidate=candidate.name)
    directions = min(base.matrix)
    if factors is not None:
        found = of_factors(*factors)
        return _told(found, directions, Rounding(0.0, found.floor), exact=True)
    found = singular_values(base, candidate, budget_seconds)
    return _told(found, directions, rounding_noise(base, candidate), exact=False)


def _told(found: Values, directions: int, noise: Rounding | None, *, exact: bool) -> Spectrum:
    sigma, energy = found.sigma, found.energy
    edge = None if noise is None else max(noise.edge, found.floor)
    above = 0 if edge is None else int(np.count_nonzero(sigma > edge))
    why = _undecidable(found, noise, above)
    numerical, effective = _whole(found)
    return Spectrum(
        sigma=tuple(sigma[:KEPT].tolist()),
        directions=directions,
        noise_edge=edge,
        rank=None if why else above,
        undecidable=why,
        at_least=above if why in {None, "more_than"} else 0,
        stable_rank=energy / float(sigma[0]) ** 2 if energy and sigma[0] else None,
        effective_rank=effective,
        numerical_rank=numerical,
        low_rank=why is None and energy > 0 and _is_low(found, directions, noise, above),
        exact_factors=exact,
    )


def _undecidable(found: Values, noise: Rounding | None, above: int) -> str | None:
    if not found.finite:
        return "not_finite"
    if not found.energy:
        return None
    if noise is None:
        return "unknown_rounding"
    if found.energy <= noise.energy:
        return "below_rounding"
    if above == 0:
        return "nothing_above"
    if above == len(found.sigma) and not found.whole:
        return "more_than"
    return None


def _is_low(found: Values, directions: int, noise: Rounding | None, rank: int) -> bool:
    left = found.energy - float((found.sigma[:rank] ** 2).sum())
    allowed = _ENERGY_MARGIN * (noise.energy if noise else 0.0) + found.energy * 1e-9
    return rank <= max(1.0, LOW_RANK_SHARE * directions) and left <= allowed


def _whole(found: Values) -> tuple[int | None, float | None]:
    """Numerical and effective rank, exp(-Σ p ln p) with p = σ / Σσ (Roy and Vetterli 2007)."""
    if not found.whole or not found.energy:
        return (0 if found.whole and found.finite else None), None
    shares = found.sigma / found.sigma.sum()
    shares = shares[shares > 0]
    numerical = int(np.count_nonzero(found.sigma > found.floor))
    return numerical, float(np.exp(-(shares * np.log(shares)).sum()))
