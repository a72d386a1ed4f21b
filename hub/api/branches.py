"""Making and removing branches and tags, and forgetting a branch's history."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from hub.actions import refs, squash
from hub.api import shapes
from hub.api.parsers import AnyJSONParser
from hub.api.views import RepositoryView, body_of, text_of
from hub.models import Access, RepoId


class BranchView(RepositoryView):
    """POST, DELETE /api/{kind}s/{namespace}/{name}/branch/{branch}"""

    need = Access.WRITE
    parser_classes = [AnyJSONParser]

    @extend_schema(
        summary=_("Create a branch"), request=shapes.BranchShape, responses={200: shapes.OidShape}
    )
    def post(self, request: Request, repo: RepoId, branch: str) -> Response:
        start = text_of(body_of(request), "startingPoint", default="", most=256)
        oid = refs.create_branch(self.repository, self.actor, branch, starting_point=start)
        return Response({"oid": oid})

    @extend_schema(summary=_("Delete a branch"), responses={200: shapes.EmptyShape})
    def delete(self, request: Request, repo: RepoId, branch: str) -> Response:
        refs.delete_branch(self.repository, self.actor, branch)
        return Response({})


class TagView(RepositoryView):
    """POST /api/{kind}s/{namespace}/{name}/tag/{revision}; DELETE …/tag/{tag}"""

    need = Access.WRITE
    parser_classes = [AnyJSONParser]

    @extend_schema(
        summary=_("Tag a revision"), request=shapes.TagShape, responses={200: shapes.OidShape}
    )
    def post(self, request: Request, repo: RepoId, revision: str) -> Response:
        name = text_of(body_of(request), "tag", most=256)
        oid = refs.create_tag(self.repository, self.actor, name, revision=revision)
        return Response({"oid": oid})

    @extend_schema(summary=_("Delete a tag"), responses={200: shapes.EmptyShape})
    def delete(self, request: Request, repo: RepoId, revision: str) -> Response:
        refs.delete_tag(self.repository, self.actor, revision)
        return Response({})


class SquashView(RepositoryView):
    """POST /api/{kind}s/{namespace}/{name}/super-squash/{revision}"""

    parser_classes = [AnyJSONParser]

    @extend_schema(
        summary=_("Make one commit of a branch's history"),
        request=inline_serializer("Squash", {"message": serializers.CharField(max_length=4096)}),
        responses={200: inline_serializer("Squashed", {"commitOid": serializers.CharField()})},
    )
    def post(self, request: Request, repo: RepoId, revision: str) -> Response:
        message = text_of(body_of(request), "message", most=4096)
        oid = squash.squash(self.repository, self.actor, revision, message=message)
        return Response({"commitOid": oid})
