"""Resampling for metrics that are no mean of item scores (M6): both models on the same resample."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import ceil, floor, sqrt

import numpy as np
import numpy.typing as npt

from training.statistics.formulas import Array
from training.statistics.intervals import Estimate, Interval
from training.statistics.metrics import Metric
from training.statistics.quantiles import normal_tail, t_upper

MINIMUM_REPLICATES = 10_000
MAXIMUM_REPLICATES = 120_000
_ROWS_IN_TAIL = 10
_DRAWS_AT_MOST = 600_000_000
_CELLS_IN_BLOCK = 2_000_000


@dataclass(frozen=True, slots=True)
class Resampled:
    """The change of a metric and its resampled values, sorted. `units` are items or clusters."""

    delta: float
    values: Array = field(repr=False)
    units: int
    clustered: bool = False

    @property
    def method(self) -> str:
        return "clustered_bootstrap" if self.clustered else "bootstrap"

    @property
    def standard_error(self) -> float:
        """The spread of the resampled values, free of the bias that resampling n things has."""
        return float(np.std(self.values)) * self._small_sample_factor

    def interval(self, alpha: float) -> Interval:
        """Percentile bounds; of clusters, as wide as t and the small-sample factor ask.

        Where `alpha` is so small that fewer than ten resampled values lie beyond a bound (a very
        early look), the bounds are those of a t interval with the resampled standard error.

        Source: Koehn 2004, W04-3250; Hesterberg 2015, arXiv:1411.5279 (the wider percentiles).
        """
        share, count = self._share(alpha), len(self.values)
        tail = floor(share * (count + 1) + 1e-9)
        if tail < _ROWS_IN_TAIL:
            error, freedom = self.standard_error, self.units - 1
            return Estimate(self.delta, error, freedom, f"{self.method}_t").interval(alpha)
        lower, upper = float(self.values[tail - 1]), float(self.values[count - tail])
        return Interval(self.delta, lower, upper, self.method, self.standard_error)

    def chance_above(self, change: float) -> float:
        """The one-sided Monte-Carlo p-value of "the true change is `change` or less"."""
        at_most = int(np.searchsorted(self.values, change, side="right"))
        return (1 + at_most) / (len(self.values) + 1)

    def chance_below(self, change: float) -> float:
        """The one-sided Monte-Carlo p-value of "the true change is `change` or more"."""
        under = int(np.searchsorted(self.values, change, side="left"))
        return (1 + len(self.values) - under) / (len(self.values) + 1)

    @property
    def _small_sample_factor(self) -> float:
        return sqrt(self.units / (self.units - 1))

    def _share(self, alpha: float) -> float:
        if not self.clustered:
            return alpha
        return normal_tail(self._small_sample_factor * t_upper(alpha, self.units - 1))


def resample(
    metric: Metric,
    base: Array,
    candidate: Array,
    clusters: npt.NDArray[np.intp] | None = None,
    *,
    sign: float = 1.0,
    seed: int = 0,
    replicates: int = MINIMUM_REPLICATES,
) -> Resampled:
    """The paired bootstrap of `sign` times the metric's change.

    Shapes: base and candidate [n, k], the items' vectors in an order that does not depend on the
    caller. Whole clusters are drawn where there are any. One draw serves both models.
    """
    left, right = by_cluster(base, clusters), by_cluster(candidate, clusters)
    changes = [
        change_of(metric, drawn, left, right, sign)
        for drawn in _draws(len(left), replicates, np.random.Generator(np.random.PCG64(seed)))
    ]
    whole = float(change_of(metric, np.ones((1, len(left))), left, right, sign)[0])
    return Resampled(whole, np.sort(np.concatenate(changes)), len(left), clusters is not None)


def replicates_for(alpha: float, units: int) -> int:
    """Enough resamples for ten of them to lie beyond a bound at `alpha`, within reason."""
    wanted = max(MINIMUM_REPLICATES, ceil(_ROWS_IN_TAIL * 1.2 / alpha))
    fits = wanted <= MAXIMUM_REPLICATES and wanted * units <= _DRAWS_AT_MOST
    return wanted if fits else MINIMUM_REPLICATES


def change_of(
    metric: Metric, counts: Array, base: Array, candidate: Array, sign: float = 1.0
) -> Array:
    """The change for every row of `counts` [B, n]: how often each unit was drawn."""
    width = base.shape[1]
    sums = counts @ np.hstack((base, candidate))
    return sign * (metric.formula(sums[:, width:]) - metric.formula(sums[:, :width]))


def randomisation_p(
    metric: Metric,
    base: Array,
    candidate: Array,
    clusters: npt.NDArray[np.intp] | None = None,
    *,
    seed: int = 0,
    shuffles: int = MINIMUM_REPLICATES,
) -> float:
    """The two-sided p-value of "the models are interchangeable": sides swapped unit by unit.

    Source: Riezler & Maxwell 2005, W05-0908 (approximate randomisation).
    """
    left, right = by_cluster(base, clusters), by_cluster(candidate, clusters)
    random = np.random.Generator(np.random.PCG64(seed))
    total, extra = (
        np.concatenate((left.sum(0), right.sum(0))),
        np.hstack((right - left, left - right)),
    )
    width, found = left.shape[1], 0
    seen = abs(float(change_of(metric, np.ones((1, len(left))), left, right)[0]))
    for rows in _blocks(len(left), shuffles):
        swapped = random.integers(0, 2, size=(rows, len(left)), dtype=np.int8).astype(np.float64)
        sums = total + swapped @ extra
        changes = metric.formula(sums[:, width:]) - metric.formula(sums[:, :width])
        found += int((np.abs(changes) >= seen - 1e-12 * max(1.0, seen)).sum())
    return (1 + found) / (shuffles + 1)


def by_cluster(sums: Array, clusters: npt.NDArray[np.intp] | None) -> Array:
    """The vectors summed by cluster; without clusters the vectors themselves."""
    if clusters is None:
        return sums
    totals = np.zeros((int(clusters.max()) + 1, sums.shape[1]))
    np.add.at(totals, clusters, sums)
    return totals


def influences(metric: Metric, sums: Array) -> Array:
    """How far each item moves the metric's value, times n: [n], with mean 0.

    The delta method: their standard error is that of the value. The gradient is taken by central
    differences, as every formula is a smooth function of a few sums.
    """
    n, whole = len(sums), sums.sum(axis=0)
    steps = np.diag(1e-5 * np.maximum(np.abs(whole), 1.0))
    rise = metric.formula(whole + steps) - metric.formula(whole - steps)
    gradient = rise / (2.0 * np.diagonal(steps))
    values: Array = (n * sums - whole) @ gradient
    return values


def _draws(units: int, replicates: int, random: np.random.Generator) -> Iterator[Array]:
    """How often each unit is in each resample, in blocks [rows, units] of bounded memory."""
    for rows in _blocks(units, replicates):
        drawn = random.integers(0, units, size=(rows, units), dtype=np.int64)
        drawn += (np.arange(rows) * units)[:, np.newaxis]
        flat = np.bincount(drawn.ravel(), minlength=rows * units)
        yield flat.reshape(rows, units).astype(np.float64)


def _blocks(units: int, rows: int) -> Iterator[int]:
    size = max(1, _CELLS_IN_BLOCK // units)
    for start in range(0, rows, size):
        yield min(size, rows - start)
