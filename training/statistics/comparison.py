"""Base against candidate on one benchmark: the interval, the verdict and what explains it."""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from math import ceil, isfinite

import numpy as np

from training.statistics.binary import mcnemar
from training.statistics.bootstrap import Resampled
from training.statistics.evidence import CautiousEvidence, Evidence, ScoreEvidence
from training.statistics.intervals import Interval
from training.statistics.metrics import Kind, Metric, metric_named
from training.statistics.pairing import ItemScore, Paired, PairingError, pair_items
from training.statistics.power import items_needed, provable_margin
from training.statistics.quantiles import normal_upper
from training.statistics.verdicts import (
    Allowance,
    Direction,
    Label,
    Verdict,
    closer_is_better,
    higher_is_better,
    label_of,
    sign_of,
    verdict_of,
)
from training.statistics.weighing import chance_outside, evidence_of, regression_p, value_of

MINIMUM_ITEMS = 100
MINIMUM_CLUSTERS = 10


@dataclass(frozen=True, slots=True)
class Rule:
    """What one benchmark asks of a candidate.

    `margin` is in score units, or a share of the base's value if `relative_margin`. `alpha` is the
    one-sided level of this look. Before the last look (`final` is false) too few items are no
    error: there are more to come.
    """

    margin: float
    alpha: float = 0.05
    direction: Direction = Direction.HIGHER
    target: float | None = None
    metric: str = "acc"
    relative_margin: bool = False
    final: bool = True

    def __post_init__(self) -> None:
        if not 0.0 < self.margin < float("inf") or not 0.0 < self.alpha < 0.5:
            raise ValueError("A rule needs a positive margin and an alpha between 0 and 0.5.")
        if (self.target is None) == (self.direction is Direction.TARGET):
            raise ValueError("A target value belongs to the direction 'target' and only to it.")
        if self.relative_margin and self.direction is Direction.TARGET:
            raise ValueError("A margin around a target value is in score units, not relative.")
        metric_named(self.metric)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One benchmark's result. All scores are values as measured, never negated.

    `delta`, `lower` and `upper` describe the change: oriented so that positive is better for the
    directions higher and lower, and candidate minus base for the direction target. The change is
    allowed strictly between `floor` and `ceiling` (None: no end on that side). `margin` is in
    score units, also where the rule's is relative. `gains` and `losses` count the items that got
    better and worse; under the direction target a gain is a higher score; None where items have no
    score of their own. `reason` with `parameters` explains the verdict; on `error` every number
    that could not be computed is None.
    """

    verdict: Verdict
    reason: str
    margin: float
    alpha: float
    direction: Direction
    target: float | None = None
    metric: str = "acc"
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


def compare(
    base: Iterable[ItemScore], candidate: Iterable[ItemScore], rule: Rule, *, seed: int = 0
) -> Comparison:
    """Weigh the candidate's item scores against the base's; never raises on bad scores.

    Right/wrong items get Tango's score interval, clustered items a cluster-robust one, ratio
    metrics that of a ratio, all other means the paired t interval, and corpus metrics the paired
    bootstrap, whose `seed` is kept in the parameters.
    """
    metric = metric_named(rule.metric)
    try:
        pairs = pair_items(base, candidate, metric)
        _require_enough(pairs)
        return weigh(pairs, rule, seed=seed)
    except PairingError as error:
        return _unweighable(rule, error)


def weigh(pairs: Paired, rule: Rule, *, seed: int = 0) -> Comparison:
    """The comparison of paired items, however few.

    Raises: PairingError `margin_vanishes` for a relative margin of a base value of 0.
    """
    metric = metric_named(rule.metric)
    base, candidate = value_of(pairs, metric, "base"), value_of(pairs, metric, "candidate")
    sign = sign_of(rule.direction)
    evidence = evidence_of(pairs, metric, sign, alpha=rule.alpha, seed=seed)
    interval = evidence.interval(rule.alpha)
    margin = _margin(rule, base)
    allowance = allowance_of(rule, margin, base)
    verdict = verdict_of(interval.lower, interval.upper, allowance)
    gains, losses = _gains_and_losses(pairs, sign)
    found = Comparison(
        verdict=verdict,
        reason=_REASONS[verdict],
        margin=margin,
        alpha=rule.alpha,
        direction=rule.direction,
        target=rule.target,
        metric=rule.metric,
        n=pairs.n,
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
    )
    parameters = _planning(found, interval) | _p_values(found, evidence, allowance)
    return replace(
        found, parameters=parameters | _circumstances(pairs, metric, rule, evidence, seed)
    )


_REASONS = {
    Verdict.PASS: "within_allowance",
    Verdict.FAIL: "outside_allowance",
    Verdict.INCONCLUSIVE: "more_items_needed",
}
_TOO_FEW = ("too_few_items", "too_few_clusters")


def _require_enough(pairs: Paired) -> None:
    if pairs.n < MINIMUM_ITEMS:
        raise PairingError("too_few_items", {"count": pairs.n, "minimum": MINIMUM_ITEMS})
    clusters = pairs.cluster_count
    if clusters is not None and clusters < MINIMUM_CLUSTERS:
        raise PairingError("too_few_clusters", {"count": clusters, "minimum": MINIMUM_CLUSTERS})


def _margin(rule: Rule, base: float) -> float:
    margin = rule.margin * abs(base) if rule.relative_margin else rule.margin
    if margin <= 0.0:
        raise PairingError("margin_vanishes", {"base_score": base})
    return margin


def allowance_of(rule: Rule, margin: float, base: float) -> Allowance:
    """The changes that the rule allows from the value `base`."""
    if rule.target is None:
        return higher_is_better(margin)
    return closer_is_better(base, rule.target, margin)


def _gains_and_losses(pairs: Paired, sign: float) -> tuple[int | None, int | None]:
    differences = sign * (pairs.candidate - pairs.base)
    if not np.isfinite(differences).all():
        return None, None
    return int((differences > 0.0).sum()), int((differences < 0.0).sum())


def _planning(found: Comparison, interval: Interval) -> dict[str, object]:
    """The margin m* that so many items prove for an equal model, and the items for `margin`."""
    error = interval.standard_error
    if error is None:
        error = 0.5 * (interval.upper - interval.lower) / normal_upper(found.alpha)
    variance = found.n * error**2
    if found.method == "tango":
        # The share that changed, and one change in n at least: the least that could be missed.
        variance = max((found.gains or 0) + (found.losses or 0), 1) / found.n
    # Counted from the change that was seen, where it is a loss: planning from no change at all
    # would promise too much.
    needed = items_needed(variance, found.margin, alpha=found.alpha, delta=-_worse(found))
    return {
        "standard_error": error,
        "provable_margin": provable_margin(variance, found.n, alpha=found.alpha),
        "items_needed": ceil(needed) if isfinite(needed) else None,
    }


def _worse(found: Comparison) -> float:
    """How much worse the candidate was seen to be, 0 or more, in score units."""
    assert found.delta is not None  # noqa: S101
    if found.target is None:
        return max(0.0, -found.delta)
    base, candidate = found.base_score or 0.0, found.candidate_score or 0.0
    return max(0.0, abs(candidate - found.target) - abs(base - found.target))


def _p_values(found: Comparison, evidence: Evidence, allowance: Allowance) -> dict[str, object]:
    """Of "nothing changed" (two-sided), "not regressed" and "allowed" (one-sided, for Holm)."""
    two_sided = 2.0 * min(evidence.chance_above(0.0), evidence.chance_below(0.0))
    if isinstance(evidence, ScoreEvidence):
        two_sided = mcnemar(evidence.gains, evidence.losses).two_sided
    return {
        "p_value": min(1.0, two_sided),
        "p_regressed": regression_p(evidence, allowance),
        "p_failed": chance_outside(evidence, allowance.floor, allowance.ceiling),
    }


def _circumstances(
    pairs: Paired, metric: Metric, rule: Rule, evidence: Evidence, seed: int
) -> dict[str, object]:
    found: dict[str, object] = {"changed_items": pairs.changed_items}
    if rule.relative_margin:
        found["relative_margin"] = rule.margin
    if pairs.cluster_count is not None:
        found["clusters"] = pairs.cluster_count
    if metric.kind is Kind.CORPUS:
        seen = evidence.seen if isinstance(evidence, CautiousEvidence) else evidence
        assert isinstance(seen, Resampled)  # noqa: S101
        found |= {"seed": seed, "replicates": len(seen.values)}
    return found


def _unweighable(rule: Rule, error: PairingError) -> Comparison:
    early = not rule.final and error.code in _TOO_FEW
    return Comparison(
        verdict=Verdict.INCONCLUSIVE if early else Verdict.ERROR,
        reason=error.code,
        margin=rule.margin,
        alpha=rule.alpha,
        direction=rule.direction,
        target=rule.target,
        metric=rule.metric,
        parameters=error.parameters,
    )


def _finite_or_none(value: float) -> float | None:
    return value if isfinite(value) else None
