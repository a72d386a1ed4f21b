"""Full weights of revisions that hold an adapter or a sparse patch."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from hub.api.resolve import Content, FileView
from hub.api.views import RepositoryView
from hub.policies import require_files
from reviews.actions.full_weights import (
    Standing,
    full_file,
    full_weights_of,
    request_full_weights,
)
from reviews.actions.weights import Side, side_at


class FullFileSerializer(serializers.Serializer):
    """`url` downloads it; files that did not change are those that were committed."""

    path = serializers.CharField()
    size = serializers.IntegerField()
    sha256 = serializers.CharField(allow_blank=True)
    changed = serializers.BooleanField()
    url = serializers.CharField()


class FullWeightsSerializer(serializers.Serializer):
    """`state` is absent, waiting, running, done or failed; `files` are there once it is done."""

    state = serializers.CharField()
    error = serializers.JSONField(allow_null=True)
    revision = serializers.CharField()
    files = FullFileSerializer(many=True)


class FullWeightsView(RepositoryView):
    """GET, POST …/full-weights/{revision}"""

    def side(self, revision: str) -> Side:
        require_files(self.actor, self.repository)
        return side_at(self.repository, self.repository.store().resolve(revision))

    @extend_schema(
        summary=_("How the full weights of a revision with an adapter or a patch stand"),
        responses=FullWeightsSerializer,
    )
    def get(self, request: Request, revision: str, **path: Any) -> Response:
        return Response(told(full_weights_of(self.side(revision))))

    @extend_schema(
        summary=_("Have the full weights of a revision with an adapter or a patch written out"),
        request=None,
        responses={200: FullWeightsSerializer},
    )
    def post(self, request: Request, revision: str, **path: Any) -> Response:
        return Response(told(request_full_weights(self.side(revision), self.actor)))


def told(found: Standing) -> dict[str, Any]:
    oid, root = found.side.oid, f"{settings.PUBLIC_URL}{found.side.repository.get_absolute_url()}"
    files: list[dict[str, Any]] = []
    if found.state == "done":
        for path, stored in sorted(found.made.items()):
            about = {"sha256": stored.sha256, "size": stored.size_bytes, "changed": True}
            files.append({"path": path, **about, "url": f"{root}/full-weights/{oid}/{quote(path)}"})
        for file in found.unchanged:
            about = {"sha256": file.sha256, "size": file.size_bytes, "changed": False}
            files.append(
                {"path": file.path, **about, "url": f"{root}/resolve/{oid}/{quote(file.path)}"}
            )
    error = found.row.error if found.row is not None and found.row.error else None
    return {"state": found.state, "error": error, "revision": oid, "files": files}


class FullWeightsFileView(FileView):
    """GET /{namespace}/{name}/full-weights/{revision}/{path}: one file of full weights."""

    def content(self, path: str) -> Content:
        stored = full_file(self.repository, self.commit_oid, path)
        return Content.derived(self.repository, path, stored)
