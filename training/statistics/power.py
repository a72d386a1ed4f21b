"""How many items a margin needs, and which margin a number of items can prove."""

from math import inf, sqrt

from training.statistics.quantiles import normal_quantile, normal_upper

DEFAULT_POWER = 0.8


def items_needed(
    variance: float,
    margin: float,
    *,
    alpha: float = 0.05,
    power: float = DEFAULT_POWER,
    delta: float = 0.0,
) -> float:
    """The items, not rounded, with which a change of `delta` is shown to be above `-margin`.

    `variance` is that of one paired difference: for right/wrong items the share of discordant
    items minus delta squared. Infinite when the change lies at or below the margin.
    """
    distance = delta + margin
    if distance <= 0.0:
        return inf
    return _reach(alpha, power) ** 2 * variance / distance**2


def binary_items_needed(
    discordance: float,
    margin: float,
    *,
    alpha: float = 0.05,
    power: float = DEFAULT_POWER,
    delta: float = 0.0,
) -> float:
    """`items_needed` for right/wrong items on whose share `discordance` the models differ."""
    return items_needed(discordance - delta**2, margin, alpha=alpha, power=power, delta=delta)


def provable_margin(
    variance: float, n: int, *, alpha: float = 0.05, power: float = DEFAULT_POWER
) -> float:
    """The smallest margin that `n` items can prove for an equal model: m*."""
    return _reach(alpha, power) * sqrt(variance / n)


def detection_items(
    item_variance: float,
    difference: float,
    *,
    sampling: tuple[float, float] = (0.0, 0.0),
    samples: tuple[int, int] = (1, 1),
    alpha: float = 0.05,
    power: float = DEFAULT_POWER,
) -> float:
    """The items, not rounded, for a two-sided test to see `difference` with K samples an item.

    `item_variance` is that of the expected differences between items; `sampling` holds the
    variances of one sample of base and candidate, `samples` how many are averaged.
    Source: Miller 2024, arXiv:2411.00640, equation 9.
    """
    noise = sampling[0] / samples[0] + sampling[1] / samples[1]
    reach = normal_upper(alpha / 2.0) + normal_quantile(power)
    return reach**2 * (item_variance + noise) / difference**2


def _reach(alpha: float, power: float) -> float:
    return normal_upper(alpha) + normal_quantile(power)
