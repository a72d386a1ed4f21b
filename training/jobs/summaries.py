"""What an evaluation says in a few numbers: every metric with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from training.jobs.items import Item, scores_of
from training.models import Benchmark
from training.statistics.metrics import METRICS, Kind
from training.statistics.pairing import ItemScore
from training.statistics.single import Estimate, mean_interval, share_interval, sums_interval


def scores_with_intervals(items: Sequence[Item], benchmark: Benchmark) -> dict[str, Any]:
    """{"acc": {"value", "lower", "upper"}} over `items`, two-sided 95 %, for every metric."""
    if not items:
        return {}
    names = [metric["name"] for metric in benchmark.metrics]
    return {name: estimate_of(scores_of(items, name), name).to_dict() for name in names}


def estimate_of(items: Sequence[ItemScore], name: str) -> Estimate:
    """The metric `name` over some items with its two-sided 95 % interval."""
    metric = METRICS[name]
    known = [item.cluster for item in items]
    clusters = None if any(cluster is None for cluster in known) else known
    if metric.kind is not Kind.MEAN:
        vectors = [item.sums for item in items]
        return sums_interval(vectors, lambda sums: float(metric.value(sums)), clusters)
    scores = [item.score or 0.0 for item in items]
    if clusters is None and metric.binary:
        return share_interval(sum(scores), len(scores))
    return mean_interval(scores, clusters)
