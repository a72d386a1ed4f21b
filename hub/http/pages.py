"""The base of pages about one repository."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse

from hub.extensions import Tab, registries
from hub.http.authentication import actor_of
from hub.models import Access, Kind, RepoId, Repository
from hub.policies import get_repository


def repository_page(
    need: Access = Access.READ,
) -> Callable[[Callable[..., HttpResponse]], Callable[..., HttpResponse]]:
    """Fetch the repository that the URL names and hand it to the view in place of its name."""

    def decorate(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        @wraps(view)
        def fetched(
            request: HttpRequest, kind: Kind, namespace: str, name: str, **rest: Any
        ) -> HttpResponse:
            repository = get_repository(
                actor_of(request), RepoId(kind, namespace, name), need=need
            )
            return view(request, repository, **rest)

        return fetched

    return decorate


def tabs_of(repository: Repository) -> list[Tab]:
    """The tabs that features add to a repository's page."""
    return [tab for source in registries.repository_tabs for tab in source(repository)]
