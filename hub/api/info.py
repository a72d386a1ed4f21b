"""What one repository is, at its head or at any revision."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from hub.api import representation, shapes
from hub.api.views import RepositoryView
from hub.api.wire import flag
from hub.errors import BadInputError
from hub.gitstore import GitStore
from hub.jobs.refresh import derive
from hub.models import RepoId
from hub.policies import children_of

EXPAND = OpenApiParameter("expand", OpenApiTypes.STR, many=True, description="Only these keys.")
BLOBS = OpenApiParameter("blobs", OpenApiTypes.BOOL, description="Sizes and ids of files.")


def expanded(request: Request, kind: str) -> list[str]:
    """The fields that the query asks for. Raises: BadInputError listing them all."""
    names = [*request.query_params.getlist("expand"), *request.query_params.getlist("expand[]")]
    known = representation.FIELDS[kind]
    for number, name in enumerate(names):
        if name not in known:
            choices = "|".join(f'"{choice}"' for choice in known)
            raise BadInputError(f"“expand[{number}]” is {name[:64]!r}: expected one of {choices}.")
    return list(dict.fromkeys(names))


def siblings(store: GitStore, oid: str, *, blobs: bool) -> list[dict[str, Any]]:
    """All files; only with `blobs` is any of them looked into."""
    if not blobs:
        return [{"rfilename": path} for path in store.paths(oid)]
    entries = store.tree(oid, recursive=True)
    return [representation.sibling(entry, blobs=True) for entry in entries if entry.kind == "file"]


class InfoView(RepositoryView):
    """GET /api/{kind}s/{namespace}/{name}[/revision/{revision}]"""

    storage = True

    @extend_schema(
        summary=_("What a repository is"), responses=shapes.InfoShape, parameters=[EXPAND, BLOBS]
    )
    def get(self, request: Request, repo: RepoId, revision: str = "") -> Response:
        repository, store = self.repository, self.repository.store()
        names = expanded(request, repository.kind)
        oid = store.resolve(revision or repository.default_branch)
        if oid != repository.head_oid:
            for name, value in derive(repository, oid).items():
                setattr(repository, name, value)
        if names:
            facts = representation.fields(repository, names)
        else:
            facts = representation.info(repository)
        if "childrenModelCount" in facts:
            facts["childrenModelCount"] = children_of(self.actor, [facts["id"]])[facts["id"]]
        if not names or "siblings" in names:
            facts["siblings"] = siblings(store, oid, blobs=flag(request, "blobs"))
        return Response(facts)
