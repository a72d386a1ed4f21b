"""Xet tokens: which store a client may send to or read from, for how long, on whose behalf."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from hub.actions import large_files, refs
from hub.api import shapes
from hub.api.grants import Act, Grant
from hub.api.views import RepositoryView
from hub.api.wire import flag
from hub.errors import InvalidCredentialsError
from hub.models import RepoId, Repository
from hub.policies import Actor, require_files


@dataclass(frozen=True)
class CasAddress:
    """Which store a token opens. hf_xet remembers what it sent by this very address."""

    scope: str
    epoch: str

    @classmethod
    def of(cls, repository: Repository) -> CasAddress:
        return cls(repository.scope, large_files.xet_store(repository).epoch())

    @property
    def url(self) -> str:
        return f"{settings.PUBLIC_URL}/-/xet/{self.scope}/{self.epoch}"

    def token(self, act: Act, actor: Actor, repository: Repository) -> Grant:
        lifetime = settings.XET_TOKEN_LIFETIME
        return Grant.give(act, actor, repository, self.scope, self.epoch, lifetime=lifetime)

    def opened(self, request: Request, *acts: Act) -> Grant:
        """The grant in the request's bearer token, when it opens this store for one of `acts`.

        Raises: InvalidCredentialsError.
        """
        scheme, _, seal = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise InvalidCredentialsError("Send the access token of the Xet token route.")
        for act in acts[:-1]:
            try:
                return Grant.open(seal, act, self.scope, self.epoch)
            except InvalidCredentialsError:
                continue
        return Grant.open(seal, acts[-1], self.scope, self.epoch)

    def repository(self, grant: Grant) -> Repository:
        """The repository of `grant`, while it still keeps its files in this store.

        Raises: RepositoryNotFoundError, InvalidCredentialsError.
        """
        repository = grant.repository()
        if CasAddress.of(repository) != self:
            raise InvalidCredentialsError("The files of this repository lie elsewhere now: retry.")
        return repository


class XetTokenView(RepositoryView):
    """The base of both token routes."""

    act: Act

    def answer(self) -> Response:
        address = CasAddress.of(self.repository)
        grant = address.token(self.act, self.actor, self.repository)
        seal, expires_at = grant.seal(), grant.expires_at
        return Response(
            {"casUrl": address.url, "accessToken": seal, "exp": expires_at},
            headers={
                "X-Xet-Cas-Url": address.url,
                "X-Xet-Access-Token": seal,
                "X-Xet-Token-Expiration": str(expires_at),
                "Cache-Control": "no-store",
            },
        )


class XetWriteTokenView(XetTokenView):
    """GET /api/{kind}s/{namespace}/{name}/xet-write-token/{revision}"""

    act = Act.XET_WRITE

    @extend_schema(
        summary=_("A token to send large files with, by Xet"), responses=shapes.XetTokenShape
    )
    def get(self, request: Request, repo: RepoId, revision: str) -> Response:
        if flag(request, "create_pr"):  # clients name the revision `None` here
            large_files.require_uploader(self.repository, self.actor)
        else:
            ref = revision if revision.startswith("refs/") else f"{refs.BRANCH}{revision}"
            refs.require_writable(self.repository, self.actor, ref)
        return self.answer()


class XetReadTokenView(XetTokenView):
    """GET /api/{kind}s/{namespace}/{name}/xet-read-token/{revision}"""

    act = Act.XET_READ

    @extend_schema(
        summary=_("A token to fetch large files with, by Xet"), responses=shapes.XetTokenShape
    )
    def get(self, request: Request, repo: RepoId, revision: str) -> Response:
        require_files(self.actor, self.repository)
        # A download by Xet asks this once and never GETs the file's own address.
        if "X-HF-Download-Counter" in request.headers:
            Repository.objects.count_download(self.repository)
        return self.answer()


def cas_of(path: dict[str, Any]) -> CasAddress:
    """The store that an address below `/-/xet/` names."""
    return CasAddress(path["scope"], path["epoch"])
