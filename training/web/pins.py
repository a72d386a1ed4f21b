"""The pinned examples of a repository: what no change may lose."""

from __future__ import annotations

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from hub.http.authentication import actor_of
from hub.http.pages import frame, repository_page
from hub.models import Access, Repository
from training.actions.pins import pins_of, unpin, with_texts

PINS_A_PAGE = 30


@require_safe
@repository_page()
def pin_list(request: HttpRequest, repository: Repository) -> HttpResponse:
    """Every pin that the reader may see, the newest first, with how it last fared."""
    pins, unseen = pins_of(repository, actor_of(request))
    page = Paginator(pins, PINS_A_PAGE).get_page(request.GET.get("page"))
    context = frame(repository, "runs") | {
        "page": page,
        "pins": with_texts(repository, list(page.object_list)),
        "unseen": unseen,
        "may_write": repository.may(Access.WRITE),
    }
    return render(request, "training/pin_list.html", context)


@require_POST
@repository_page()
def pin_remove(request: HttpRequest, repository: Repository, pk: int) -> HttpResponse:
    """Let an example go, and return to where the person was."""
    unpin(repository, actor_of(request), pk)
    messages.success(request, _("Unpinned: later changes may lose it."))
    back = request.POST.get("next", "")
    here = f"{repository.get_absolute_url()}/"
    is_ours = back.startswith(here) and url_has_allowed_host_and_scheme(back, allowed_hosts=None)
    return redirect(back if is_ours else f"{here}runs/pins")
