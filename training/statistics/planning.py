"""The power calculator of the gate editor: promises that hold for the whole rule, looks included.

"With n items you can prove m at power p" means: a candidate that is in truth as good as the base
passes with chance p at one of the looks. The formulas of `power` speak of one look and of a known
variance; here the looks are integrated over, right/wrong items get the variance that Tango's test
takes at the margin, and no margin is promised that n items without any change could not prove.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, inf, sqrt

from training.statistics import looks
from training.statistics.binary import restricted_estimate
from training.statistics.power import DEFAULT_POWER
from training.statistics.quantiles import t_upper

MOST_ITEMS = 10**9
_PRECISION = 1e-9


@dataclass(frozen=True, slots=True)
class Plan:
    """What is expected of the items, and how the gate looks at them.

    `discordance` is the share of right/wrong items on which the models differ. For other scores
    `spread` is the standard deviation of one paired difference, in score units. `delta` is the true
    change that should pass. `clusters` is the number of clusters in all, None without, and
    `design_effect` by how much they inflate the variance: 1 + (items a cluster - 1) times their
    correlation. `alpha` is one-sided, for all looks together. `two_sided`: a score with a target
    may neither rise nor fall by the margin; the base is taken to stand on its target, where both
    ends are as near as they can be.
    """

    discordance: float | None = 0.10
    spread: float | None = None
    delta: float = 0.0
    clusters: int | None = None
    design_effect: float = 1.0
    alpha: float = 0.05
    shares: tuple[float, ...] = (1.0,)
    spending: str = looks.DEFAULT_SPENDING
    two_sided: bool = False

    def __post_init__(self) -> None:
        if (self.discordance is None) == (self.spread is None):
            raise ValueError("A plan needs a discordance or a spread, and not both.")
        if self.variance <= 0.0 or self.design_effect <= 0.0:
            raise ValueError("A plan needs items whose scores vary.")

    @property
    def variance(self) -> float:
        """That of one paired difference."""
        if self.discordance is not None:
            return self.discordance - self.delta**2
        return (self.spread or 0.0) ** 2

    def chance_of_passing(self, n: float, margin: float) -> float:
        """The probability that a candidate changed by `delta` passes, with n items at the end."""
        down = self._chance(n, margin, self.delta + margin)
        if not self.two_sided:
            return down
        # Each end by itself is missed so seldom that both hardly ever are.
        return max(0.0, down + self._chance(n, margin, margin - self.delta) - 1.0)

    def _chance(self, n: float, margin: float, distance: float) -> float:
        """Of being shown to lie within one end, which is `distance` away."""
        edges = self._edges(self.clusters or n, margin)
        drift = distance * sqrt(n / self.design_effect / self.variance)
        fails = [-edge for edge in edges]
        return min(1.0, sum(looks.crossing(self.shares, edges, fails, drift=drift)))

    def least_margin(self, n: float) -> float:
        """The margin that n right/wrong items without any change prove at the last look."""
        if self.discordance is None:
            return 0.0
        square = looks.boundaries(self.shares, self.alpha, self.spending)[-1] ** 2
        return square / ((self.clusters or n) + square)

    def _edges(self, units: float, margin: float) -> list[float]:
        """The boundaries in standard deviations of the statistic if the change is `delta`."""
        edges = looks.boundaries(self.shares, self.alpha, self.spending)
        if self.discordance is None or self.clusters is not None:
            freedoms = [max(1, ceil(units * share) - 1) for share in self.shares]
            return [
                t_upper(looks.level(edge), freedom)
                for edge, freedom in zip(edges, freedoms, strict=True)
            ]
        gains, losses = (self.discordance + self.delta) / 2, (self.discordance - self.delta) / 2
        q = restricted_estimate(gains, losses, 1.0, -margin)
        tested = 2.0 * q - margin * (1.0 + margin)
        return [edge * sqrt(max(tested, 0.0) / self.variance) for edge in edges]


def plan(
    n: int,
    discordance: float | None = 0.10,
    alpha: float = 0.05,
    power: float = DEFAULT_POWER,
    shares: Sequence[float] = (1.0,),
    *,
    spread: float | None = None,
    delta: float = 0.0,
    clusters: int | None = None,
    design_effect: float = 1.0,
    spending: str = looks.DEFAULT_SPENDING,
    two_sided: bool = False,
) -> float:
    """The smallest margin that n items prove at this power; infinite if none does.

    With `spread`, the standard deviation of a paired difference, `discordance` is not looked at.
    """
    wanted = Plan(
        None if spread is not None else discordance,
        spread, delta, clusters, design_effect, alpha, tuple(shares), spending, two_sided,
    )  # fmt: skip
    return _margin(wanted, n, power)


def needed(
    margin: float,
    discordance: float | None = 0.10,
    alpha: float = 0.05,
    power: float = DEFAULT_POWER,
    shares: Sequence[float] = (1.0,),
    *,
    spread: float | None = None,
    delta: float = 0.0,
    clusters: int | None = None,
    design_effect: float = 1.0,
    spending: str = looks.DEFAULT_SPENDING,
    two_sided: bool = False,
) -> int | None:
    """The fewest items that prove `margin` at this power; None if no number does."""
    wanted = Plan(
        None if spread is not None else discordance,
        spread, delta, clusters, design_effect, alpha, tuple(shares), spending, two_sided,
    )  # fmt: skip
    return _items(wanted, margin, power)


@lru_cache(maxsize=512)
def _margin(wanted: Plan, n: int, power: float) -> float:
    low = max(0.0, -wanted.delta)
    high = low + 100.0 * sqrt(wanted.variance * wanted.design_effect / n)
    if wanted.discordance is not None:
        high = 1.0 - _PRECISION
    if wanted.chance_of_passing(n, high) < power:
        return inf
    found = _first(lambda m: wanted.chance_of_passing(n, m) >= power, low, high, _PRECISION)
    return max(found, wanted.least_margin(n))


@lru_cache(maxsize=512)
def _items(wanted: Plan, margin: float, power: float) -> int | None:
    def proves(n: int) -> bool:
        least = wanted.least_margin(n)
        return least <= margin and wanted.chance_of_passing(n, margin) >= power

    if margin + wanted.delta <= 0.0:
        return None
    low, high = 1, 2
    while not proves(high):
        low, high = high, 2 * high
        if high > MOST_ITEMS:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if proves(middle) else (middle, high)
    return high


def _first(holds: Callable[[float], bool], low: float, high: float, precision: float) -> float:
    """Close to where `holds` turns from false (at `low`) to true (at `high`), on the true side."""
    while high - low > precision:
        middle = 0.5 * (low + high)
        if holds(middle):
            high = middle
        else:
            low = middle
    return high
