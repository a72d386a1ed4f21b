"""Starting the gate from a pull request's page, and letting through what it could not decide."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from hub.errors import ForbiddenError, HubError, UnauthenticatedError
from hub.http.authentication import actor_of
from hub.http.pages import repository_page
from hub.models import Repository
from training.actions.gates import start_gate
from training.actions.overriding import override_gate


@require_POST
@repository_page()
def start(request: HttpRequest, repository: Repository, number: int) -> HttpResponse:
    """Weigh the pull request, if its head is still the one that the person saw; what is decided
    already is shown."""
    head = request.GET.get("head") or request.POST.get("head") or ""
    run = start_gate(repository, number, actor_of(request), expected_head=head)
    if run.is_live:
        return redirect(run.get_absolute_url())
    messages.info(request, _("Exactly this version has been weighed: its verdict stands."))
    return redirect(f"{repository.get_absolute_url()}/discussions/{number}/benchmarks")


@require_POST
@repository_page()
def override(request: HttpRequest, repository: Repository, number: int) -> HttpResponse:
    """Let an inconclusive change through, if it is still the one that the person saw."""
    try:
        override_gate(
            repository,
            number,
            actor_of(request),
            reason=request.POST.get("reason", ""),
            expected_head=request.POST.get("head", ""),
            expected_base=request.POST.get("base", ""),
        )
        messages.success(request, _("It may merge now. The reason stays in the record."))
    except (UnauthenticatedError, ForbiddenError):
        raise
    except HubError as error:
        messages.error(request, str(error))
    return redirect(f"{repository.get_absolute_url()}/discussions/{number}/benchmarks")
