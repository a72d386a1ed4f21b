"""Paired right/wrong items: the score interval that decides, and the exact test beside it."""

from collections.abc import Callable
from dataclasses import dataclass
from math import comb, inf, sqrt

from training.statistics.intervals import Interval
from training.statistics.quantiles import normal_upper


@dataclass(frozen=True, slots=True)
class McNemar:
    """Exact p-values of "gains and losses are equally likely"."""

    two_sided: float
    harm: float
    mid_p: float


def restricted_estimate(gains: float, losses: float, n: float, difference: float) -> float:
    """The likeliest probability of a loss, given that the true difference is `difference`.

    Source: Tango 1998, Statistics in Medicine 17:891.
    """
    a = 2.0 * n
    b = -(gains + losses) + difference * (2.0 * n - gains + losses)
    c = -losses * difference * (1.0 - difference)
    return (-b + sqrt(max(b * b - 4.0 * a * c, 0.0))) / (2.0 * a)


def score_statistic(gains: int, losses: int, n: int, difference: float) -> float:
    """How many standard errors the seen difference lies above `difference` (M4).

    Source: Tango 1998, Statistics in Medicine 17:891.
    """
    if difference > 0.0:
        # The same number by symmetry; the formula cancels badly for positive differences.
        return -score_statistic(losses, gains, n, -difference)
    q = restricted_estimate(gains, losses, n, difference)
    variance = n * (2.0 * q + difference * (1.0 - difference))
    surplus = gains - losses - n * difference
    if variance > 0.0:
        return surplus / sqrt(variance)
    # A difference too small to square leaves neither spread nor surplus.
    return 0.0 if abs(surplus) < 1e-9 else inf if surplus > 0.0 else -inf


def tango_interval(gains: int, losses: int, n: int, *, alpha: float) -> Interval:
    """Bounds of (gains - losses) / n by inverting the score test; works with no change at all."""
    delta, z = (gains - losses) / n, normal_upper(alpha)
    lower = _fall(lambda d: score_statistic(gains, losses, n, d) > z, -1.0, delta)
    upper = _fall(lambda d: score_statistic(gains, losses, n, d) > -z, delta, 1.0)
    return Interval(delta, lower, upper, "tango")


def mcnemar(gains: int, losses: int) -> McNemar:
    """Exact McNemar p-values; they feed the label's explanation, never the verdict (M4b)."""
    changed, fewer = gains + losses, min(gains, losses)
    two_sided = min(1.0, 2.0 * _binomial_mass(changed, 0, fewer))
    return McNemar(
        two_sided=two_sided,
        harm=_binomial_mass(changed, losses, changed),
        mid_p=two_sided - _binomial_mass(changed, fewer, fewer),
    )


def _fall(holds: Callable[[float], bool], low: float, high: float) -> float:
    """The point between `low` and `high` where `holds` turns from true to false."""
    for _ in range(200):
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        if holds(middle):
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


def _binomial_mass(trials: int, first: int, last: int) -> float:
    """P(first <= Bin(trials, 1/2) <= last), from whole numbers so that no term underflows."""
    ways = comb(trials, first)
    total = ways
    for hits in range(first, last):
        ways = ways * (trials - hits) // (hits + 1)
        total += ways
    return total / 2**trials
