"""Pages of runs: the list, one run with its live parts, cancel and run again."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from hub.actions import inbox
from hub.http.authentication import actor_of
from hub.http.pages import frame, repository_page
from hub.models import Repository
from hub.policies import Actor
from training.actions.curves import curves
from training.actions.runs import cancel_run, run_again
from training.actions.specs import input_files, shown_spec
from training.models import LogLine, Run, RunKind
from training.policies import get_run, may_evaluate, may_finetune, may_stop
from training.web.run_results import results_of

RUNS_A_PAGE = 30
LOG_TAIL_LINES = 400
PARTS = ("live", "curves")


@require_safe
@repository_page()
def run_list(request: HttpRequest, repository: Repository) -> HttpResponse:
    """Runs of a repository, the newest first."""
    rows = Run.objects.filter(repository=repository.pk).select_related("created_by")
    rows = rows.defer("spec", "result")
    kind = request.GET.get("kind", "")
    if kind in RunKind.values:
        rows = rows.filter(kind=kind)
    page = Paginator(rows.order_by("-number"), RUNS_A_PAGE).get_page(request.GET.get("page"))
    for run in page.object_list:
        run.repository = repository
    context = frame(repository, "runs") | {
        "page": page,
        "kind": kind if kind in RunKind.values else "",
        "kinds": RunKind.choices,
        "may_finetune": may_finetune(actor_of(request), repository),
        "may_evaluate": may_evaluate(actor_of(request), repository),
    }
    return render(request, "training/run_list.html", context)


@require_safe
@repository_page()
def run_detail(request: HttpRequest, repository: Repository, number: int) -> HttpResponse:
    """One run; `?part=` gives the fragment that asks for itself again while the run is live."""
    run = get_run(repository, number)
    part = request.GET.get("part", "")
    context = run_context(run, actor_of(request), part)
    if part in PARTS:
        response = render(request, f"training/run.html#{part}", context)
        response["Cache-Control"] = "no-store"
        return response
    inbox.saw(repository, actor_of(request), f"runs/{number}")
    context["input_files"] = input_files(_without_versions(shown_spec(run, actor_of(request))))
    return render(request, "training/run.html", frame(repository, "runs") | context)


def _without_versions(spec: dict[str, Any]) -> dict[str, Any]:
    """A spec without the models of a search: its versions have a table of their own."""
    roles = {version["role"] for version in spec.get("versions_between", [])}
    return spec | {"inputs": [g for g in spec.get("inputs", []) if g["role"] not in roles]}


def run_context(run: Run, actor: Actor, part: str = "") -> dict[str, Any]:
    """What the page, or one of its parts, shows of a run."""
    context: dict[str, Any] = {"run": run, "repository": run.repository}
    if part != "live":
        context["series"] = curves(run)
    if part != "curves":
        tail = LogLine.objects.filter(run=run).order_by("-pk")[: LOG_TAIL_LINES + 1]
        lines = list(tail.values_list("text", flat=True))
        context |= {
            "log": "\n".join(reversed(lines[:LOG_TAIL_LINES])),
            "log_is_cut": len(lines) > LOG_TAIL_LINES,
            "attempts": list(run.attempts.all()),
            "may_stop": run.is_live and may_stop(actor, run),
            "may_repeat": run.is_final and actor.is_signed_in,
            "record": getattr(run, "gate_record", None) if run.kind == RunKind.COMPARE else None,
            **results_of(run),
        }
    return context


@require_POST
@repository_page()
def cancel(request: HttpRequest, repository: Repository, number: int) -> HttpResponse:
    run = get_run(repository, number)
    cancel_run(run, actor_of(request))
    messages.info(request, _("The run is being stopped."))
    return redirect(run.get_absolute_url())


@require_POST
@repository_page()
def repeat(request: HttpRequest, repository: Repository, number: int) -> HttpResponse:
    run = run_again(get_run(repository, number), actor_of(request))
    return redirect(run.get_absolute_url())
