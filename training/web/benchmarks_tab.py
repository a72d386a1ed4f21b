"""The Benchmarks tab of a model: every benchmark over the versions of the default branch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from hub.errors import NotFoundError
from hub.extensions import Tab
from hub.http.authentication import actor_of
from hub.http.pages import frame, repository_page
from hub.models import Kind, Repository
from hub.policies import Actor
from training.actions.history import (
    History,
    Version,
    benchmarks_measured,
    branch_versions,
    histories,
    names_of,
)
from training.jobs.disclosure import readable_benchmarks, told_metrics
from training.models import Benchmark
from training.policies import may_evaluate
from training.web.forms import BisectForm, pinned_reference
from training.web.scores import (
    Row,
    bisect_url,
    direction_word,
    has_fallen,
    ideal_of,
    metric_word,
    score_row,
    version_rows,
)

CARDS_A_PAGE = 5
# A page stays below 100 KB: so many versions on a card, and on the page of one benchmark.
VERSIONS_ON_CARD, VERSIONS_ON_PAGE = 16, 60
ELSEWHERE_SHOWN = 10


def benchmarks_tab(repository: Repository) -> Iterable[Tab]:
    """The tab of models."""
    if repository.kind == Kind.MODEL:
        yield Tab("benchmarks", _("Benchmarks"), f"{repository.get_absolute_url()}/benchmarks")


@require_safe
@repository_page()
def benchmarks(request: HttpRequest, repository: Repository) -> HttpResponse:
    """All benchmarks, some a page; `?benchmark=` shows one with all its metrics and versions."""
    if repository.kind != Kind.MODEL:
        raise NotFoundError(f"{repository.repo_id} is no model: only models are measured.")
    actor = actor_of(request)
    wanted = request.GET.get("benchmark", "")
    context = frame(repository, "benchmarks") | {
        "may_evaluate": may_evaluate(actor, repository),
        "evaluate_url": f"{repository.get_absolute_url()}/evaluate",
    }
    if wanted:
        return render(
            request, "training/benchmark_history.html", context | _one(repository, actor, wanted)
        )
    return render(
        request,
        "training/benchmarks.html",
        context | _all(repository, actor, request.GET.get("page")),
    )


def _all(repository: Repository, actor: Actor, page_number: str | None) -> dict[str, Any]:
    """A card for each benchmark of one page."""
    page = Paginator(benchmarks_measured(repository), CARDS_A_PAGE).get_page(page_number)
    versions = branch_versions(repository) if page.object_list else []
    found = histories(repository, versions, list(page.object_list))
    names = names_of(repository, versions) if found else {}
    readable = readable_benchmarks(
        actor, [history.benchmark for history in found], within=repository.pk
    )
    cards = [
        _card(history, repository, names, may_read=history.benchmark.pk in readable)
        for history in found
    ]
    return {
        "page": page,
        "cards": cards,
        "version_count": len(versions),
        "fell": any(card["search_url"] for card in cards),
    }


def _card(
    history: History, repository: Repository, names: dict[str, str], *, may_read: bool
) -> dict[str, Any]:
    """One benchmark by its first metric."""
    benchmark = history.benchmark
    metric = _first_metric(benchmark, may_read=may_read, within=repository.pk)
    rows = version_rows(history, metric, names, repository, may_read=may_read)
    shown = rows[-VERSIONS_ON_CARD:]
    return {
        "benchmark": benchmark,
        "may_read": may_read,
        "metric": metric_word(metric),
        "direction": direction_word(metric),
        "ideal": ideal_of(metric),
        "unit": metric.get("unit"),
        "rows": shown,
        "newest_first": shown[::-1],
        "left_out": len(rows) - len(shown),
        "latest": _latest(history, rows),
        "url": f"{repository.get_absolute_url()}/benchmarks?benchmark={benchmark.pk}",
        "elsewhere_count": len(history.elsewhere),
        "search_url": _search_url(history, rows, metric["name"], repository),
    }


def _first_metric(benchmark: Benchmark, *, may_read: bool, within: int) -> dict[str, Any]:
    """The benchmark's own metric, where it is told; else the one that is."""
    metrics = told_metrics(benchmark, may_read=may_read, within=within)
    own = benchmark.metric_named("")
    return own if own in metrics else next(iter(metrics), own)


def _latest(history: History, rows: Sequence[Row]) -> Row | None:
    """The newest version that was measured, and how far the branch has gone since."""
    point = history.latest
    if point is None:
        return None
    since = len(history.versions) - 1 - point.number
    told = ngettext("measured %(count)d version ago", "measured %(count)d versions ago", since) % {
        "count": since
    }
    return rows[-1] | {"is_current": since == 0, "age_text": told if since else ""}


def _search_url(history: History, rows: Sequence[Row], metric: str, repository: Repository) -> str:
    """The form that asks which commit broke it; empty where nothing did."""
    best = _fallen_from(rows, history.benchmark.metric_named(metric))
    if best is None:
        return ""
    return bisect_url(repository, history.benchmark, metric, best["oid"], rows[-1]["oid"])


def _fallen_from(rows: Sequence[Row], metric: dict[str, Any]) -> Row | None:
    """The best version before the latest one, where the latest has fallen from it."""
    earlier = [row for row in rows[:-1] if row["value"] is not None]
    best = max(earlier, key=lambda row: _worth(row["value"], metric), default=None)
    return best if best is not None and has_fallen(best, rows[-1], metric) else None


def _worth(value: float, metric: dict[str, Any]) -> float:
    """Higher for what is better."""
    if metric.get("target") is not None:
        return -abs(value - metric["target"])
    return -value if metric.get("direction") == "lower" else value


def _one(repository: Repository, actor: Actor, wanted: str) -> dict[str, Any]:
    """One benchmark with all its metrics, what lies elsewhere, and the form of the search."""
    pk = int(wanted) if wanted.isdecimal() and len(wanted) < 18 else 0
    versions = branch_versions(repository)
    found = histories(repository, versions, [pk])
    if not found:
        raise NotFoundError(f"{repository.repo_id} has not been measured with that benchmark.")
    (history,) = found
    benchmark = history.benchmark
    names = names_of(repository, versions)
    may_read = benchmark.pk in readable_benchmarks(actor, [benchmark], within=repository.pk)
    charts = [
        _chart(history, metric, names, repository, may_read=may_read)
        for metric in told_metrics(benchmark, may_read=may_read, within=repository.pk)
    ]
    first = _first_metric(benchmark, may_read=may_read, within=repository.pk)
    return {
        "benchmark": benchmark,
        "may_read": may_read,
        "history": history,
        "charts": charts,
        "latest": _latest(history, charts[0]["rows"]) if charts[0]["rows"] else None,
        "elsewhere": [
            score_row(row, first, may_read=may_read)
            | {
                "oid": row.revision,
                "created_at": row.created_at,
                "pull_request": row.run.pull_request_number if row.run else None,
            }
            for row in history.elsewhere[:ELSEWHERE_SHOWN]
        ],
        "others": _others(repository, benchmark),
        "search": _search_form(history, charts[0]["rows"]) if may_read else None,
        "version_names": version_names(versions, names),
    }


def _chart(
    history: History,
    metric: dict[str, Any],
    names: dict[str, str],
    repository: Repository,
    *,
    may_read: bool,
) -> dict[str, Any]:
    rows = version_rows(history, metric, names, repository, may_read=may_read)[-VERSIONS_ON_PAGE:]
    return {
        "metric": metric_word(metric),
        "direction": direction_word(metric),
        "ideal": ideal_of(metric),
        "rows": rows,
        "newest_first": rows[::-1],
    }


def _others(repository: Repository, benchmark: Benchmark) -> list[Benchmark]:
    """Other digests of the same file that this model was measured with, the newest first."""
    rows = Benchmark.objects.at(benchmark.repository_id, benchmark.path).exclude(pk=benchmark.pk)
    return list(rows.filter(evaluations__repository=repository.pk).distinct().only("pk")[:10])


def _search_form(history: History, rows: Sequence[Row]) -> BisectForm | None:
    """Good: the best version before the latest; bad: the latest, where it has fallen."""
    metric = history.benchmark.metric_named(history.benchmark.metric)
    best = _fallen_from(rows, metric)
    if best is None:
        return None
    initial = {
        "benchmark": pinned_reference(history.benchmark),
        "metric": metric["name"],
        "good": best["oid"],
        "bad": rows[-1]["oid"],
    }
    return BisectForm([history.benchmark], initial=initial)


def version_names(versions: Sequence[Version], names: dict[str, str]) -> list[tuple[str, str]]:
    """What a field for a version suggests: oid and name, the newest first."""
    newest = list(versions)[::-1][:VERSIONS_ON_PAGE]
    return [(v.oid, f"{names.get(v.oid, v.short)} · {v.subject[:60]}") for v in newest]
