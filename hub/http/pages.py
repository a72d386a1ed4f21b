"""The base of pages about one repository."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from hub.errors import EntryNotFoundError, RevisionNotFoundError
from hub.extensions import Tab, registries
from hub.http.authentication import actor_of
from hub.http.error_pages import refused, wants_json
from hub.http.listening import listening
from hub.http.middleware import PLAYERS_POLICY
from hub.models import Access, Kind, RepoId, Repository, RequestStatus
from hub.policies import file_access, get_repository, has_liked

_CARDS = {
    Kind.MODEL: gettext_lazy("Model"),
    Kind.DATASET: gettext_lazy("Data set"),
    Kind.SPACE: gettext_lazy("Space"),
    Kind.KERNEL: gettext_lazy("Kernel"),
}


def repository_page(
    need: Access = Access.READ,
) -> Callable[[Callable[..., HttpResponse]], Callable[..., HttpResponse]]:
    """Fetch the repository that the URL names and hand it to the view in place of its name."""

    def decorate(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        @wraps(view)
        def fetched(
            request: HttpRequest, kind: Kind, namespace: str, name: str, **rest: Any
        ) -> HttpResponse:
            actor = actor_of(request)
            repository = get_repository(actor, RepoId(kind, namespace, name), need=need)
            repository.is_liked = has_liked(actor, repository)
            repository.may_read_files = SimpleLazyObject(
                lambda: file_access(actor, repository).allows
            )
            repository.listening = SimpleLazyObject(lambda: listening(actor, repository))
            try:
                return view(request, repository, **rest)
            except (EntryNotFoundError, RevisionNotFoundError) as error:
                if request.method not in ("GET", "HEAD") or wants_json(request):
                    raise
                # Who switched to a branch without this file finds the way on.
                return refused(request, error, as_json=False, frame=frame(repository, "files"))

        return fetched

    return decorate


def with_players(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """A page that may play sound and films of this hub; others may not."""

    @wraps(view)
    def played(*args: Any, **rest: Any) -> HttpResponse:
        response = view(*args, **rest)
        response.setdefault("Content-Security-Policy", PLAYERS_POLICY)
        return response

    return played


def frame(repository: Repository, current_tab: str) -> dict[str, Any]:
    """What `hub/repository.html`, the frame of every page about a repository, needs."""
    url = repository.get_absolute_url()
    tabs = [
        Tab("card", _CARDS[Kind(repository.kind)], url),
        Tab("files", _("Files"), f"{url}/tree/{repository.default_branch}"),
        *(tab for source in registries.repository_tabs for tab in source(repository)),
    ]
    if repository.gated and repository.may(Access.WRITE):
        waiting = repository.access_requests.filter(status=RequestStatus.PENDING).count()
        tabs.append(Tab("access", _("Access"), f"{url}/settings/access", waiting))
    if repository.may(Access.ADMIN):
        tabs.append(Tab("settings", _("Settings"), f"{url}/settings"))
    return {
        "repository": repository,
        "tabs": tabs,
        "current_tab": current_tab,
        "is_liked": repository.is_liked,
        "listening": repository.listening,
        "may_write": repository.may(Access.WRITE),
    }
