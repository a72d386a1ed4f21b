"""Measuring a model, and what one measurement says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods, require_safe

from hub.errors import HubError, RevisionNotFoundError, UnauthenticatedError
from hub.http.authentication import actor_of
from hub.http.pages import frame, repository_page
from hub.models import Repository
from hub.policies import Actor
from training.actions.choosing import choices, revisions_of
from training.actions.evaluating import submit_evaluation
from training.actions.history import Version, branch_versions, histories, names_of
from training.actions.measured import (
    Wanted,
    find_items,
    get_evaluation,
    group_scores,
    may_see_items,
)
from training.actions.models import files_at, how_to_run
from training.jobs.disclosure import told_metrics
from training.jobs.inputs import PinnedFile, model_digest
from training.models import Evaluation, Run, RunStatus
from training.policies import may_evaluate, require_evaluation
from training.statistics.metrics import METRICS
from training.web.forms import EvaluateForm
from training.web.scores import (
    bisect_url,
    direction_word,
    has_fallen,
    interval_text,
    metric_word,
    score_row,
)
from training.web.units import scale_of

CHOICES_A_PAGE = 20
ITEMS_A_PAGE = 20
FILTERS = ("answer", "group", "order", "item")


@require_http_methods(["GET", "HEAD", "POST"])
@repository_page()
def evaluate(request: HttpRequest, repository: Repository) -> HttpResponse:
    """Choose a revision and benchmarks; the run's page follows."""
    actor = actor_of(request)
    require_evaluation(actor, repository, is_proposal=False)
    data = request.POST if request.method == "POST" else None
    revision = (data or request.GET).get("revision", "").strip() or repository.default_branch
    ticked = (data or request.GET).getlist("benchmarks" if data is not None else "benchmark")
    form = EvaluateForm(data, initial={"revision": revision})
    if data is not None and form.is_valid():
        run = _submit(repository, actor, form)
        if run is not None:
            return redirect(run.get_absolute_url())
    query = request.GET.get("q", "")[:256]
    reads, problem = _reads(repository, revision[:250])
    found = choices(
        actor,
        repository,
        model_digest=reads.get("digest", ""),
        settings_digest=reads.get("settings_digest", ""),
        query=query,
    )
    # What is ticked stays in sight.
    found.sort(key=lambda choice: choice.reference not in ticked)
    context = frame(repository, "benchmarks") | {
        "form": form,
        "revision": revision,
        "revisions": revisions_of(repository),
        "problem": problem,
        "reads": reads,
        "query": query,
        "ticked": ticked,
        "page": Paginator(found, CHOICES_A_PAGE).get_page(request.GET.get("page")),
        "keep": urlencode({"q": query, "revision": revision}),
        "waiting": Run.objects.waiting().count(),
        "mine_waiting": Run.objects.filter(
            created_by=actor.user.pk, status=RunStatus.QUEUED
        ).count(),
        "room": settings.RUN_QUEUED_LIMIT_PER_USER,
    }
    status = 200 if data is None else 422
    return render(request, "training/evaluate.html", context, status=status)


def _submit(repository: Repository, actor: Actor, form: EvaluateForm) -> Run | None:
    """The run, or None with the refusal shown."""
    try:
        return submit_evaluation(
            repository,
            actor,
            benchmarks=form.references(),
            revision=form.cleaned_data["revision"],
        )
    except UnauthenticatedError:
        raise
    except RevisionNotFoundError as error:
        form.add_error("revision", str(error))
    except HubError as error:
        form.add_error(None, str(error))
    return None


def _reads(repository: Repository, revision: str) -> tuple[dict[str, Any], str]:
    """What a run would read of the model and how it would run it; or what is wrong with it."""
    try:
        oid = repository.store().resolve(revision)
        files: list[PinnedFile] = files_at(repository, oid)
        how = how_to_run(repository, files)
    except HubError as error:
        return {}, str(error)
    return {
        "oid": oid,
        "files": len(files),
        "size_bytes": sum(file.size_bytes for file in files),
        "digest": model_digest(files),
        "has_weights": any(file.path.endswith(".safetensors") for file in files),
        **how,
    }, ""


@require_safe
@repository_page()
def evaluation(request: HttpRequest, repository: Repository, number: int) -> HttpResponse:
    """One model on one benchmark: scores, groups, items, and how it was measured."""
    actor = actor_of(request)
    row = get_evaluation(repository, number)
    may_read = may_see_items(actor, row)
    metric = row.benchmark.metric_named(request.GET.get("metric", row.benchmark.metric))
    context = frame(repository, "benchmarks") | _about(repository, row)
    context |= {
        "evaluation": row,
        "benchmark": row.benchmark,
        "may_read": may_read,
        "may_evaluate": may_evaluate(actor, repository),
        "metric": metric,
        "metric_text": metric_word(metric),
        "scores": [
            score_row(row, each, may_read=may_read)
            | {
                "name": each["name"],
                "metric": metric_word(each),
                "direction": direction_word(each),
            }
            for each in told_metrics(row.benchmark, may_read=may_read, within=row.repository_id)
        ],
        "has_items": bool(row.items_sha256),
    }
    if may_read and row.items_sha256:
        context |= _items(request, row, metric)
    return render(request, "training/evaluation.html", context)


def _about(repository: Repository, row: Evaluation) -> dict[str, Any]:
    """Which version of the model it belongs to, and where that stands."""
    versions = branch_versions(repository)
    place = next((n for n, v in enumerate(versions) if v.digest == row.model_digest), None)
    version = None if place is None else versions[place]
    found: dict[str, Any] = {
        "version": version,
        "is_current": place is not None and place == len(versions) - 1,
        "since": None if place is None else len(versions) - 1 - place,
    }
    if version is not None and place is not None:
        found["version_name"] = names_of(repository, [version])[version.oid]
        found["search_url"] = _search_url(repository, row, versions, place)
    return found


def _search_url(
    repository: Repository, row: Evaluation, versions: Sequence[Version], place: int
) -> str:
    """The form that asks which later version broke it; empty where none is known to be worse."""
    latest = histories(repository, versions, [row.benchmark_id])[0].latest
    if latest is None or latest.number <= place:
        return ""
    metric = row.benchmark.metric_named(row.benchmark.metric)
    here, now = (score_row(e, metric, may_read=True) for e in (row, latest.evaluation))
    if not has_fallen(here, now, metric):
        return ""
    good, bad = versions[place].oid, latest.version.oid
    return bisect_url(repository, row.benchmark, metric["name"], good, bad)


def _items(request: HttpRequest, row: Evaluation, metric: dict[str, Any]) -> dict[str, Any]:
    """Groups and one page of items, for those who may see them."""
    given = {name: request.GET.get(name, "")[:200] for name in FILTERS}
    name, text = metric["name"], request.GET.get("page", "1")
    number = max(1, int(text)) if text.isdecimal() and len(text) < 7 else 1
    start = (number - 1) * ITEMS_A_PAGE
    found = find_items(row, name, Wanted(**given), start=start, count=ITEMS_A_PAGE)
    scale = scale_of(metric.get("unit"))
    keep = {**given, "metric": request.GET.get("metric")}
    return {
        "items": found,
        "is_binary": METRICS[name].binary,
        "scale": scale,
        "page": Paginator(range(found.total), ITEMS_A_PAGE).get_page(number),
        "chosen": given,
        "keep": urlencode({key: value for key, value in keep.items() if value}),
        "groups": [
            {
                "group": each.group,
                "n": each.n,
                "score_text": scale.score(each.value),
                "interval_text": interval_text(scale, each.lower, each.upper),
            }
            for each in group_scores(row, name)
        ],
    }
