"""Numbers that cards claim: `model-index` entries and `.eval_results`, shown and never ranked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite
from typing import Any

from django.db.models import Q

from hub.models import Kind, Repository
from hub.policies import Actor, visible_repositories
from training.models import Benchmark

CLAIMS_LIMIT = 200
ENTRIES_LIMIT = 200  # of one card
# What cards call some metrics.
CALLED = {"acc": ("acc", "accuracy"), "macro_f1": ("macro_f1", "f1 macro"), "f1": ("f1",)}


@dataclass(frozen=True)
class Claim:
    """What one card says of its model on a benchmark."""

    repository: Repository
    value: float
    source: str


def claims_of(actor: Actor, benchmark: Benchmark, metric: dict[str, Any]) -> list[Claim]:
    """One claim a model whose card names the benchmark's data set, task and metric."""
    names = {benchmark.repository.repo_id, benchmark.items_repository.repo_id}
    wanted = Q()
    for name in names:
        wanted |= Q(
            card_data__contains={"model-index": [{"results": [{"dataset": {"type": name}}]}]}
        )
        wanted |= Q(facts__contains={"evalResults": [{"data": {"dataset": {"id": name}}}]})
    rows = visible_repositories(actor).filter(wanted, kind=Kind.MODEL).order_by("-pk")
    found = []
    for repository in rows[:CLAIMS_LIMIT]:
        claim = next(_claims(repository, benchmark, metric, names), None)
        if claim is not None:
            found.append(claim)
    return found


def _claims(
    repository: Repository, benchmark: Benchmark, metric: dict[str, Any], names: set[str]
) -> Iterator[Claim]:
    tasks = {benchmark.label.lower(), benchmark.task.lower()}
    for entry in _index_entries(repository):
        dataset = _part(entry, "dataset")
        if dataset.get("type") in names and str(dataset.get("name", "")).lower() in tasks:
            for told in _parts(entry.get("metrics")):
                called = {str(told.get(key, "")).lower() for key in ("type", "name")}
                value = _value(told.get("value"), metric)
                if value is not None and called & set(_called(metric)):
                    yield Claim(repository, value, "model-index")
    for one in _parts((repository.facts or {}).get("evalResults")):
        entry = _part(one, "data")
        dataset = _part(entry, "dataset")
        is_its = dataset.get("id") in names and str(dataset.get("task_id", "")).lower() in tasks
        value = _value(entry.get("value"), metric)
        if is_its and value is not None and metric["name"] == benchmark.metric:
            yield Claim(repository, value, ".eval_results")


def _index_entries(repository: Repository) -> Iterator[dict[str, Any]]:
    for model in _parts((repository.card_data or {}).get("model-index")):
        yield from _parts(model.get("results"))


def _called(metric: dict[str, Any]) -> tuple[str, ...]:
    return CALLED.get(metric["name"], (metric["name"].lower(), metric["label"].lower()))


def _value(value: Any, metric: dict[str, Any]) -> float | None:
    """The number in the metric's own unit: some cards write a share in per cent."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    if not isfinite(number):
        return None
    return number / 100 if metric["unit"] == "share" and 1.0 < number <= 100.0 else number


def _part(value: Any, key: str) -> dict[str, Any]:
    part = value.get(key) if isinstance(value, dict) else None
    return part if isinstance(part, dict) else {}


def _parts(value: Any) -> list[dict[str, Any]]:
    listed = value[:ENTRIES_LIMIT] if isinstance(value, list) else []
    return [each for each in listed if isinstance(each, dict)]
