"""What a set of paired items says about a change: bounds at any level, p-values at any change."""

from dataclasses import dataclass
from math import inf, sqrt
from typing import Protocol

from training.statistics.binary import score_statistic, tango_interval
from training.statistics.intervals import Estimate, Interval
from training.statistics.quantiles import normal_tail, normal_upper, t_cdf

ENOUGH_CHANGES = 10


class Evidence(Protocol):
    """`chance_above(d)` is the p-value of "the true change is d or less", `below` its mirror."""

    @property
    def delta(self) -> float: ...

    def interval(self, alpha: float) -> Interval: ...

    def chance_above(self, change: float) -> float: ...

    def chance_below(self, change: float) -> float: ...


@dataclass(frozen=True, slots=True)
class ScoreEvidence:
    """Right/wrong items, by Tango's score test (M4)."""

    gains: int
    losses: int
    n: int

    @property
    def delta(self) -> float:
        return (self.gains - self.losses) / self.n

    def interval(self, alpha: float) -> Interval:
        return tango_interval(self.gains, self.losses, self.n, alpha=alpha)

    def chance_above(self, change: float) -> float:
        return normal_tail(self._z(change))

    def chance_below(self, change: float) -> float:
        return normal_tail(-self._z(change))

    def _z(self, change: float) -> float:
        if not -1.0 < change < 1.0:
            return inf if change < 0.0 else -inf
        return score_statistic(self.gains, self.losses, self.n, change)


@dataclass(frozen=True, slots=True)
class StudentEvidence:
    """An estimate with a standard error, by Student's t (M2, M3, M5)."""

    estimate: Estimate

    @property
    def delta(self) -> float:
        return self.estimate.delta

    def interval(self, alpha: float) -> Interval:
        return self.estimate.interval(alpha)

    def chance_above(self, change: float) -> float:
        return self._tail(self.delta - change)

    def chance_below(self, change: float) -> float:
        return self._tail(change - self.delta)

    def _tail(self, distance: float) -> float:
        error = self.estimate.standard_error
        if error == 0.0:
            return 0.0 if distance > 0.0 else 1.0
        return t_cdf(-distance / error, self.estimate.degrees_of_freedom)


@dataclass(frozen=True, slots=True)
class Unseen:
    """What may hide behind few changes: no spread seen is not no spread.

    Among n units of which none changed, Tango's bound still allows the share z²/(n + z²) to change,
    by up to `size` each. The allowance fades out until ten units have changed: by then the spread
    between them is seen.
    """

    units: int
    changed: int
    size: float

    @property
    def weight(self) -> float:
        return self.size * max(0.0, 1.0 - self.changed / ENOUGH_CHANGES)

    def reach(self, alpha: float) -> float:
        square = normal_upper(alpha) ** 2
        return self.weight * square / (self.units + square)

    def chance(self, distance: float) -> float:
        """The p-value of a change that lies `distance` away from the seen one; inverts `reach`."""
        if self.weight == 0.0:
            return 0.0
        if distance <= 0.0:
            return 0.5
        share = distance / self.weight
        return 0.0 if share >= 1.0 else normal_tail(sqrt(self.units * share / (1.0 - share)))


@dataclass(frozen=True, slots=True)
class CautiousEvidence:
    """Evidence that claims no more than `unseen` leaves open."""

    seen: Evidence
    unseen: Unseen

    @property
    def delta(self) -> float:
        return self.seen.delta

    def interval(self, alpha: float) -> Interval:
        found, reach = self.seen.interval(alpha), self.unseen.reach(alpha)
        lower, upper = min(found.lower, self.delta - reach), max(found.upper, self.delta + reach)
        if (lower, upper) == (found.lower, found.upper):
            return found
        error = max(found.standard_error or 0.0, reach / normal_upper(alpha))
        return Interval(self.delta, lower, upper, f"{found.method}_few_changes", error)

    def chance_above(self, change: float) -> float:
        return max(self.seen.chance_above(change), self.unseen.chance(self.delta - change))

    def chance_below(self, change: float) -> float:
        return max(self.seen.chance_below(change), self.unseen.chance(change - self.delta))
