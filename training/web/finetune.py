"""The Fine-tune page of a model."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from hub.errors import HubError, UnauthenticatedError
from hub.http.authentication import actor_of
from hub.http.pages import frame, repository_page
from hub.models import Kind, Repository
from hub.policies import Actor, visible_repositories
from training.actions.runs import recipe_paths, submit_finetune
from training.jobs.inputs import model_size
from training.models import Run, RunKind, RunStatus
from training.policies import require_finetune
from training.web.forms import RecipeForm, TitledForm, ValuesForm, refuse

DATASETS_OFFERED = 50
RUNS_LOOKED_AT = 5


@require_http_methods(["GET", "HEAD", "POST"])
@repository_page()
def finetune(request: HttpRequest, repository: Repository) -> HttpResponse:
    """Choose a recipe or fill one in; the run's page follows."""
    actor = actor_of(request)
    require_finetune(actor, repository)
    paths = recipe_paths(repository)
    mode = request.POST.get("mode", "")
    chosen = request.GET.get("recipe", "")
    recipe_form = RecipeForm(
        paths,
        request.POST if mode == "recipe" else None,
        initial={"recipe_path": chosen},
        auto_id="recipe-%s",  # both forms are on one page and have a title
    )
    values_form = ValuesForm(request.POST if mode == "values" else None)
    form = {"recipe": recipe_form, "values": values_form}.get(mode)
    if form is not None and form.is_valid():
        run = _submit(repository, actor, form)
        if run is not None:
            return redirect(run.get_absolute_url())
    context = frame(repository, "card") | {
        "recipe_form": recipe_form if paths else None,
        "values_form": values_form,
        "datasets": _datasets(actor),
        "reads": _reads(repository),
    }
    status = 422 if form is not None else 200
    return render(request, "training/finetune.html", context, status=status)


def _submit(repository: Repository, actor: Actor, form: TitledForm) -> Run | None:
    """The run, or None with the refusal shown at its field."""
    title = form.cleaned_data["title"]
    try:
        if isinstance(form, ValuesForm):
            return submit_finetune(repository, actor, recipe=form.recipe(), title=title)
        path = form.cleaned_data["recipe_path"]
        return submit_finetune(repository, actor, recipe_path=path, title=title)
    except UnauthenticatedError:
        raise
    except HubError as error:
        refuse(form, str(error))
    return None


def _datasets(actor: Actor) -> list[str]:
    rows = visible_repositories(actor).filter(kind=Kind.DATASET).order_by("-last_modified_at")
    return [row.repo_id for row in rows[:DATASETS_OFFERED]]


def _reads(repository: Repository) -> dict[str, Any]:
    """What a run would read, and how long the last ones took a step."""
    store = repository.store()
    head = store.branch_head(repository.default_branch)
    files, size_bytes = model_size(store, head) if head else (0, 0)
    return {
        "commit": head,
        "files": files,
        "size_bytes": size_bytes,
        "seconds_a_step": _seconds_a_step(repository),
        "waiting": Run.objects.waiting().count(),
    }


def _seconds_a_step(repository: Repository) -> float | None:
    """Wall seconds of a step over the last fine-tunes here; None before the first."""
    done = Run.objects.filter(
        repository=repository.pk, kind=RunKind.FINETUNE, status=RunStatus.SUCCEEDED
    )
    seconds = steps = 0.0
    for result in done.order_by("-number").values_list("result", flat=True)[:RUNS_LOOKED_AT]:
        training = result.get("training", {})
        if training.get("steps") and training.get("seconds"):
            seconds, steps = seconds + training["seconds"], steps + training["steps"]
    return seconds / steps if steps else None
