"""Starting the gate from a pull request's page."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from hub.http.authentication import actor_of
from hub.http.pages import repository_page
from hub.models import Repository
from training.actions.gates import start_gate


@require_POST
@repository_page()
def start(request: HttpRequest, repository: Repository, number: int) -> HttpResponse:
    """Weigh the pull request, if its head is still the one that the person saw."""
    head = request.GET.get("head") or request.POST.get("head") or ""
    run = start_gate(repository, number, actor_of(request), expected_head=head)
    return redirect(run.get_absolute_url())
