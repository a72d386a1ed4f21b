"""Files, folders, refs and commits of a repository."""

from __future__ import annotations

import posixpath
import time
from contextlib import suppress
from typing import Any

from django.core.cache import cache
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from kombu.exceptions import OperationalError
from rest_framework.request import Request
from rest_framework.response import Response

from hub.actions import large_files
from hub.api import representation, shapes
from hub.api.parameters import COMMITS, PRS, TREE
from hub.api.parsers import BoundedFormParser, BoundedJSONParser
from hub.api.views import RepositoryView
from hub.api.wire import PAGE_LIMIT, flag, linked, number
from hub.errors import BadInputError, EntryNotFoundError
from hub.gitstore import Entry, GitStore, LastCommit, attribution
from hub.http import rates
from hub.models import RepoId, Repository
from hub.policies import Actor
from hub.tasks import index_history

COMMITS_PAGE = 50
ASKED_AGAIN_SECONDS = 60


class Attribution:
    """The last commit of each path; every folder's history is read once.

    All folders share one reader's patience: what it does not suffice for stays unknown.
    """

    def __init__(self, store: GitStore, oid: str, *, patience_seconds: float | None = None) -> None:
        self._store, self._oid = store, oid
        patience = attribution.PATIENCE_SECONDS if patience_seconds is None else patience_seconds
        self._ends_at = time.monotonic() + patience
        self._by_folder: dict[str, dict[str, LastCommit]] = {}

    def of(self, path: str) -> LastCommit | None:
        folder = path.rpartition("/")[0]
        if folder not in self._by_folder:
            left = max(0.0, self._ends_at - time.monotonic())
            found = self._store.last_commits(self._oid, folder, patience_seconds=left)
            self._by_folder[folder] = found
        return self._by_folder[folder].get(path)


def xet_hashes(repository: Repository, actor: Actor, entries: list[Entry]) -> dict[str, str]:
    """The Xet hash of each large file that this reader can fetch by it: one query a listing.

    Clients that find one here go to Xet without another question.
    """
    sha256s = {entry.lfs.sha256 for entry in entries if entry.lfs}
    return large_files.xet_hashes(repository, actor, sha256s) if sha256s else {}


def entries_on_wire(
    store: GitStore,
    oid: str,
    entries: list[Entry],
    *,
    expand: bool,
    xet_hashes: dict[str, str] | None = None,
) -> list[dict[str, Any]]:
    facts = [representation.tree_entry(entry, xet_hashes) for entry in entries]
    if expand:
        history = Attribution(store, oid)
        for entry, one in zip(entries, facts, strict=True):
            one["lastCommit"] = representation.last_commit(history.of(entry.path))
    return facts


def finish_later(repository: Repository, oid: str, facts: list[dict[str, Any]]) -> None:
    """Let a worker go on where the reader's patience ended."""
    cut = [one["path"] for one in facts if "lastCommit" in one and one["lastCommit"] is None]
    if cut:
        folder = posixpath.dirname(cut[0])
        # One a repository at a time: commits and folders to ask about are without number.
        if cache.add(f"index-history-{repository.pk}", 1, ASKED_AGAIN_SECONDS):
            with suppress(OperationalError):  # without a broker a later reader tries again
                index_history.delay(repository.pk, oid, folder)


class TreeView(RepositoryView):
    """GET /api/{kind}s/{namespace}/{name}/tree/{revision}[/{path}]"""

    @extend_schema(
        summary=_("A folder's entries"), parameters=TREE, responses=shapes.EntryShape(many=True)
    )
    def get(self, request: Request, repo: RepoId, revision: str, path: str = "") -> Response:
        store = self.repository.store()
        oid = store.resolve(revision)
        expand = flag(request, "expand")
        page = number(request, "limit", default=PAGE_LIMIT)
        shown, more = store.tree_page(
            oid,
            path,
            recursive=flag(request, "recursive"),
            after=request.query_params.get("cursor", ""),
            limit=page,
        )
        cursor = shown[-1].path if more else None
        known = xet_hashes(self.repository, self.actor, shown)
        facts = entries_on_wire(store, oid, shown, expand=expand, xet_hashes=known)
        finish_later(self.repository, oid, facts)
        return linked(request, facts, cursor=cursor)


class PathsInfoView(RepositoryView):
    """POST /api/{kind}s/{namespace}/{name}/paths-info/{revision}"""

    parser_classes = [BoundedFormParser, BoundedJSONParser]
    rate_of_changes = rates.API

    @extend_schema(
        summary=_("The entries at some paths; missing ones are left out"),
        request=shapes.PathsShape,
        responses={200: shapes.EntryShape(many=True)},
    )
    def post(self, request: Request, repo: RepoId, revision: str) -> Response:
        paths, expand = _asked(request)
        store = self.repository.store()
        oid = store.resolve(revision)
        found = []
        for path in dict.fromkeys(path.strip("/") for path in paths):
            try:
                found.append(store.entry(oid, path))
            except EntryNotFoundError:
                continue
        entries = [entry for entry in found if entry.path]
        known = xet_hashes(self.repository, self.actor, entries)
        return Response(entries_on_wire(store, oid, entries, expand=expand, xet_hashes=known))


def _asked(request: Request) -> tuple[list[str], bool]:
    """Paths and `expand`, from a form or from JSON. Raises: BadInputError."""
    data = request.data
    if not isinstance(data, dict):
        raise BadInputError("Send “paths” as a form or as one JSON object.")
    given = data.getlist("paths") if hasattr(data, "getlist") else data.get("paths", [])
    paths = [given] if isinstance(given, str) else given
    if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
        raise BadInputError("“paths” must be a list of texts.")
    if len(paths) > PAGE_LIMIT:
        raise BadInputError(f"Ask for at most {PAGE_LIMIT} paths at once.")
    return paths, str(data.get("expand", "")).lower() in {"true", "1"}


class RefsView(RepositoryView):
    """GET /api/{kind}s/{namespace}/{name}/refs"""

    @extend_schema(
        summary=_("Branches, tags and pull requests"), parameters=[PRS], responses=shapes.RefsShape
    )
    def get(self, request: Request, repo: RepoId) -> Response:
        groups: dict[str, list[dict[str, Any]]] = {"branches": [], "tags": [], "converts": []}
        names = {"heads": "branches", "tags": "tags", "convert": "converts"}
        if flag(request, "include_prs"):
            groups["pullRequests"] = []
            names["pr"] = "pullRequests"
        for found in self.repository.store().refs():
            if group := names.get(found.name.split("/")[1]):
                groups[group].append(representation.ref(found))
        return Response(groups)


class CommitsView(RepositoryView):
    """GET /api/{kind}s/{namespace}/{name}/commits/{revision}"""

    @extend_schema(
        summary=_("Commits, newest first"),
        parameters=COMMITS,
        responses=shapes.CommitShape(many=True),
    )
    def get(self, request: Request, repo: RepoId, revision: str) -> Response:
        store = self.repository.store()
        oid = store.resolve(revision)
        size = number(request, "limit", default=COMMITS_PAGE)
        place = request.query_params.get("p", "0")
        if not place.isdecimal() or len(place) > 6:
            raise BadInputError("“p” must be the number of a page.")
        found = store.commits(oid, skip=int(place) * size, limit=size + 1)
        items = [representation.commit(one) for one in found[:size]]
        if "formatted" in request.query_params.getlist("expand[]"):
            for one in items:
                one["formatted"] = {"title": one["title"], "message": one["message"]}
        return linked(request, items, p=int(place) + 1 if len(found) > size else None)
