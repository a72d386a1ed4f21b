"""A revision, or a folder of it, as one zip or tar.gz."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

from django.conf import settings
from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header
from django.utils.translation import gettext_lazy as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request

from hub.actions import large_files
from hub.api.views import RepositoryView
from hub.errors import BadInputError, EntryNotFoundError, TooLargeError
from hub.formats.archive_writing import Member, tarred, zipped
from hub.gitstore import Entry
from hub.http import rates
from hub.models import RepoId
from hub.policies import require_files

FILES_LIMIT = 20_000
FORMATS = {"zip": ("application/zip", zipped), "tar.gz": ("application/gzip", tarred)}
_EARLIEST, _LATEST = datetime(1980, 1, 1, tzinfo=UTC), datetime(2107, 1, 1, tzinfo=UTC)
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")


class ArchiveView(RepositoryView):
    """GET /[datasets/]{namespace}/{name}/archive/{revision}[/{path}]"""

    rate = rates.ARCHIVE

    @extend_schema(
        summary=_("Download a revision or a folder as one file"),
        parameters=[
            OpenApiParameter("format", str, enum=list(FORMATS), description=_("zip without it.")),
            OpenApiParameter(
                "large", str, enum=["1", "0"], description=_("0: pointers instead of large files.")
            ),
        ],
        responses={
            (200, "application/zip"): OpenApiTypes.BINARY,
            (200, "application/gzip"): OpenApiTypes.BINARY,
        },
    )
    def get(
        self, request: Request, repo: RepoId, revision: str, path: str = ""
    ) -> HttpResponseBase:
        require_files(self.actor, self.repository)
        named = request.query_params.get("format", "zip")
        if named not in FORMATS:
            raise BadInputError(f"“format” is one of {', '.join(FORMATS)}.")
        content_type, write = FORMATS[named]
        store, path = self.repository.store(), path.strip("/")
        oid = store.resolve(revision)
        entries, more = store.tree_page(oid, path, recursive=True, after="", limit=FILES_LIMIT)
        files = [entry for entry in entries if entry.kind == "file"]
        if more:
            raise TooLargeError(f"An archive holds at most {FILES_LIMIT} files: clone it instead.")
        with_large = request.query_params.get("large") != "0"
        self._require_small(files, with_large)
        words = [self.repository.name, revision, posixpath.basename(path)]
        name = "-".join(_NOT_IN_NAMES.sub("-", word).strip("-.") for word in words if word)
        moment = min(max(store.commit_info(oid).committed_at, _EARLIEST), _LATEST)
        members = self._members(files, f"{name}/", path, with_large)
        response = StreamingHttpResponse(
            write(members, moment) if request.method == "GET" else iter(()), content_type
        )
        response["Content-Disposition"] = content_disposition_header(True, f"{name}.{named}") or ""
        response["Content-Security-Policy"] = "default-src 'none'; sandbox"
        response["X-Content-Type-Options"] = "nosniff"
        response["Cache-Control"] = "private, no-cache"
        response["X-Repo-Commit"] = oid
        return response

    def _require_small(self, files: list[Entry], with_large: bool) -> None:
        """Refuse what would keep this process busy too long, and what is not here to the end."""
        sha256s = {each.lfs.sha256 for each in files if each.lfs} if with_large else set()
        total = sum(_size(each, with_large) for each in files)
        if total > settings.ARCHIVE_LIMIT_BYTES:
            gib = settings.ARCHIVE_LIMIT_BYTES / 1024**3
            raise TooLargeError(
                f"These files are over {gib:.1f} GiB together, more than an archive holds here. "
                "Fetch them with `hf download`, or ask for an archive without large files."
            )
        links = large_files.links(self.repository, sha256s) if sha256s else {}
        blobs = self.repository.blobs()
        for sha256 in sha256s:
            if sha256 not in links or blobs.stat(sha256) is None:
                raise EntryNotFoundError(f"The bytes of the large file {sha256} are not here.")

    def _members(
        self, files: list[Entry], folder: str, path: str, with_large: bool
    ) -> Iterator[Member]:
        store, blobs = self.repository.store(), self.repository.blobs()
        below = f"{path}/" if path else ""
        for entry in files:
            inner = entry.path.removeprefix(below)
            opener: Any
            if entry.lfs and with_large:
                opener = partial(blobs.open, entry.lfs.sha256)
            else:
                opener = partial(store.open_blob, entry.oid)
            yield Member(
                folder + inner,
                _size(entry, with_large),
                entry.mode == "100755",
                is_packed=entry.lfs is not None,
                open=opener,
            )


def _size(entry: Entry, with_large: bool) -> int:
    if entry.lfs:
        return entry.size if with_large else entry.lfs.pointer_size_bytes
    return entry.size
