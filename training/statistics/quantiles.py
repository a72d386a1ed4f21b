"""Quantiles of the normal and of Student's t distribution, without scipy."""

import math
from functools import lru_cache
from statistics import NormalDist

_NORMAL = NormalDist()
_SMALLEST = 1e-300
_PRECISION = 1e-16


def normal_quantile(probability: float) -> float:
    """The standard normal value below which `probability` of the mass lies."""
    return _NORMAL.inv_cdf(probability)


def normal_upper(alpha: float) -> float:
    """The standard normal value above which `alpha` of the mass lies, exact for any small alpha."""
    return -_NORMAL.inv_cdf(alpha)


def normal_tail(value: float) -> float:
    """The mass of the standard normal above `value`, with all its digits far out."""
    return 0.5 * math.erfc(value / math.sqrt(2.0))


def t_upper(alpha: float, degrees_of_freedom: int | None) -> float:
    """The value of Student's t above which `alpha` lies; None degrees of freedom: normal."""
    if degrees_of_freedom is None:
        return normal_upper(alpha)
    return -t_quantile(alpha, degrees_of_freedom)


@lru_cache(maxsize=1024)
def t_quantile(probability: float, degrees_of_freedom: int) -> float:
    """The value of Student's t below which `probability` of the mass lies, to about 1e-12."""
    if not 0.0 < probability < 1.0 or degrees_of_freedom < 1:
        raise ValueError("A t quantile needs 0 < probability < 1 and at least 1 degree of freedom.")
    if probability > 0.5:
        return -t_quantile(1.0 - probability, degrees_of_freedom)
    # On the lower side, where small probabilities keep all their digits.
    low, high = -2.0, 0.0
    while t_cdf(low, degrees_of_freedom) > probability:
        low, high = 2.0 * low, low
    return _bisect(low, high, probability, degrees_of_freedom)


def t_cdf(value: float, degrees_of_freedom: int) -> float:
    """The mass of Student's t below `value`."""
    square = value * value
    if square < 1.0:  # near the middle the tail loses the digits that the middle keeps
        share = square / (degrees_of_freedom + square)
        return 0.5 + math.copysign(
            0.5 * _incomplete_beta(share, 0.5, degrees_of_freedom / 2.0), value
        )
    share = degrees_of_freedom / (degrees_of_freedom + square)
    tail = 0.5 * _incomplete_beta(share, degrees_of_freedom / 2.0, 0.5)
    return tail if value < 0.0 else 1.0 - tail


def _bisect(low: float, high: float, probability: float, degrees_of_freedom: int) -> float:
    for _ in range(200):
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        if t_cdf(middle, degrees_of_freedom) < probability:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


def _incomplete_beta(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b).

    Source: DLMF 8.17.22, evaluated by Lentz's method.
    """
    if x <= 0.0 or x >= 1.0:
        return min(max(x, 0.0), 1.0)
    if x > (a + 1.0) / (a + b + 2.0):
        return 1.0 - _incomplete_beta(1.0 - x, b, a)
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    front = math.exp(log_front + a * math.log(x) + b * math.log1p(-x)) / a
    return front * _continued_fraction(x, a, b)


def _continued_fraction(x: float, a: float, b: float) -> float:
    c, d = 1.0, 1.0 / _away_from_zero(1.0 - (a + b) * x / (a + 1.0))
    value = d
    for m in range(1, 10_000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1.0 / _away_from_zero(1.0 + term * d)
            c = _away_from_zero(1.0 + term / c)
            value *= c * d
        if abs(c * d - 1.0) < _PRECISION:
            break
    return value


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _SMALLEST else _SMALLEST
