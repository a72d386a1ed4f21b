"""Base against candidate on one benchmark: the interval, the verdict and what explains it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from math import ceil, fsum, isfinite

from training.statistics.binary import mcnemar, tango_interval
from training.statistics.intervals import (
    Interval,
    clustered_interval,
    paired_interval,
    ratio_interval,
)
from training.statistics.pairing import ItemScore, Pair, PairingError, pair_items
from training.statistics.power import items_needed, provable_margin
from training.statistics.verdicts import (
    Allowance,
    Direction,
    Label,
    Verdict,
    closer_is_better,
    higher_is_better,
    label_of,
    verdict_of,
)

MINIMUM_ITEMS = 100
MINIMUM_CLUSTERS = 10


@dataclass(frozen=True, slots=True)
class Rule:
    """What one benchmark asks of a candidate. `margin` is in score units, `alpha` one-sided."""

    margin: float
    alpha: float = 0.05
    direction: Direction = Direction.HIGHER
    target: float | None = None

    def __post_init__(self) -> None:
        if not 0.0 < self.margin < float("inf") or not 0.0 < self.alpha < 0.5:
            raise ValueError("A rule needs a positive margin and an alpha between 0 and 0.5.")
        if (self.target is None) == (self.direction is Direction.TARGET):
            raise ValueError("A target value belongs to the direction 'target' and only to it.")


@dataclass(frozen=True, slots=True)
class Comparison:
    """One benchmark's result. All scores are shares or means as measured, never negated.

    `delta`, `lower` and `upper` describe the change: oriented so that positive is better for the
    directions higher and lower, and candidate minus base for the direction target. The change is
    allowed strictly between `floor` and `ceiling` (None: no end on that side). `gains` and
    `losses` count the items that got better and worse; under the direction target a gain is a
    higher score. `reason` with `parameters` explains the verdict; on `error` every number that
    could not be computed is None.
    """

    verdict: Verdict
    reason: str
    margin: float
    alpha: float
    direction: Direction
    target: float | None = None
    n: int = 0
    base_score: float | None = None
    candidate_score: float | None = None
    delta: float | None = None
    lower: float | None = None
    upper: float | None = None
    floor: float | None = None
    ceiling: float | None = None
    gains: int | None = None
    losses: int | None = None
    method: str | None = None
    label: Label | None = None
    parameters: dict[str, object] = field(default_factory=dict)

    def to_dict(self) -> dict[str, object]:
        """Plain values, ready for JSON."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


def compare(base: Iterable[ItemScore], candidate: Iterable[ItemScore], rule: Rule) -> Comparison:
    """Weigh the candidate's item scores against the base's; never raises on bad scores.

    Right/wrong items get Tango's score interval, clustered items a cluster-robust one, weighted
    items that of a ratio, all others the paired t interval.
    """
    try:
        pairs = pair_items(base, candidate)
        _require_enough(pairs)
    except PairingError as error:
        return _unweighable(rule, error)
    return _weigh(pairs, rule)


def _require_enough(pairs: Sequence[Pair]) -> None:
    if len(pairs) < MINIMUM_ITEMS:
        raise PairingError("too_few_items", {"count": len(pairs), "minimum": MINIMUM_ITEMS})
    clusters = len({pair.cluster for pair in pairs})
    if pairs[0].cluster is not None and clusters < MINIMUM_CLUSTERS:
        raise PairingError("too_few_clusters", {"count": clusters, "minimum": MINIMUM_CLUSTERS})
    if pairs[0].cluster is not None and pairs[0].weight is not None:
        raise PairingError("clusters_with_weights", {})


def _weigh(pairs: Sequence[Pair], rule: Rule) -> Comparison:
    base, candidate = _mean(pairs, "base"), _mean(pairs, "candidate")
    sign = -1.0 if rule.direction is Direction.LOWER else 1.0
    differences = [sign * (pair.candidate - pair.base) for pair in pairs]
    gains, losses = sum(d > 0.0 for d in differences), sum(d < 0.0 for d in differences)
    interval = _interval(pairs, differences, gains, losses, rule.alpha)
    allowance = _allowance(rule, base)
    verdict = verdict_of(interval.lower, interval.upper, allowance)
    return Comparison(
        verdict=verdict,
        reason=_REASONS[verdict],
        margin=rule.margin,
        alpha=rule.alpha,
        direction=rule.direction,
        target=rule.target,
        n=len(pairs),
        base_score=base,
        candidate_score=candidate,
        delta=interval.delta,
        lower=interval.lower,
        upper=interval.upper,
        floor=_finite_or_none(allowance.floor),
        ceiling=_finite_or_none(allowance.ceiling),
        gains=gains,
        losses=losses,
        method=interval.method,
        label=label_of(interval.lower, interval.upper, allowance),
        parameters=_parameters(
            pairs, interval, gains, losses, rule, worse=_worse(rule, base, candidate, interval)
        ),
    )


_REASONS = {
    Verdict.PASS: "within_allowance",
    Verdict.FAIL: "outside_allowance",
    Verdict.INCONCLUSIVE: "more_items_needed",
}


def _mean(pairs: Sequence[Pair], side: str) -> float:
    total = fsum(getattr(pair, side) for pair in pairs)
    if pairs[0].weight is None:
        return total / len(pairs)
    return total / fsum(pair.weight or 0.0 for pair in pairs)


def _interval(
    pairs: Sequence[Pair], differences: Sequence[float], gains: int, losses: int, alpha: float
) -> Interval:
    binary = all(pair.base in (0.0, 1.0) and pair.candidate in (0.0, 1.0) for pair in pairs)
    if pairs[0].weight is not None:
        return ratio_interval(differences, [pair.weight or 0.0 for pair in pairs], alpha=alpha)
    if pairs[0].cluster is None:
        if binary:
            return tango_interval(gains, losses, len(pairs), alpha=alpha)
        return paired_interval(differences, alpha=alpha)
    clusters = [pair.cluster for pair in pairs]
    if binary and gains == losses == 0:
        # No spread was seen, which is not the same as no spread: count each cluster as one item.
        return tango_interval(0, 0, len(set(clusters)), alpha=alpha)
    return clustered_interval(differences, clusters, alpha=alpha)


def _allowance(rule: Rule, base: float) -> Allowance:
    if rule.target is None:
        return higher_is_better(rule.margin)
    return closer_is_better(base, rule.target, rule.margin)


def _worse(rule: Rule, base: float, candidate: float, interval: Interval) -> float:
    """How much worse the candidate was seen to be, 0 or more, in score units."""
    if rule.target is None:
        return max(0.0, -interval.delta)
    return max(0.0, abs(candidate - rule.target) - abs(base - rule.target))


def _parameters(
    pairs: Sequence[Pair],
    interval: Interval,
    gains: int,
    losses: int,
    rule: Rule,
    *,
    worse: float,
) -> dict[str, object]:
    """What a reader needs beside the interval: p-value, provable margin m*, items for `margin`."""
    n, error = len(pairs), interval.standard_error
    # With no change seen at all, one change in n is the least that could have been missed.
    variance = max(gains + losses, 1) / n if error is None else n * error**2
    # Counted from the change that was seen, where it is a loss: planning from no change at all
    # would promise too much.
    needed = items_needed(variance, rule.margin, alpha=rule.alpha, delta=-worse)
    parameters: dict[str, object] = {
        "changed_items": gains + losses,
        "p_value": mcnemar(gains, losses).two_sided,
        "provable_margin": provable_margin(variance, n, alpha=rule.alpha),
        "items_needed": ceil(needed) if isfinite(needed) else None,
    }
    if error is not None:
        parameters["standard_error"] = error
    if pairs[0].cluster is not None:
        parameters["clusters"] = len({pair.cluster for pair in pairs})
    return parameters


def _unweighable(rule: Rule, error: PairingError) -> Comparison:
    return Comparison(
        verdict=Verdict.ERROR,
        reason=error.code,
        margin=rule.margin,
        alpha=rule.alpha,
        direction=rule.direction,
        target=rule.target,
        parameters=error.parameters,
    )


def _finite_or_none(value: float) -> float | None:
    return value if isfinite(value) else None
