"""The blind desk: how often reviewers prefer the candidate, with bounds."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from math import sqrt

import numpy as np

from training.statistics.evidence import CautiousEvidence, StudentEvidence, Unseen
from training.statistics.intervals import Estimate, Interval
from training.statistics.verdicts import Verdict, higher_is_better, verdict_of

MINIMUM_ITEMS = 10
CANDIDATE, TIE, BASE = 1.0, 0.5, 0.0


@dataclass(frozen=True, slots=True)
class Vote:
    """One judgement of one prompt: 1 for the candidate, 0 for the base, 1/2 for a tie."""

    item_id: str
    score: float
    voter: str | None = None


def win_rate(votes: Iterable[Vote], *, alpha: float = 0.05) -> Interval:
    """The share of votes for the candidate, ties counting half; votes on one item are a cluster.

    The bounds are within 0 and 1. Votes that all agree are not taken for certainty.

    Raises: ValueError for votes on fewer than two items, or a score outside of [0, 1].
    """
    totals: defaultdict[str, list[float]] = defaultdict(list)
    for vote in votes:
        if not 0.0 <= vote.score <= 1.0:
            raise ValueError("A vote is 1, 0 or 1/2.")
        totals[vote.item_id].append(vote.score)
    if len(totals) < 2:
        raise ValueError("A win rate needs votes on at least two items.")
    found = _evidence(list(totals.values())).interval(alpha)
    lower, upper = max(0.0, found.lower), min(1.0, found.upper)
    return Interval(found.delta, lower, upper, found.method, found.standard_error)


def preference_verdict(votes: Iterable[Vote], *, margin: float, alpha: float = 0.05) -> Verdict:
    """Whether the candidate is shown to win at least 1/2 - margin of the votes.

    Votes on fewer than ten items decide nothing.
    """
    listed = list(votes)
    if len({vote.item_id for vote in listed}) < MINIMUM_ITEMS:
        return Verdict.INCONCLUSIVE
    found = win_rate(listed, alpha=alpha)
    return verdict_of(found.lower - 0.5, found.upper - 0.5, higher_is_better(margin))


def _evidence(items: list[list[float]]) -> CautiousEvidence:
    """A mean over clusters of unequal size (M3), with what agreement may hide."""
    votes = np.array([len(scores) for scores in items], dtype=np.float64)
    sums = np.array([sum(scores) for scores in items])
    n, count = float(votes.sum()), len(items)
    rate = float(sums.sum()) / n
    residuals = sums - rate * votes
    error = sqrt(count / (count - 1) * float(np.dot(residuals, residuals))) / n
    seen = StudentEvidence(Estimate(rate, error, count - 1, "win_rate_t"))
    alike = Counter((sums / votes).tolist()).most_common(1)[0][1]
    return CautiousEvidence(seen, Unseen(count, count - alike, 1.0))
