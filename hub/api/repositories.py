"""Creating, changing and deleting repositories."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from hub.actions import duplicating, moving, repositories
from hub.api import shapes
from hub.api.views import HubView, RepositoryView, body_of, text_of
from hub.errors import BadInputError
from hub.models import Access, Kind, RepoId, TokenScope, Visibility
from hub.policies import get_repository, require_files, require_person


class NamedInBodyView(HubView):
    """The base of views whose body says which repository is meant."""

    def repo_of(self, body: dict[str, Any]) -> RepoId:
        """`name` with `organization`, or `namespace/name` alone; `type` is a model by default."""
        user = require_person(self.actor)
        kind = text_of(body, "type", default=Kind.MODEL, most=16)
        name = text_of(body, "name", most=200)
        if "/" in name:
            return RepoId.parse(kind, name)
        owner = text_of(body, "organization", default=user.username, most=96)
        return RepoId.parse(kind, f"{owner}/{name}")


def visibility_of(body: dict[str, Any]) -> str | None:
    """`visibility`, or `private` as older clients send it; None when neither is given."""
    if body.get("visibility") is not None:
        wanted = text_of(body, "visibility", most=16)
        if wanted == "protected":
            raise BadInputError(
                "“protected” shows a Space's app and hides its files. This server runs no apps: "
                "use “public” or “private”."
            )
        return wanted
    private = body.get("private")
    if private is None:
        return None
    if not isinstance(private, bool):
        raise BadInputError("“private” must be true or false.")
    return Visibility.PRIVATE if private else Visibility.PUBLIC


class CreateView(NamedInBodyView):
    """POST /api/repos/create"""

    @extend_schema(
        summary=_("Create a repository"), request=shapes.CreateShape, responses=shapes.CreatedShape
    )
    def post(self, request: Request) -> Response:
        body = body_of(request)
        repo = self.repo_of(body)
        made = repositories.create_repository(self.actor, repo, visibility=visibility_of(body))
        return Response({"url": made.public_url(), "name": made.repo_id, "id": str(made.pk)})


class DeleteView(NamedInBodyView):
    """DELETE /api/repos/delete"""

    @extend_schema(
        summary=_("Delete a repository for good"),
        request=shapes.RepositoryNameShape,
        responses={200: shapes.EmptyShape},
    )
    def delete(self, request: Request) -> Response:
        repo = self.repo_of(body_of(request))
        # Only the name of today: who deletes by an earlier one may not know what it leads to.
        repository = get_repository(self.actor, repo, need=Access.ADMIN)
        repositories.delete_repository(repository, self.actor)
        return Response({})


class MoveView(HubView):
    """POST /api/repos/move"""

    @extend_schema(
        summary=_("Rename a repository, or move it to another namespace"),
        request=shapes.MoveShape,
        responses=shapes.AddressShape,
    )
    def post(self, request: Request) -> Response:
        require_person(self.actor)
        body = body_of(request)
        kind = text_of(body, "type", default=Kind.MODEL, most=16)
        source = RepoId.parse(kind, text_of(body, "fromRepo", most=200))
        to = RepoId.parse(kind, text_of(body, "toRepo", most=200))
        # By an earlier name too: a move whose answer was lost may be sent again.
        repository = get_repository(self.actor, source, need=Access.ADMIN, follow=True)
        moved = moving.move_repository(repository, self.actor, to)
        return Response({"url": moved.public_url()})


class DuplicateView(RepositoryView):
    """POST /api/{kind}s/{namespace}/{name}/duplicate"""

    @extend_schema(
        summary=_("Copy a repository with its history and large files"),
        request=shapes.DuplicateShape,
        responses=shapes.AddressShape,
    )
    def post(self, request: Request, repo: RepoId) -> Response:
        user, body = require_person(self.actor, scope=TokenScope.WRITE), body_of(request)
        name = text_of(body, "repository", most=200)
        to = RepoId.parse(repo.kind, name if "/" in name else f"{user.username}/{name}")
        made = duplicating.duplicate_repository(
            self.repository, self.actor, to, visibility=visibility_of(body)
        )
        return Response({"url": made.public_url()})


class SettingsView(RepositoryView):
    """PUT /api/{kind}s/{namespace}/{name}/settings"""

    need = Access.ADMIN

    @extend_schema(
        summary=_("Change who may see a repository"),
        request=shapes.SettingsShape,
        responses=shapes.SettingsNowShape,
    )
    def put(self, request: Request, repo: RepoId) -> Response:
        body = body_of(request)
        gated = body.get("gated")
        if not isinstance(gated, bool | str | None):
            raise BadInputError("“gated” is “auto”, “manual” or false.")
        changed = repositories.update_settings(
            self.repository, self.actor, visibility=visibility_of(body), gated=gated
        )
        return Response({"private": changed.is_private, "gated": changed.gated or False})


class AuthCheckView(RepositoryView):
    """GET /api/{kind}s/{namespace}/{name}/auth-check"""

    @extend_schema(
        summary=_("Whether the caller may read a repository"), responses=shapes.EmptyShape
    )
    def get(self, request: Request, repo: RepoId) -> Response:
        require_files(self.actor, self.repository)
        return Response({})


class AuthCheckWriteView(AuthCheckView):
    """GET /api/{kind}s/{namespace}/{name}/auth-check/write"""

    need = Access.WRITE
