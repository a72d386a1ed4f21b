"""What one repository is, at its head or at any revision."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext_lazy as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.renderers import JSONRenderer
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


def names_json(store: GitStore, oid: str) -> bytes:
    """`siblings` as it is sent: a hundred thousand names are turned into text once a tree."""
    tree = store.tree_oid(oid)
    return store.kept(f"siblings-{tree}", lambda: _json(siblings(store, oid, blobs=False)))


def _json(value: Any) -> bytes:
    rendered: bytes = JSONRenderer().render(value)
    return rendered


class InfoView(RepositoryView):
    """GET /api/{kind}s/{namespace}/{name}[/revision/{revision}]"""

    storage = True

    @extend_schema(
        summary=_("What a repository is"), responses=shapes.InfoShape, parameters=[EXPAND, BLOBS]
    )
    def get(self, request: Request, repo: RepoId, revision: str = "") -> HttpResponseBase:
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
        if names and "siblings" not in names:
            return Response(facts)
        if flag(request, "blobs"):
            return Response(facts | {"siblings": siblings(store, oid, blobs=True)})
        facts.pop("siblings", None)
        body = _json(facts).removesuffix(b"}") + b',"siblings":' + names_json(store, oid) + b"}"
        return HttpResponse(body, content_type="application/json")
