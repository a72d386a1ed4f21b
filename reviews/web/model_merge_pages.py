"""Doors to merging models: the form, and what has become of a merge."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from hub.errors import HubError, UnauthenticatedError
from hub.http.authentication import actor_of
from hub.http.pages import frame, repository_page
from hub.models import Kind, Repository
from hub.models.work import WorkState
from hub.policies import Actor, file_access, may_propose
from reviews.actions.model_family import candidates, common_bases
from reviews.actions.model_merges import prepare, require_merger, start_model_merge
from reviews.actions.model_merges_said import (
    Line,
    conditions_said,
    error_said,
    sources_of,
    stage_said,
    warnings_said,
)
from reviews.actions.weights_said import METHODS_SAID
from reviews.models import ModelMerge
from reviews.web.model_merge_form import ModelMergeForm
from reviews.weights.merging.recipe import RECIPE_PATH

MERGES_SHOWN = 5


def lineage_actions(repository: Repository, request: HttpRequest) -> Iterable[tuple[Any, str]]:
    """“Merge models”, for who reads the files and may propose."""
    actor = actor_of(request)
    is_theirs = repository.kind == Kind.MODEL and may_propose(actor, repository)
    if is_theirs and file_access(actor, repository).allows:
        yield _("Merge models"), f"{repository.get_absolute_url()}/merge-models"


@require_http_methods(["GET", "HEAD", "POST"])
@repository_page()
def merge_models(request: HttpRequest, repository: Repository) -> HttpResponse:
    """Choose models, look at what is known of them, have them merged."""
    actor = actor_of(request)
    require_merger(actor, repository)
    form = ModelMergeForm(repository, request.POST or None, initial=_initial(request, repository))
    lines: list[Line] = []
    if request.method == "POST" and form.is_valid():
        try:
            if "check" not in request.POST:
                return redirect(start_model_merge(repository, actor, form.wanted()))
            lines = warnings_said(prepare(repository, actor, form.wanted()))
        except UnauthenticatedError:
            raise
        except HubError as error:
            form.add_error(None, str(error))
    context = frame(repository, "card") | _choices(repository, actor) | {
        "form": form,
        "lines": lines,
    }  # fmt: skip
    status = 422 if form.is_bound and form.errors else 200
    return render(request, "reviews/merge_models.html", context, status=status)


def _initial(request: HttpRequest, repository: Repository) -> dict[str, Any]:
    """`?with=namespace/name` fills in the first model."""
    title = _("Merge other models into %(name)s") % {"name": repository.name}
    return {"title": title, "model-1": request.GET.get("with", "")[:300]}


def _status(row: ModelMerge) -> str:
    """Its state as pages mark it."""
    return "succeeded" if row.state == WorkState.DONE else str(row.state)


def _choices(repository: Repository, actor: Actor) -> dict[str, Any]:
    found = candidates(actor, repository)
    merges = ModelMerge.objects.filter(repository=repository, by=actor.user.pk).order_by("-pk")
    return {
        "candidates": found,
        "bases": [row for row in common_bases(actor, [repository]) if row.pk != repository.pk],
        "merges": [(row, _status(row)) for row in merges[:MERGES_SHOWN]],
    }


@require_safe
@repository_page()
def model_merge(request: HttpRequest, repository: Repository, number: int) -> HttpResponse:
    """What has become of a merge: it asks for itself again until there is a pull request."""
    row = get_object_or_404(
        ModelMerge.objects.select_related("by"), repository=repository, pk=number
    )
    row.repository = repository
    sources = sources_of(row, actor_of(request))
    url = repository.get_absolute_url()
    proposal = f"{url}/discussions/{row.pull_request_number}"
    context = frame(repository, "card") | {
        "merge": row,
        "status": _status(row),
        "method": METHODS_SAID[row.choice["method"]],
        "base": sources[0],
        "models": sources[1:],
        "conditions": conditions_said(row, sources),
        "stage": stage_said(row, sources),
        "error": error_said(row, sources),
        "proposal_url": proposal if row.pull_request_number else "",
        "recipe_url": f"{url}/blob/{row.result_oid}/{RECIPE_PATH}",
    }
    return render(request, "reviews/model_merge.html", context)
