"""Confidence bounds of a mean paired difference: independent, clustered and ratio metrics."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
import numpy.typing as npt

from training.statistics.formulas import Array
from training.statistics.quantiles import t_upper


@dataclass(frozen=True, slots=True)
class Interval:
    """A difference with its one-sided bounds, each at level 1 - alpha, in score units."""

    delta: float
    lower: float
    upper: float
    method: str
    standard_error: float | None = None
    degrees_of_freedom: int | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """A difference with its standard error: what a t interval is made of."""

    delta: float
    standard_error: float
    degrees_of_freedom: int
    method: str

    def interval(self, alpha: float) -> Interval:
        reach = t_upper(alpha, self.degrees_of_freedom) * self.standard_error
        lower, upper = self.delta - reach, self.delta + reach
        return Interval(
            self.delta, lower, upper, self.method, self.standard_error, self.degrees_of_freedom
        )


def standard_error(values: Sequence[float] | Array) -> float:
    """The standard error of the mean of at least two values (M1)."""
    return float(np.std(values, ddof=1)) / sqrt(len(values))


def paired_estimate(differences: Array) -> Estimate:
    """The mean of independent paired differences (M2).

    Source: Miller 2024, Adding Error Bars to Evals, arXiv:2411.00640.
    """
    n, delta = len(differences), float(np.mean(differences))
    return Estimate(delta, standard_error(differences), n - 1, "paired_t")


def clustered_estimate(differences: Array, clusters: npt.NDArray[np.intp]) -> Estimate:
    """The mean when items of one cluster, numbered from 0, share their luck (M3).

    Source: Miller 2024, arXiv:2411.00640, with the small-sample factor G / (G - 1).
    """
    n, delta = len(differences), float(np.mean(differences))
    error, groups = _robust(differences - delta, clusters)
    return Estimate(delta, error / n, groups - 1, "clustered_t")


def ratio_estimate(
    differences: Array, weights: Array, clusters: npt.NDArray[np.intp] | None = None
) -> Estimate:
    """A difference of ratios, such as bits per byte (M5).

    `differences` are of the numerators (nats), `weights` the shared denominators (ln 2 times
    bytes, for bits per byte). Bytes and not tokens: two tokenizers cut the same text apart.
    """
    total = float(np.sum(weights))
    delta = float(np.sum(differences)) / total
    own = np.arange(len(differences)) if clusters is None else clusters
    error, groups = _robust(differences - delta * weights, own)
    method = "ratio_t" if clusters is None else "clustered_ratio_t"
    return Estimate(delta, error / total, groups - 1, method)


def _robust(residuals: Array, clusters: npt.NDArray[np.intp]) -> tuple[float, int]:
    """The standard error of the sum of residuals that are summed by cluster, and the clusters."""
    sums = np.bincount(clusters, weights=residuals)
    count = len(sums)
    return sqrt(count / (count - 1) * float(np.dot(sums, sums))), count


def paired_interval(differences: Sequence[float] | Array, *, alpha: float) -> Interval:
    """Bounds of the mean of independent paired differences (M2)."""
    return paired_estimate(np.asarray(differences, dtype=np.float64)).interval(alpha)


def clustered_interval(
    differences: Sequence[float] | Array, clusters: Sequence[Hashable], *, alpha: float
) -> Interval:
    """Bounds of the mean of differences in clusters, whatever names those (M3)."""
    codes: dict[Hashable, int] = {}
    numbers = [codes.setdefault(name, len(codes)) for name in clusters]
    values = np.asarray(differences, dtype=np.float64)
    return clustered_estimate(values, np.array(numbers, dtype=np.intp)).interval(alpha)


def ratio_interval(
    differences: Sequence[float] | Array, weights: Sequence[float] | Array, *, alpha: float
) -> Interval:
    """Bounds of a difference of ratios (M5)."""
    values, sizes = np.asarray(differences, np.float64), np.asarray(weights, np.float64)
    return ratio_estimate(values, sizes).interval(alpha)


def with_seeds(interval: Interval, seed_deltas: Sequence[float], *, alpha: float) -> Interval:
    """The bounds of a recipe that was run with K training seeds, centred on their mean.

    `interval` holds the noise of the items; the spread between the seeds adds s² / K. Its degrees
    of freedom are those of the seeds, K - 1, where these are fewer.

    Raises: ValueError for fewer than 3 seeds, or an interval without a standard error.
    Source: Bouthillier et al. 2021, arXiv:2103.03098.
    """
    if len(seed_deltas) < 3 or interval.standard_error is None:
        raise ValueError("A recipe is judged by 3 seeds or more and a standard error of the items.")
    error = sqrt(interval.standard_error**2 + standard_error(seed_deltas) ** 2)
    freedom = min(interval.degrees_of_freedom or len(seed_deltas), len(seed_deltas) - 1)
    return Estimate(float(np.mean(seed_deltas)), error, freedom, "seeds_t").interval(alpha)


def averaged(deltas: Sequence[float], errors: Sequence[float], *, alpha: float) -> Interval:
    """The mean change over T tasks that share no items: SE = sqrt(sum of SE²) / T.

    It never stands in for its parts: a task that must pass has to pass by itself.
    """
    count = len(deltas)
    delta, error = float(np.sum(deltas)) / count, float(np.linalg.norm(errors)) / count
    reach = t_upper(alpha, None) * error
    return Interval(delta, delta - reach, delta + reach, "average_of_tasks", error)
