"""The fairness table: what a change did to every group of items by itself."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace

import numpy as np

from training.statistics.comparison import Rule, allowance_of
from training.statistics.metrics import Kind, Metric, metric_named
from training.statistics.multiplicity import benjamini_hochberg
from training.statistics.pairing import ItemScore, Paired, pair_items
from training.statistics.verdicts import sign_of
from training.statistics.weighing import evidence_of, regression_p, value_of

_UNITS_TO_RESAMPLE = 10


@dataclass(frozen=True, slots=True)
class GroupRow:
    """One group. Scores are as measured; `delta`, `lower` and `upper` as in a Comparison.

    `p_value` is one-sided: that the group did not get worse. `p_adjusted` is corrected for how many
    groups were looked at (BH), and `flagged` where it is at most the rule's alpha. A group too
    small to have a spread has None for bounds and p-values.
    """

    group: str
    n: int
    base: float
    candidate: float
    delta: float
    lower: float | None = None
    upper: float | None = None
    p_value: float | None = None
    p_adjusted: float | None = None
    flagged: bool = False

    def to_dict(self) -> dict[str, object]:
        """Plain values, ready for JSON."""
        return asdict(self)


def by_group(
    base: Iterable[ItemScore],
    candidate: Iterable[ItemScore],
    groups: Mapping[str, str],
    rule: Rule,
    *,
    seed: int = 0,
) -> list[GroupRow]:
    """A row for every group, by name. `groups` names the group of an item id; others are left out.

    Raises: PairingError as `pair_items`.
    """
    metric = metric_named(rule.metric)
    pairs = pair_items(base, candidate, metric)
    places: defaultdict[str, list[int]] = defaultdict(list)
    for place, item_id in enumerate(pairs.ids):
        if item_id in groups:
            places[groups[item_id]].append(place)
    rows = [
        _row(name, pairs.taken(np.array(places[name], dtype=np.intp)), metric, rule, seed)
        for name in sorted(places)
    ]
    return _adjusted(rows, rule.alpha)


def _row(name: str, pairs: Paired, metric: Metric, rule: Rule, seed: int) -> GroupRow:
    base, candidate = value_of(pairs, metric, "base"), value_of(pairs, metric, "candidate")
    sign = sign_of(rule.direction)
    row = GroupRow(name, pairs.n, base, candidate, sign * (candidate - base))
    if (pairs.cluster_count or pairs.n) < (_UNITS_TO_RESAMPLE if metric.kind is Kind.CORPUS else 2):
        return row
    evidence = evidence_of(pairs, metric, sign, alpha=rule.alpha, seed=seed)
    interval = evidence.interval(rule.alpha)
    p_value = regression_p(evidence, allowance_of(rule, rule.margin, base))
    return replace(row, lower=interval.lower, upper=interval.upper, p_value=p_value)


def _adjusted(rows: list[GroupRow], alpha: float) -> list[GroupRow]:
    known = [row.p_value for row in rows if row.p_value is not None]
    corrected = iter(benjamini_hochberg(known))
    found = []
    for row in rows:
        if row.p_value is not None:
            p_adjusted = next(corrected)
            row = replace(row, p_adjusted=p_adjusted, flagged=p_adjusted <= alpha)
        found.append(row)
    return found
