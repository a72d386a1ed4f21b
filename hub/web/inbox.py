"""A person's inbox, and the choice of what to hear."""

from __future__ import annotations

from datetime import datetime

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from hub.actions import inbox
from hub.errors import HubError
from hub.extensions import Tab
from hub.http.authentication import actor_of
from hub.http.listening import listening
from hub.http.pages import repository_page
from hub.models import NotificationState, Repository
from hub.models.inbox import NotificationQuerySet
from hub.policies import Actor, count_unread, require_person, visible_notifications

PAGE_SIZE, PLACES = 30, 20

# The first view has no word in its address.
VIEWS = {
    "": gettext_lazy("Unread"),
    "all": gettext_lazy("All"),
    "mentions": gettext_lazy("Mentions"),
    "reviews": gettext_lazy("Review requests"),
    "mine": gettext_lazy("Mine"),
    "done": gettext_lazy("Done"),
}


def _shown(request: HttpRequest, actor: Actor) -> tuple[str, str, NotificationQuerySet]:
    """The view, the repository and the rows that an address asks for."""
    view, repo = request.GET.get("view", ""), request.GET.get("repo", "")[:200]
    if view not in VIEWS:
        raise Http404
    return view, repo, inbox.narrowed(actor, view or "unread", repo)


def inbox_page(request: HttpRequest) -> HttpResponse:
    """What I was told, the newest first: `view` and `repo` narrow it; forms say what to do."""
    actor = actor_of(request)
    require_person(actor)
    view, repo, rows = _shown(request, actor)
    if request.method == "POST":
        return _act(request, actor, rows)
    listed = rows.select_related("repository__namespace", "namespace", "actor")
    page = Paginator(listed.order_by("-told_at", "-pk"), PAGE_SIZE).get_page(
        request.GET.get("page")
    )
    keep = request.GET.copy()
    keep.pop("page", None)
    context = {
        "page": page,
        "keep": keep.urlencode(),
        "view": view,
        "repo": repo,
        "tabs": [Tab(key, label, _address(key, repo)) for key, label in VIEWS.items()],
        "places": _places(actor, view),
        "shown_at": timezone.now().isoformat(),
    }
    return render(request, "hub/inbox.html", context)


def _address(view: str, repo: str) -> str:
    asked = {key: value for key, value in (("view", view), ("repo", repo)) if value}
    return f"/-/inbox?{urlencode(asked)}" if asked else "/-/inbox"


def _places(actor: Actor, view: str) -> list[tuple[str, str]]:
    """Repositories of which something is in this view, each with its address."""
    rows = inbox.narrowed(actor, view or "unread").filter(repository__isnull=False)
    found = rows.order_by("repository__namespace__slug", "repository__name").values_list(
        "repository__namespace__slug", "repository__name"
    )
    names = [f"{owner}/{name}" for owner, name in found.distinct()[:PLACES]]
    return [(name, _address(view, name)) for name in names]


def _act(request: HttpRequest, actor: Actor, rows: NotificationQuerySet) -> HttpResponse:
    """A button names what to do, and its value the row; `all` does it to what was shown."""
    form = request.POST
    try:
        if form.get("all"):
            inbox.mark_all(rows, form["all"], until=_moment(form.get("until", "")))
        elif form.get("mute"):
            inbox.mute(actor, _key(form["mute"]))
            messages.success(request, _("Muted: you hear of this thread no more."))
        else:
            for change in inbox.CHANGES:
                if form.get(change):
                    inbox.mark(actor, [_key(form[change])], change)
    except HubError as error:
        messages.error(request, str(error))
    return redirect(request.get_full_path())


def _key(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 19 else 0


def _moment(text: str) -> datetime:
    """When the list was shown; what came later stays as it is."""
    try:
        found = parse_datetime(text)
    except ValueError:
        found = None
    return found if found is not None and timezone.is_aware(found) else timezone.now()


@require_safe
def inbox_open(request: HttpRequest, pk: int) -> HttpResponse:
    """Go to what a row tells of; it is read then."""
    actor = actor_of(request)
    require_person(actor)
    rows = visible_notifications(actor)
    row = get_object_or_404(rows.select_related("repository__namespace", "namespace"), pk=pk)
    rows.filter(pk=pk).unread().update(state=NotificationState.READ)
    return redirect(row.get_absolute_url())


@require_safe
def inbox_count(request: HttpRequest) -> HttpResponse:
    """The link in the header with how many are unread; the page asks for it now and then."""
    require_person(actor_of(request))
    return render(request, "components/inbox_link.html", {"unread": unread(request)})


def unread(request: HttpRequest) -> int:
    """How many unread things the one who looks has, up to a hundred."""
    return count_unread(actor_of(request))


@require_POST
@repository_page()
def listen(request: HttpRequest, repository: Repository) -> HttpResponse:
    """The menu on a repository's or a thread's page: `level` is watching, muted or empty."""
    actor, thread = actor_of(request), request.POST.get("thread", "")
    try:
        inbox.listen(repository, actor, thread, request.POST.get("level", ""))
    except HubError as error:
        if not actor.is_signed_in:
            raise
        messages.error(request, str(error))
    if request.headers.get("HX-Request"):
        context = {"listening": listening(actor, repository, thread)}
        return render(request, "components/listen_menu.html", context)
    url = repository.get_absolute_url()
    return redirect(f"{url}/{thread}" if thread else url)
