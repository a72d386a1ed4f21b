"""The gate's tabs of a pull request: benchmarks, examples, runs."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext_lazy

from hub.extensions import Change, PullRequestTab
from hub.models import Repository
from training.actions.standing import standing_of
from training.models import Run
from training.web.examples import examples
from training.web.verdict_tab import benchmarks


def runs(repository: Repository, change: Change, request: HttpRequest) -> dict[str, Any]:
    rows = Run.objects.filter(repository=repository.pk, pull_request_number=change.number)
    found = list(rows.defer("spec").select_related("created_by").order_by("-number"))
    for run in found:
        run.repository = repository
    return {"runs": found}


def _results(repository: Repository, change: Change) -> list[dict[str, Any]] | None:
    """What the tabs show: the verdict on these heads, else the newest earlier one."""
    standing = standing_of(repository, change)
    return standing.shown.results if standing and standing.shown else None


def benchmark_count(repository: Repository, change: Change) -> int | None:
    found = _results(repository, change)
    return None if found is None else len(found)


def example_count(repository: Repository, change: Change) -> int | None:
    """How many items changed; those of hidden benchmarks stay uncounted, since anybody reads this
    (threat M5)."""
    found = _results(repository, change)
    if found is None:
        return None
    return sum((r.get("gains") or 0) + (r.get("losses") or 0) for r in found if not r.get("hidden"))


def run_count(repository: Repository, change: Change) -> int:
    return Run.objects.filter(repository=repository.pk, pull_request_number=change.number).count()


TABS = [
    PullRequestTab(
        "benchmarks",
        gettext_lazy("Benchmarks"),
        "training/pull_request_benchmarks.html",
        benchmarks,
        benchmark_count,
    ),
    PullRequestTab(
        "examples",
        gettext_lazy("Examples"),
        "training/pull_request_examples.html",
        examples,
        example_count,
    ),
    PullRequestTab(
        "runs", gettext_lazy("Runs"), "training/pull_request_runs.html", runs, run_count
    ),
]
