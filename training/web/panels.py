"""What training adds to the first page of a model: scores of every version, and how to start."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from hub.extensions import Panel
from hub.http.authentication import actor_of
from hub.models import Kind, Repository
from training.actions.history import (
    History,
    benchmarks_measured,
    branch_versions,
    histories,
    names_of,
)
from training.actions.models import is_loadable
from training.jobs.disclosure import readable_benchmarks, told_metrics
from training.models import Benchmark, GateRecord, Run
from training.policies import may_evaluate, may_finetune
from training.web.scores import direction_word, ideal_of, metric_word, version_rows

RUNS_SHOWN = 4
VERSIONS_SHOWN = 24
# Beyond so many the Benchmarks tab is the place to choose.
BENCHMARKS_NAMED = 6


def versions(repository: Repository, request: HttpRequest) -> dict[str, Any]:
    """The score of every version on one benchmark and metric (`?benchmark=`, `?metric=`)."""
    if repository.kind != Kind.MODEL:
        return {}
    keys = benchmarks_measured(repository)
    if not keys:
        return {}
    rows = {row.pk: row for row in Benchmark.objects.filter(pk__in=keys).only("label", "metrics")}
    chosen = _chosen(repository, keys, request.GET.get("benchmark", ""))
    on_branch = branch_versions(repository)
    found = histories(repository, on_branch, [chosen])
    history = found[0] if found else None
    if history is None or not history.points:
        return {}
    others = [chosen, *(key for key in keys if key != chosen)][:BENCHMARKS_NAMED]
    shown = _shown(repository, request, history)
    return shown | {
        "benchmarks": [
            (key, rows[key].label, key == chosen) for key in sorted(others, key=keys.index)
        ],
        "more": max(0, len(keys) - BENCHMARKS_NAMED),
        "all_url": f"{repository.get_absolute_url()}/benchmarks",
    }


def _chosen(repository: Repository, keys: list[int], wanted: str) -> int:
    """The benchmark asked for; else the target of the newest gate, else the one measured last."""
    if wanted.isdecimal() and len(wanted) < 18 and int(wanted) in keys:
        return int(wanted)
    record = GateRecord.objects.filter(repository=repository.pk).order_by("-pk").first()
    for result in record.results if record else ():
        if result.get("role") == "target" and result.get("benchmark") in keys:
            return int(result["benchmark"])
    return keys[0]


def _shown(repository: Repository, request: HttpRequest, history: History) -> dict[str, Any]:
    """One metric of one benchmark."""
    benchmark = history.benchmark
    may_read = bool(readable_benchmarks(actor_of(request), [benchmark], within=repository.pk))
    metrics = told_metrics(benchmark, may_read=may_read, within=repository.pk)
    wanted = benchmark.metric_named(request.GET.get("metric", benchmark.metric))
    metric = wanted if wanted in metrics else next(iter(metrics), wanted)
    names = names_of(repository, history.versions)
    return {
        "rows": version_rows(history, metric, names, repository, may_read=may_read)[
            -VERSIONS_SHOWN:
        ],
        "name": benchmark.label,
        "key": benchmark.pk,
        "metric": metric_word(metric),
        "direction": direction_word(metric),
        "ideal": ideal_of(metric),
        "metrics": [(each["name"], each["label"], each is metric) for each in metrics],
    }


def start(repository: Repository, request: HttpRequest) -> dict[str, Any]:
    """Fine-tune, measure, and the newest runs."""
    if repository.kind != Kind.MODEL:
        return {}
    runs = list(
        Run.objects.filter(repository=repository.pk)
        .defer("spec", "result")
        .order_by("-number")[:RUNS_SHOWN]
    )
    if not runs and not is_loadable(repository):
        return {}
    for run in runs:
        run.repository = repository
    actor = actor_of(request)
    return {
        "is_signed_in": actor.is_signed_in,
        "may_finetune": may_finetune(actor, repository),
        "may_evaluate": may_evaluate(actor, repository),
        "try_url": f"{repository.get_absolute_url()}/try" if settings.TRY_IT else "",
        "finetune_url": f"{repository.get_absolute_url()}/finetune",
        "evaluate_url": f"{repository.get_absolute_url()}/evaluate",
        "runs": runs,
        "runs_url": f"{repository.get_absolute_url()}/runs",
    }


PANELS = [
    Panel("training/versions_panel.html", versions),
    Panel("training/start_panel.html", start, is_aside=True),
]
