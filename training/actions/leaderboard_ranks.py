"""Ranks of models on a benchmark, worked out once for each set of evaluations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.cache import cache

from hub.errors import EntryNotFoundError
from training.jobs.items import read_scores
from training.models import Evaluation
from training.specs.schema import digest_of
from training.statistics.metrics import METRICS, Kind
from training.statistics.ranking import RankGroup, Score, rank_groups
from training.statistics.set_ranking import Task, rank_averages
from training.statistics.verdicts import Direction

ALPHA = 0.05
MODELS_LIMIT = 200  # on one board: what is below has no rank
_VERSION = 1  # of how ranks are worked out: another one forgets what was kept
_KEPT_SECONDS = 30 * 24 * 3600


@dataclass(frozen=True)
class Place:
    """Where a model stands: any rank from `low` to `high`, with all of its `group`."""

    low: int
    high: int
    group: int

    @property
    def is_shared(self) -> bool:
        return self.low != self.high


@dataclass(frozen=True)
class Weighed:
    """One benchmark of a set: the evaluation of every model by a name of its own."""

    evaluations: Mapping[str, Evaluation]
    metric: dict[str, Any]
    weight: float = 1.0


def ranks(evaluations: Mapping[str, Evaluation], metric: dict[str, Any]) -> dict[str, Place]:
    """The place of every model whose item results are at hand, by name.

    Pairs are tested on the items they share, two-sided, with Holm over all pairs.
    """
    return _kept([Weighed(evaluations, metric)], _ranked)


def average_ranks(benchmarks: Sequence[Weighed]) -> dict[str, Place]:
    """The place of every model by its average over the benchmarks, which all of them have."""
    return _kept(benchmarks, _ranked_by_average)


def _kept(
    benchmarks: Sequence[Weighed], work: Callable[[Sequence[Weighed]], list[RankGroup]]
) -> dict[str, Place]:
    if not benchmarks or not benchmarks[0].evaluations:
        return {}
    key = f"ranks:{_VERSION}:{_names(benchmarks)}"
    groups = cache.get(key)
    if groups is None:
        groups = [[g.models, g.rank_low, g.rank_high] for g in work(benchmarks)]
        cache.set(key, groups, _KEPT_SECONDS)
    return {
        model: Place(low, high, number)
        for number, (models, low, high) in enumerate(groups)
        for model in models
    }


def _names(benchmarks: Sequence[Weighed]) -> str:
    """SHA-256 of everything that the ranks depend on."""
    return digest_of(
        [
            [
                sorted((name, row.pk, row.items_sha256) for name, row in each.evaluations.items()),
                [each.metric.get(key) for key in ("name", "direction", "target")],
                each.weight,
                ALPHA,
            ]
            for each in benchmarks
        ]
    )


def _ranked(benchmarks: Sequence[Weighed]) -> list[RankGroup]:
    (each,) = benchmarks
    scores, clusters = _scores(each)
    if not scores:
        return []
    return rank_groups(scores, ALPHA, clusters=clusters, **_manner(each.metric))


def _ranked_by_average(benchmarks: Sequence[Weighed]) -> list[RankGroup]:
    tasks = []
    for each in benchmarks:
        scores, clusters = _scores(each)
        manner = _manner(each.metric)
        tasks.append(Task(scores, clusters=clusters, weight=each.weight, **manner))
    known = set.intersection(*(set(task.scores_by_model) for task in tasks))
    kept = [
        Task(
            {name: scores for name, scores in task.scores_by_model.items() if name in known},
            task.metric, task.direction, task.target, task.clusters, task.weight,
        )
        for task in tasks
    ]  # fmt: skip
    return rank_averages(kept, ALPHA)


def _manner(metric: dict[str, Any]) -> dict[str, Any]:
    direction = Direction(metric["direction"])
    return {"metric": metric["name"], "direction": direction, "target": metric["target"]}


def _scores(
    each: Weighed,
) -> tuple[dict[str, dict[str, Score]], dict[str, str] | None]:
    """Scores by model and item, and the cluster of every item where they have some."""
    name = each.metric["name"]
    is_mean = METRICS[name].kind is Kind.MEAN
    found: dict[str, dict[str, Score]] = {}
    clusters: dict[str, str] = {}
    for model, row in each.evaluations.items():
        try:
            items = read_scores(row.repository.blobs(), row.items_sha256, name)
        except (EntryNotFoundError, KeyError):  # gone from the store, or never measured
            continue
        found[model] = {
            item.item_id: (item.score or 0.0) if is_mean else item.sums for item in items
        }
        clusters |= {item.item_id: item.cluster for item in items if item.cluster is not None}
    return found, clusters or None
