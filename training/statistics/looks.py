"""Looking at the items in stages without passing more harm: group-sequential boundaries.

Under the worst change that is not allowed, the score statistics at the looks are a Brownian motion
seen at the shares of the items. The boundaries keep the chance that it ever lies above one of them
at `alpha`; the chances come from recursive numerical integration over its density.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import ceil, pi, sqrt

import numpy as np

from training.statistics.formulas import Array
from training.statistics.quantiles import normal_tail, normal_upper

DEFAULT_SHARES = (1 / 3, 2 / 3, 1.0)
DEFAULT_SPENDING = "lan_demets"
_FAR = 9.0  # standard deviations beyond which nothing is left that matters


@dataclass(frozen=True, slots=True)
class Look:
    """One look: the first `count` items, the boundary c_k, and the level `alpha` for `compare`."""

    number: int
    count: int
    share: float
    boundary: float
    alpha: float


def plan(
    n_max: int,
    shares: Sequence[float] = DEFAULT_SHARES,
    *,
    alpha: float = 0.05,
    spending: str = DEFAULT_SPENDING,
) -> list[Look]:
    """The looks at `n_max` items, with boundaries for the shares that whole items make.

    Looks that would see no new item are left out.
    """
    seen = sorted(set(counts(n_max, shares)))
    real = [count / n_max for count in seen]
    edges = boundaries(real, alpha, spending)
    rows = zip(seen, real, edges, strict=True)
    return [Look(i, n, share, c, level(c)) for i, (n, share, c) in enumerate(rows, 1)]


def counts(n_max: int, shares: Sequence[float] = DEFAULT_SHARES) -> list[int]:
    """How many items each look sees: rounded up, the last one all of them."""
    _require_rising(shares)
    return [ceil(n_max * share - 1e-9) for share in shares]


def boundaries(
    shares: Sequence[float], alpha: float, spending: str = DEFAULT_SPENDING
) -> list[float]:
    """c_k for every look, to take the place of the normal quantile at 1 - alpha.

    `spending` is `lan_demets` (the O'Brien-Fleming-type spending function; any shares), `pocock`
    (equal boundaries) or `obrien_fleming` (c / sqrt(share)). The last share is 1.

    Raises: ValueError for shares that do not rise to 1, or an unknown name.
    Source: Armitage, McPherson & Rowe 1969; Pocock 1977; O'Brien & Fleming 1979; Lan & DeMets 1983.
    """
    _require_rising(shares)
    if not 0.0 < alpha < 0.5:
        raise ValueError("Boundaries need an alpha between 0 and 0.5.")
    return list(_boundaries(tuple(map(float, shares)), float(alpha), spending))


def level(boundary: float) -> float:
    """The one-sided level of a boundary: 1 - Phi(c)."""
    return normal_tail(boundary)


def strict_alpha(alpha: float, attempt: int) -> float:
    """The level of the `attempt`-th try of one proposal (from 1); they sum to `alpha`."""
    if attempt < 1:
        raise ValueError("Attempts count from 1.")
    return alpha * 6.0 / (pi * attempt) ** 2


def spent(share: float, alpha: float) -> float:
    """What the O'Brien-Fleming-type function has spent of `alpha` at `share` of the items."""
    return 2.0 * level(normal_upper(alpha / 2.0) / sqrt(share))


def crossing(
    shares: Sequence[float],
    upper: Sequence[float],
    lower: Sequence[float] | None = None,
    *,
    drift: float = 0.0,
) -> list[float]:
    """The chance, look by look, of being above `upper` for the first time.

    `drift` is the mean of the statistic at the last look. A path that came to or below `lower` is
    over; without `lower` only the upper boundary stops.
    """
    path, chances = _Path(shares, drift), []
    for index in range(len(shares)):
        chances.append(path.above(upper[index]))
        path.advance(upper[index], None if lower is None else lower[index])
    return chances


class _Path:
    """The density of the score process on the paths that have not stopped yet, look by look."""

    def __init__(self, shares: Sequence[float], drift: float) -> None:
        self._steps = [b - a for a, b in zip((0.0, *shares), shares, strict=False)]
        self._shares, self._drift, self._look = shares, drift, 0
        self._points, self._mass = np.zeros(1), np.ones(1)

    def above(self, boundary: float) -> float:
        """The mass above `boundary` (of the standardised statistic) at the next look."""
        edge = boundary * sqrt(self._shares[self._look])
        return float(np.dot(self._mass, [level(gap) for gap in self._gaps(edge)]))

    def advance(self, upper: float, lower: float | None) -> None:
        """Go on to the next look with the paths between its boundaries."""
        share, step = self._shares[self._look], self._steps[self._look]
        middle, reach = self._drift * share, _FAR * sqrt(share)
        top = min(upper * sqrt(share), middle + reach)
        bottom = middle - reach if lower is None else max(lower * sqrt(share), middle - reach)
        # Fine enough for the step that led here and for the one that follows.
        scale = sqrt(min(self._steps[self._look : self._look + 2]))
        points, weights = _nodes(bottom, max(top, bottom), scale)
        density = np.exp(-0.5 * self._gaps(points[:, np.newaxis]) ** 2) @ self._mass
        self._mass = density * weights / sqrt(2.0 * pi * step)
        self._points, self._look = points, self._look + 1

    def _gaps(self, edge: Array | float) -> Array:
        """How far the paths have to rise to `edge` by the next look, in standard deviations."""
        step = self._steps[self._look]
        gaps: Array = (edge - self._points - self._drift * step) / sqrt(step)
        return gaps


_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)


def _nodes(low: float, high: float, scale: float) -> tuple[Array, Array]:
    """Gauss-Legendre points and weights on panels no wider than a normal kernel's `scale`."""
    panels = max(1, ceil((high - low) / (1.5 * scale)))
    half = 0.5 * (high - low) / panels
    centres = low + half * (2.0 * np.arange(panels) + 1.0)
    return (centres[:, np.newaxis] + half * _NODES).ravel(), np.tile(half * _WEIGHTS, panels)


@lru_cache(maxsize=256)
def _boundaries(shares: tuple[float, ...], alpha: float, spending: str) -> tuple[float, ...]:
    if spending == "lan_demets":
        return _spend(shares, alpha)
    if spending == "pocock":
        return _scaled(shares, alpha, [1.0] * len(shares))
    if spending == "obrien_fleming":
        return _scaled(shares, alpha, [1.0 / sqrt(share) for share in shares])
    raise ValueError(f"There is no spending called {spending}.")


def _spend(shares: tuple[float, ...], alpha: float) -> tuple[float, ...]:
    path, found = _Path(shares, 0.0), []
    totals = [0.0, *(spent(share, alpha) for share in shares)]
    for before, after in pairwise(totals):
        budget = after - before
        found.append(_root(lambda c, b=budget: path.above(c) - b))  # type: ignore[misc]
        path.advance(found[-1], None)
    return tuple(found)


def _scaled(shares: tuple[float, ...], alpha: float, shape: list[float]) -> tuple[float, ...]:
    c = _root(lambda c: sum(crossing(shares, [c * each for each in shape])) - alpha)
    return tuple(c * each for each in shape)


def _root(falling: Callable[[float], float]) -> float:
    """Where a falling function is 0, between 0 and 40 standard deviations."""
    low, high = 0.0, 40.0
    while high - low > 1e-12:
        middle = 0.5 * (low + high)
        if falling(middle) > 0.0:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


def _require_rising(shares: Sequence[float]) -> None:
    rising = all(a < b for a, b in pairwise(shares))
    if not shares or not rising or shares[0] <= 0.0 or abs(shares[-1] - 1.0) > 1e-12:
        raise ValueError("The shares of the looks rise from above 0 to 1.")
