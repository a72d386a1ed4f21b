"""The runs of every repository that the reader may see: what works, what waits."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from hub.http.authentication import actor_of
from hub.policies import visible_repositories
from training.models import Run

RUNS_A_PAGE = 30


@require_safe
def all_runs(request: HttpRequest) -> HttpResponse:
    """The newest first; `?mine=1` shows one's own."""
    visible = visible_repositories(actor_of(request))
    rows = Run.objects.filter(repository__in=visible.values("pk"))
    is_mine = request.GET.get("mine") == "1" and request.user.is_authenticated
    if is_mine:
        rows = rows.filter(created_by=request.user.pk)
    found = rows.defer("spec").select_related("repository__namespace", "created_by")
    page = Paginator(found.order_by("-pk"), RUNS_A_PAGE).get_page(request.GET.get("page"))
    context = {"page": page, "is_mine": is_mine, "query": "mine=1" if is_mine else ""}
    return render(request, "training/all_runs.html", context)
