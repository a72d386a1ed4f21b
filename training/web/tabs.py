"""The gate's tabs of a pull request: benchmarks, examples, runs."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from hub.extensions import Change, PullRequestTab
from hub.http.authentication import actor_of
from hub.models import Repository
from training.actions.examples import LENGTHS, Query, find_examples
from training.actions.standing import requirement_of, standing_of
from training.jobs.sentences import detail_of
from training.models import GateRecord, Run

EXAMPLES_A_PAGE = 20
FILTERS = ("benchmark", "direction", "group", "length", "item")
METHODS = {
    "tango": gettext_lazy("score interval for paired right/wrong items (Tango 1998)"),
    "paired_t": gettext_lazy("paired t interval"),
    "clustered_t": gettext_lazy("t interval over groups of items"),
    "ratio_t": gettext_lazy("t interval of a ratio"),
}
LABELS = {
    "improved": gettext_lazy("improved"),
    "regressed": gettext_lazy("regressed"),
    "no_significant_change": gettext_lazy("no significant change"),
}


def _shown(repository: Repository, change: Change) -> tuple[Any, GateRecord | None]:
    """How the gate stands, and the verdict to show: on these heads, else the newest earlier one."""
    standing = standing_of(repository, change)
    return standing, (standing.record or standing.earlier) if standing else None


def benchmarks(repository: Repository, change: Change, request: HttpRequest) -> dict[str, Any]:
    standing, record = _shown(repository, change)
    return {
        "standing": standing,
        "record": record,
        "is_stale": bool(record and standing and record is standing.earlier),
        "rows": [_row(result, change) for result in record.results] if record else [],
        "record_detail": detail_of(record.results) if record else "",
        "gate_line": requirement_of(standing) if standing else None,
    }


def _row(result: dict[str, Any], change: Change) -> dict[str, Any]:
    """One benchmark, with differences in points, as table and plot take it."""
    label = result.get("label")
    role = _("target") if result["role"] == "target" else _("guard")
    note = f"{role} · {result['metric']}"
    if result.get("target") is not None:
        note += " · " + _("ideal %(share)g %%") % {"share": 100 * result["target"]}
    delta, lower, upper = _oriented(result)
    return result | {
        "label": result["label_text"],
        "note": note,
        "delta": _points(delta),
        "lower": _points(lower),
        "upper": _points(upper),
        "margin": _points(result.get("margin")),
        "verdict_label": LABELS.get(label) if label else None,
        "method_text": METHODS.get(str(result.get("method")), result.get("method") or ""),
        "url": f"{change.path}/examples?benchmark={result['key']}",
    }


def _oriented(result: dict[str, Any]) -> tuple[float | None, float | None, float | None]:
    """Change and bounds with right as better: towards its target, where a score has one."""
    delta, lower, upper = (result.get(key) for key in ("delta", "lower", "upper"))
    target = result.get("target")
    if target is None or delta is None or result["base_score"] < target:
        return delta, lower, upper
    return -delta, -upper, -lower  # type: ignore[operator]


def _points(value: float | None) -> float | None:
    return None if value is None else 100 * value


def examples(repository: Repository, change: Change, request: HttpRequest) -> dict[str, Any]:
    standing, record = _shown(repository, change)
    if record is None:
        return {"record": None, "standing": standing}
    keys = [(result["key"], result["label_text"]) for result in record.results]
    given = {name: request.GET.get(name, "")[:200] for name in FILTERS}
    number = _page_number(request)
    found = find_examples(
        repository, record, actor_of(request), Query(**given),
        start=(number - 1) * EXAMPLES_A_PAGE, count=EXAMPLES_A_PAGE,
    )  # fmt: skip
    page = Paginator(range(found.total), EXAMPLES_A_PAGE).get_page(number)
    return {
        "record": record,
        "standing": standing,
        "is_stale": bool(standing and record is standing.earlier),
        "page": page,
        "examples": found.examples,
        "counts": found.counts,
        "hidden": found.hidden,
        "groups": found.groups,
        "keys": keys,
        "chosen": given,
        "directions": [("lost", _("lost")), ("gained", _("gained")), ("same", _("unchanged"))],
        "lengths": list(LENGTHS),
        "query": urlencode({key: value for key, value in given.items() if value}),
    }


def _page_number(request: HttpRequest) -> int:
    text = request.GET.get("page", "1")
    return max(1, int(text)) if text.isdecimal() and len(text) < 7 else 1


def runs(repository: Repository, change: Change, request: HttpRequest) -> dict[str, Any]:
    rows = Run.objects.filter(repository=repository.pk, pull_request_number=change.number)
    found = list(rows.defer("spec").select_related("created_by").order_by("-number"))
    for run in found:
        run.repository = repository
    return {"runs": found}


def benchmark_count(repository: Repository, change: Change) -> int | None:
    record = GateRecord.objects.of(repository.pk, change.number).only("results").first()
    return len(record.results) if record else None


def example_count(repository: Repository, change: Change) -> int | None:
    """How many items changed their score, by the newest verdict."""
    record = GateRecord.objects.of(repository.pk, change.number).only("results").first()
    if record is None:
        return None
    return sum((r.get("gains") or 0) + (r.get("losses") or 0) for r in record.results)


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
