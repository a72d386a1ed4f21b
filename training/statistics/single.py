"""One model's value on one benchmark with its two-sided interval, for charts and tables."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from training.statistics.quantiles import normal_quantile, t_quantile

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with the bounds of its two-sided interval; None where one item gives no spread."""

    value: float
    lower: float | None
    upper: float | None

    def to_dict(self) -> dict[str, float | None]:
        return {"value": self.value, "lower": self.lower, "upper": self.upper}


def share_interval(hits: float, n: int, *, level: float = 0.95) -> Estimate:
    """A share of right answers with Wilson's score interval, sound near 0 and 1 too.

    Source: Wilson 1927, J. Am. Stat. Assoc. 22:209.
    """
    z = normal_quantile(0.5 + level / 2)
    share, denominator = hits / n, 1 + z * z / n
    middle = (share + z * z / (2 * n)) / denominator
    reach = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / denominator
    # Rounding must not put an end on the wrong side of the share itself.
    return Estimate(
        share, max(0.0, min(share, middle - reach)), min(1.0, max(share, middle + reach))
    )


def mean_interval(
    scores: Sequence[float], clusters: Sequence[Hashable] | None = None, *, level: float = 0.95
) -> Estimate:
    """A mean with its t interval; items of one cluster count as sharing their luck (M1, M3)."""
    values = np.asarray(scores, dtype=np.float64)
    mean = float(values.mean())
    return _spread(mean, (values - mean) / len(values), clusters, level)


def sums_interval(
    sums: Sequence[Sequence[float]],
    value: Callable[[Array], float],
    clusters: Sequence[Hashable] | None = None,
    *,
    level: float = 0.95,
) -> Estimate:
    """A function of summed vectors, such as bits per byte or BLEU, by the delta method.

    Args:
        sums: one vector an item, [n, k].
        value: the metric's value for the sum of vectors [k].
    """
    rows = np.asarray(sums, dtype=np.float64)
    total = rows.sum(axis=0)
    slope = _gradient(value, total)
    influence = rows @ slope
    influence -= influence.mean()
    return _spread(float(value(total)), influence, clusters, level)


def _spread(
    value: float, influence: Array, clusters: Sequence[Hashable] | None, level: float
) -> Estimate:
    """The interval around `value` whose items move it by `influence` [n], which sums to 0."""
    if clusters is not None:
        places: dict[Hashable, int] = {}
        numbers = [places.setdefault(name, len(places)) for name in clusters]
        influence = np.bincount(numbers, weights=influence).astype(np.float64)
    count = len(influence)
    if count < 2:
        return Estimate(value, None, None)
    error = sqrt(count / (count - 1) * float(influence @ influence))
    reach = t_quantile(0.5 + level / 2, count - 1) * error
    return Estimate(value, value - reach, value + reach)


def _gradient(value: Callable[[Array], float], at: Array) -> Array:
    """The slope of `value` at the sums `at` [k], by central differences."""
    slope = np.zeros_like(at)
    for index, here in enumerate(at):
        step = 1e-5 * max(abs(here), 1.0)
        ends = []
        for sign in (1.0, -1.0):
            moved = at.copy()
            moved[index] = here + sign * step
            ends.append(float(value(moved)))
        slope[index] = (ends[0] - ends[1]) / (2 * step)
    return np.nan_to_num(slope)
