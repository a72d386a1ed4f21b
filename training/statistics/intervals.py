"""Confidence bounds of a mean paired difference: independent, clustered and ratio metrics."""

from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import fsum, sqrt

from training.statistics.quantiles import t_quantile


@dataclass(frozen=True, slots=True)
class Interval:
    """A difference with its one-sided bounds, each at level 1 - alpha, in score units."""

    delta: float
    lower: float
    upper: float
    method: str
    standard_error: float | None = None
    degrees_of_freedom: int | None = None


def standard_error(values: Sequence[float]) -> float:
    """The standard error of the mean of at least two values (M1)."""
    n = len(values)
    mean = fsum(values) / n
    return sqrt(fsum((value - mean) ** 2 for value in values) / (n - 1) / n)


def paired_interval(differences: Sequence[float], *, alpha: float) -> Interval:
    """Bounds of the mean of independent paired differences (M2).

    Source: Miller 2024, Adding Error Bars to Evals, arXiv:2411.00640.
    """
    n = len(differences)
    delta = fsum(differences) / n
    return _t_interval(delta, standard_error(differences), n - 1, alpha, "paired_t")


def clustered_interval(
    differences: Sequence[float], clusters: Sequence[Hashable], *, alpha: float
) -> Interval:
    """Bounds of the mean when items of one cluster share their luck (M3).

    Source: Miller 2024, arXiv:2411.00640, with the small-sample factor G / (G - 1).
    """
    n = len(differences)
    delta = fsum(differences) / n
    sums: defaultdict[Hashable, float] = defaultdict(float)
    for difference, cluster in zip(differences, clusters, strict=True):
        sums[cluster] += difference - delta
    count = len(sums)
    error = sqrt(count / (count - 1) * fsum(value * value for value in sums.values())) / n
    return _t_interval(delta, error, count - 1, alpha, "clustered_t")


def ratio_interval(
    differences: Sequence[float], weights: Sequence[float], *, alpha: float
) -> Interval:
    """Bounds of a difference of ratios, such as bits per byte (M5).

    `differences` are of the numerators (nats), `weights` the shared denominators (ln 2 times
    bytes, for bits per byte). Bytes and not tokens: two tokenizers cut the same text apart.
    """
    n, total = len(differences), fsum(weights)
    delta = fsum(differences) / total
    pairs = zip(differences, weights, strict=True)
    squares = fsum((difference - delta * weight) ** 2 for difference, weight in pairs)
    return _t_interval(delta, sqrt(n / (n - 1) * squares) / total, n - 1, alpha, "ratio_t")


def _t_interval(
    delta: float, error: float, degrees_of_freedom: int, alpha: float, method: str
) -> Interval:
    reach = t_quantile(1.0 - alpha, degrees_of_freedom) * error
    return Interval(delta, delta - reach, delta + reach, method, error, degrees_of_freedom)
