"""Which method weighs a set of paired items: chosen by the kind of metric and by the items."""

from math import inf, isfinite

import numpy as np

from training.statistics.binary import mcnemar
from training.statistics.bootstrap import influences, replicates_for, resample
from training.statistics.evidence import (
    CautiousEvidence,
    Evidence,
    ScoreEvidence,
    StudentEvidence,
    Unseen,
)
from training.statistics.formulas import Array
from training.statistics.intervals import (
    Estimate,
    clustered_estimate,
    paired_estimate,
    ratio_estimate,
)
from training.statistics.metrics import Kind, Metric
from training.statistics.pairing import Paired
from training.statistics.verdicts import Allowance


def value_of(pairs: Paired, metric: Metric, side: str) -> float:
    """The benchmark's value for one side, "base" or "candidate", as measured."""
    if metric.kind is Kind.MEAN:
        return float(np.mean(getattr(pairs, side)))
    return float(metric.value(getattr(pairs, f"{side}_sums").sum(axis=0)))


def evidence_of(
    pairs: Paired, metric: Metric, sign: float, *, alpha: float, seed: int = 0
) -> Evidence:
    """What the items say about `sign` times the change of the metric.

    `alpha` is the smallest level that will be asked for: it sets the number of resamples.
    """
    if metric.kind is Kind.MEAN:
        return _mean(pairs, metric, sign)
    if metric.kind is Kind.RATIO:
        changes = sign * (pairs.candidate_sums[:, 0] - pairs.base_sums[:, 0])
        estimate = ratio_estimate(changes, pairs.base_sums[:, 1], pairs.clusters)
        return CautiousEvidence(StudentEvidence(estimate), _unseen(pairs, metric))
    units = pairs.cluster_count or pairs.n
    resampled = resample(
        metric,
        pairs.base_sums,
        pairs.candidate_sums,
        pairs.clusters,
        sign=sign,
        seed=seed,
        replicates=replicates_for(alpha, units),
    )
    return CautiousEvidence(resampled, _unseen(pairs, metric))


def regression_p(evidence: Evidence, allowance: Allowance) -> float:
    """The one-sided p-value of "it did not get worse": McNemar's exact one where items are 0/1."""
    if isinstance(evidence, ScoreEvidence) and allowance.better_to == inf:
        return mcnemar(evidence.gains, evidence.losses).harm
    return chance_outside(evidence, allowance.better_from, allowance.better_to)


def chance_outside(evidence: Evidence, low: float, high: float) -> float:
    """The p-value of "the true change lies between `low` and `high`"."""
    above = evidence.chance_above(high) if isfinite(high) else 1.0
    return min(evidence.chance_below(low), above)


def _mean(pairs: Paired, metric: Metric, sign: float) -> Evidence:
    differences = sign * (pairs.candidate - pairs.base)
    if pairs.clusters is None and _is_binary(pairs.base) and _is_binary(pairs.candidate):
        gains, losses = int((differences > 0.0).sum()), int((differences < 0.0).sum())
        return ScoreEvidence(gains, losses, pairs.n)
    return CautiousEvidence(StudentEvidence(_estimate(pairs, differences)), _unseen(pairs, metric))


def _estimate(pairs: Paired, differences: Array) -> Estimate:
    if pairs.clusters is None:
        return paired_estimate(differences)
    return clustered_estimate(differences, pairs.clusters)


def _is_binary(scores: Array) -> bool:
    return bool(((scores == 0.0) | (scores == 1.0)).all())


def _unseen(pairs: Paired, metric: Metric) -> Unseen:
    changed = pairs.changed
    if pairs.clusters is not None:
        changed = np.bincount(pairs.clusters, weights=changed) > 0.0
    return Unseen(len(changed), int(changed.sum()), _size(pairs, metric))


def _size(pairs: Paired, metric: Metric) -> float:
    """By how much one item may change: the width of the metric's range.

    Where the range has no end it is the standard deviation between the base's items.
    """
    if metric.kind is Kind.MEAN:
        scores = np.concatenate((pairs.base, pairs.candidate))
        return max(metric.spread or 0.0, float(np.ptp(scores)))
    if metric.spread is not None:
        return metric.spread
    return float(np.std(influences(metric, pairs.base_sums)))
