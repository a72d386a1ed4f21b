"""The form that asks which commit made a model worse."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from hub.errors import HubError, UnauthenticatedError
from hub.http.authentication import actor_of
from hub.http.pages import frame, repository_page
from hub.models import Repository
from hub.policies import Actor
from training.actions.bisecting import submit_bisect
from training.actions.history import benchmarks_measured, branch_versions, names_of
from training.jobs.disclosure import readable_benchmarks
from training.models import Benchmark, Run
from training.policies import require_evaluation
from training.web.benchmarks_tab import version_names
from training.web.forms import BisectForm, pinned_reference, refuse

BENCHMARKS_OFFERED = 100


@require_http_methods(["GET", "HEAD", "POST"])
@repository_page()
def bisect(request: HttpRequest, repository: Repository) -> HttpResponse:
    """Choose the ends; the run's page follows. `?benchmark=` and the others fill the form in."""
    actor = actor_of(request)
    require_evaluation(actor, repository, is_proposal=False)
    rows = offered(repository, actor)
    data = request.POST if request.method == "POST" else None
    form = BisectForm(rows, data, initial=_initial(request, rows))
    if data is not None and form.is_valid():
        run = _submit(repository, actor, form)
        if run is not None:
            return redirect(run.get_absolute_url())
    versions = branch_versions(repository)
    context = frame(repository, "benchmarks") | {
        "form": form if rows else None,
        "version_names": version_names(versions, names_of(repository, versions)),
        "version_count": len(versions),
    }
    status = 200 if data is None else 422
    return render(request, "training/bisect.html", context, status=status)


def offered(repository: Repository, actor: Actor) -> list[Benchmark]:
    """The benchmarks that this model was measured with and whose items `actor` may read."""
    keys = benchmarks_measured(repository)[:BENCHMARKS_OFFERED]
    found = Benchmark.objects.select_related("repository__namespace").defer("spec").in_bulk(keys)
    rows = [found[key] for key in keys]
    readable = readable_benchmarks(actor, rows, within=repository.pk)
    return [row for row in rows if row.pk in readable]


def _initial(request: HttpRequest, rows: list[Benchmark]) -> dict[str, Any]:
    """What the address says; the benchmark by its key."""
    wanted = request.GET.get("benchmark", "")
    chosen = next((row for row in rows if str(row.pk) == wanted), None)
    given = {name: request.GET.get(name, "")[:250] for name in ("good", "bad", "metric")}
    return given | {"benchmark": pinned_reference(chosen) if chosen else ""}


def _submit(repository: Repository, actor: Actor, form: BisectForm) -> Run | None:
    """The run, or None with the refusal shown at its field."""
    given = form.cleaned_data
    try:
        return submit_bisect(
            repository,
            actor,
            benchmark=given["benchmark"],
            metric=given["metric"],
            good=given["good"],
            bad=given["bad"],
            alpha=given["alpha"],
        )
    except UnauthenticatedError:
        raise
    except HubError as error:
        refuse(form, str(error))
    return None
