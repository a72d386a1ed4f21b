"""What training adds to the first page of a model: scores of every version, and how to start."""

from __future__ import annotations

from math import sqrt
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _

from hub.extensions import Panel
from hub.http.authentication import actor_of
from hub.models import Kind, Repository
from training.models import GateRecord, Run
from training.policies import may_finetune
from training.statistics.quantiles import normal_quantile

VERSIONS_LOOKED_AT = 50
RUNS_SHOWN = 4
_Z_95 = normal_quantile(0.975)


def versions(repository: Repository, request: HttpRequest) -> dict[str, Any]:
    """The score of every merged version on one benchmark (`?benchmark=`), oldest first."""
    merges = _weighed_merges(repository)
    if not merges:
        return {}
    names = {r["key"]: r["label_text"] for _label, record in merges for r in record.results}
    targets = [
        r["key"] for _label, record in merges for r in record.results if r["role"] == "target"
    ]
    wanted = request.GET.get("benchmark", "")
    key = wanted if wanted in names else (targets or list(names))[0]
    rows: list[dict[str, Any]] = []
    for label, record in merges:
        result = next((r for r in record.results if r["key"] == key), None)
        if result is None or result.get("candidate_score") is None:
            continue
        if not rows:
            rows.append(_row(_("before"), result["base_score"], result["n"], ""))
        url = f"{repository.get_absolute_url()}/discussions/{record.pull_request_number}/benchmarks"
        rows.append(_row(label, result["candidate_score"], result["n"], url))
    if not rows:
        return {}
    others = [(k, name, k == key) for k, name in names.items()]
    return {"rows": rows, "name": names[key], "benchmarks": others}


def _weighed_merges(repository: Repository) -> list[tuple[str, GateRecord]]:
    """Merges on the default branch that a gate has weighed, oldest first, with their label."""
    store = repository.store()
    head = store.branch_head(repository.default_branch)
    commits = store.commits(head, limit=VERSIONS_LOOKED_AT) if head else []
    sides = {commit.parents: commit for commit in commits if len(commit.parents) == 2}
    records = GateRecord.objects.filter(
        repository=repository.pk,
        base_oid__in=[base for base, _head in sides],
        head_oid__in=[head for _base, head in sides],
    ).order_by("attempt")
    by_sides = {(record.base_oid, record.head_oid): record for record in records if record.results}
    found = [by_sides[parents] for parents in reversed(sides) if parents in by_sides]
    return [(f"#{record.pull_request_number}", record) for record in found]


def _row(label: str, score: float, n: int, url: str) -> dict[str, Any]:
    """A share in percent with its two-sided 95 % interval (standard error of a mean)."""
    reach = _Z_95 * sqrt(max(0.0, score * (1 - score)) / max(1, n - 1))
    lower, upper = max(0.0, score - reach), min(1.0, score + reach)
    return {
        "label": label,
        "score": 100 * score,
        "lower": 100 * lower,
        "upper": 100 * upper,
        "url": url,
    }


def start(repository: Repository, request: HttpRequest) -> dict[str, Any]:
    """The Fine-tune button and the newest runs."""
    if repository.kind != Kind.MODEL:
        return {}
    runs = list(
        Run.objects.filter(repository=repository.pk).defer("spec").order_by("-number")[:RUNS_SHOWN]
    )
    for run in runs:
        run.repository = repository
    return {
        "may_finetune": may_finetune(actor_of(request), repository),
        "finetune_url": f"{repository.get_absolute_url()}/finetune",
        "runs": runs,
        "runs_url": f"{repository.get_absolute_url()}/runs",
    }


PANELS = [
    Panel("training/versions_panel.html", versions),
    Panel("training/start_panel.html", start, is_aside=True),
]
