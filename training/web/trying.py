"""Try it: a question to a revision of a model, its answer as it is written, one's earlier ones.

The page asks for the answer again every half second while one is being written. An answer is one
row that is read by its key; a stream of events would hold one of the web's few threads for as long
as each answer takes (docs/decisions/0029-try-it.md).
"""

from __future__ import annotations

from itertools import zip_longest
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from hub.errors import HubError, UnauthenticatedError
from hub.http.authentication import actor_of
from hub.http.pages import frame, repository_page
from hub.models import Repository
from hub.policies import Actor
from training.actions.choosing import revisions_of
from training.actions.trying import Askable, askable, before, cancel_try, submit_try
from training.models import Try
from training.policies import get_try, require_try
from training.web.try_form import TryForm

HISTORY_SHOWN = 10


@require_http_methods(["GET", "HEAD", "POST"])
@repository_page()
def try_it(request: HttpRequest, repository: Repository) -> HttpResponse:
    """The form, and one's earlier questions to this model."""
    actor = actor_of(request)
    require_try(actor, repository, is_proposal=False)
    data = request.POST if request.method == "POST" else None
    found = askable(repository, actor, (data or request.GET).get("revision", "")[:250])
    form = _form(found, data, None)
    if data is not None and form is not None and form.is_valid():
        row = _submit(repository, actor, found, form)
        if row is not None:
            return redirect(row.get_absolute_url())
    status = 200 if data is None else 422
    return _page(request, repository, found, form, None, status=status)


@require_safe
@repository_page()
def one_try(request: HttpRequest, repository: Repository, number: int) -> HttpResponse:
    """One of one's own questions with its answer, and the form to ask again."""
    actor = actor_of(request)
    require_try(actor, repository, is_proposal=False)
    row = get_try(actor, repository, number)
    if request.htmx:  # type: ignore[attr-defined]
        return render(
            request,
            "training/try_answer.html",
            _shown(row) | {"repository": repository, "is_alone": True},
        )
    found = askable(repository, actor, row.revision)
    return _page(request, repository, found, _form(found, None, row), row)


@require_POST
@repository_page()
def cancel(request: HttpRequest, repository: Repository, number: int) -> HttpResponse:
    """Take a question back."""
    actor = actor_of(request)
    require_try(actor, repository, is_proposal=False)
    row = cancel_try(repository, actor, number)
    return redirect(row.get_absolute_url())


def _form(found: Askable, data: Any, row: Try | None) -> TryForm | None:
    if found.task is None or found.problem:
        return None
    same = row.request if row is not None and row.task == found.task else None
    first = TryForm.first_values(same, has_chat=found.has_chat)
    return TryForm(found.task, data, initial=first, has_chat=found.has_chat)


def _submit(repository: Repository, actor: Actor, found: Askable, form: TryForm) -> Try | None:
    """The try, or None with the refusal shown."""
    try:
        return submit_try(repository, actor, revision=found.revision, **form.values())
    except UnauthenticatedError:
        raise
    except HubError as error:
        form.add_error(None, str(error))
    return None


def _page(
    request: HttpRequest,
    repository: Repository,
    found: Askable,
    form: TryForm | None,
    row: Try | None,
    *,
    status: int = 200,
) -> HttpResponse:
    mine = Try.objects.of(request.user.pk or 0).filter(repository=repository.pk)
    history = list(mine.only("pk", "request", "status", "created_at", "revision")[:HISTORY_SHOWN])
    for each in history:
        each.repository = repository
    context = frame(repository, "try") | {
        "found": found,
        "form": form,
        "history": history,
        "revisions": revisions_of(repository),
        "is_off": not settings.TRY_IT,
        "again": urlencode({"revision": found.revision}),
    }
    if row is not None:
        context |= _shown(row)
    return render(request, "training/try.html", context, status=status)


def _shown(row: Try) -> dict[str, Any]:
    """An answer as the page tells it."""
    result = row.result
    context: dict[str, Any] = {"row": row, "result": result}
    if row.status == "queued":
        context["before"] = before(row)
    if masks := result.get("masks"):
        best = [mask[0]["word"] if mask else "" for mask in masks]
        context["filled"] = list(zip_longest(result["parts"], best, fillvalue=""))
    if cosines := result.get("cosines"):
        context["rows"] = list(zip(result["texts"], cosines, strict=True))
    return context
