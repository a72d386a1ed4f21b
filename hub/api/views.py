"""The base of API views: parse the address, fetch with the right access, hand over."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.views import APIView

from hub.http.authentication import actor_of
from hub.models import Access, RepoId, Repository
from hub.policies import Actor, get_repository


class HubView(APIView):
    """Any API view: `self.actor` is who asks."""

    actor: Actor

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        self.actor = actor_of(request)


class RepositoryView(HubView):
    """A view of one repository, fetched with `need` before the handler runs.

    URL keywords: `repo` (RepoId). Handlers read `self.repository`.
    """

    need: Access = Access.READ
    # What unsafe methods need, where it differs from reading.
    need_to_write: Access | None = None
    repository: Repository

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        safe = request.method in {"GET", "HEAD", "OPTIONS"}
        need = self.need if safe or self.need_to_write is None else self.need_to_write
        self.repository = get_repository(self.actor, kwargs["repo"], need=need)

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        kind, namespace, name = kwargs.pop("kind"), kwargs.pop("namespace"), kwargs.pop("name")
        kwargs["repo"] = RepoId(kind, namespace, name)
        return super().dispatch(request, *args, **kwargs)
