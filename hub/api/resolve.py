"""Downloads: `resolve` gives the file, `raw` what git holds (threats F1, hub-api section 5)."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import IO, Any

from django.conf import settings
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header, quote_etag
from django.utils.translation import gettext_lazy as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from hub.actions import large_files
from hub.api.views import RepositoryView
from hub.errors import EntryNotFoundError, UnsatisfiableRangeError
from hub.gitstore import Entry
from hub.http import rates
from hub.models import RepoId, Repository, StoredObject
from hub.policies import require_files
from hub.rendering.media import DRAWING, DRAWING_SUFFIX, INERT

CHUNK_BYTES = 1024**2
POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
_TEXTS = (
    ".bat .c .cfg .conf .cpp .css .csv .gitattributes .gitignore .go .h .htm .html .ini .ipynb "
    ".java .jinja .js .json .jsonl .log .lua .md .py .r .rs .rst .sh .sql .svg .tex .toml .ts .tsv "
    ".txt .xhtml .xml .yaml .yml"
)
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


@dataclass(frozen=True)
class Span:
    """The bytes [start, end) of a file of `size` bytes."""

    start: int
    end: int
    size: int

    @property
    def length(self) -> int:
        return self.end - self.start

    @classmethod
    def asked(cls, header: str, size: int) -> Span | None:
        """What a `Range` header asks for; None for all of it, or for several ranges at once.

        Raises: UnsatisfiableRangeError past the end.
        """
        found = _RANGE.fullmatch(header.strip().replace(" ", ""))
        if found is None or found.groups() == ("", ""):
            return None
        first, last = found.groups()
        if not first:
            start, end = max(0, size - int(last)), size
        else:
            start, end = int(first), min(size, int(last) + 1) if last else size
            if last and int(last) < start:
                return None
        if start >= size:
            raise UnsatisfiableRangeError(f"This file has {size} bytes. Ask for fewer.")
        return cls(start, end, size)


class FileView(RepositoryView):
    """The base of downloads: finds the file, answers conditions and ranges."""

    rate = rates.RESOLVE

    follows_pointers = True
    commit_oid = ""
    size_bytes = 0

    @extend_schema(
        summary=_("Download a file"),
        responses={(200, "*/*"): OpenApiTypes.BINARY, (206, "*/*"): OpenApiTypes.BINARY, 304: None},
    )
    def get(self, request: Request, repo: RepoId, revision: str, path: str) -> HttpResponseBase:
        require_files(self.actor, self.repository)
        self.commit_oid = self.repository.store().resolve(revision)
        content = self.content(path).sent_for(request.headers.get("Accept", ""))
        known = request.headers.get("If-None-Match", "")
        if quote_etag(content.tag) in known or known.strip() == "*":
            return self.described(HttpResponse(status=304), content)
        self.size_bytes = content.size
        span = self._span(request, content)
        if request.method == "GET":
            self._count_download(request, span)
            response = content.response(span)
        else:
            response = HttpResponse()
        return self.described(response, content, span)

    def content(self, path: str) -> Content:
        """What is asked for, at `commit_oid`. Raises: EntryNotFoundError."""
        entry = self.repository.store().entry(self.commit_oid, path)
        if entry.kind != "file":
            raise EntryNotFoundError(f"{path[:1024]!r} is a folder, not a file.")
        return Content.of(self.repository, entry, follow=self.follows_pointers)

    def _span(self, request: Request, content: Content) -> Span | None:
        """The range that is asked for, of GET only and of this very content (RFC 9110, 14.2)."""
        if request.method != "GET":
            return None
        if request.headers.get("If-Range", quote_etag(content.tag)) != quote_etag(content.tag):
            return None
        return Span.asked(request.headers.get("Range", ""), content.size)

    def described(
        self, response: HttpResponseBase, content: Content, span: Span | None = None
    ) -> HttpResponseBase:
        """`response` with all that clients and browsers are told about the file."""
        for name, value in content.headers().items():
            response[name] = value
        response["X-Repo-Commit"] = self.commit_oid
        for name, value in self._xet_headers(content).items():
            response[name] = value
        if response.status_code == 304:
            del response["Content-Type"]
            return response
        response["Content-Length"] = str(span.length if span else content.size)
        if span and not response.has_header("X-Accel-Redirect"):
            response.status_code = 206
            response["Content-Range"] = f"bytes {span.start}-{span.end - 1}/{span.size}"
        return response

    def _xet_headers(self, content: Content) -> dict[str, str]:
        """Where a file that came by Xet is fetched by Xet."""
        if not content.xet_hash:
            return {}
        tokens = f"{settings.PUBLIC_URL}/{self.repository.api_path}/xet-read-token"
        address = f"{tokens}/{self.commit_oid}"
        return {
            "X-Xet-Hash": content.xet_hash,
            "X-Xet-Refresh-Route": address,
            "Link": f'<{address}>; rel="xet-auth"',
        }

    def handle_exception(self, exc: Exception) -> Any:
        """A missing file still names the commit, so that clients remember the absence."""
        response = super().handle_exception(exc)
        if self.commit_oid:
            response["X-Repo-Commit"] = self.commit_oid
        if isinstance(exc, UnsatisfiableRangeError):
            response["Content-Range"] = f"bytes */{self.size_bytes}"
        return response

    def _count_download(self, request: Request, span: Span | None) -> None:
        # A resumed download was counted when it began.
        if "X-HF-Download-Counter" in request.headers and (span is None or span.start == 0):
            Repository.objects.count_download(self.repository)


class ResolveView(FileView):
    """GET /[datasets/]{namespace}/{name}/resolve/{revision}/{path}"""


class RawView(FileView):
    """GET /[datasets/]{namespace}/{name}/raw/{revision}/{path}: a pointer's own text."""

    follows_pointers = False


@dataclass(frozen=True)
class Content:
    """The bytes behind an entry: a blob in git, or a large file by its sha256."""

    repository: Repository
    entry: Entry
    etag: str
    size: int
    is_large: bool
    xet_hash: str = ""
    is_drawing: bool = False

    @classmethod
    def of(cls, repository: Repository, entry: Entry, *, follow: bool) -> Content:
        """Raises: EntryNotFoundError for a pointer to what this repository may not read."""
        if entry.lfs and follow:
            stored = large_files.require_link(repository, entry.lfs.sha256)
            return cls(repository, entry, stored.sha256, stored.size_bytes, True, stored.xet_hash)
        size = entry.lfs.pointer_size_bytes if entry.lfs else entry.size
        return cls(repository, entry, entry.oid, size, False)

    @classmethod
    def derived(cls, repository: Repository, path: str, stored: StoredObject) -> Content:
        """A file that the hub worked out: it lies in no commit."""
        entry = Entry(path, "file", "", stored.size_bytes, "100644")
        return cls(repository, entry, stored.sha256, stored.size_bytes, True)

    def sent_for(self, accept: str) -> Content:
        """An SVG for an `<img>`, where no script runs and nothing is fetched, is a drawing.

        What asks for a page, or does not say, gets it as the text or the bytes that it is.
        """
        is_picture = "image/" in accept and "text/html" not in accept
        return replace(self, is_drawing=is_picture and self._suffix == DRAWING_SUFFIX)

    @property
    def tag(self) -> str:
        """The entity tag; a cache must not take one form of a file for the other."""
        return f"{self.etag}-drawing" if self.is_drawing else self.etag

    @property
    def _suffix(self) -> str:
        name = posixpath.basename(self.entry.path)
        return posixpath.splitext(name)[1].lower() or (name if name.startswith(".") else "")

    def headers(self) -> dict[str, str]:
        name, suffix = posixpath.basename(self.entry.path), self._suffix
        content_type = INERT.get(suffix, "application/octet-stream")
        if self.is_drawing:
            content_type = DRAWING
        elif not self.is_large and (suffix in _TEXTS.split() or "." not in name):
            content_type = "text/plain; charset=utf-8"
        attached = content_type == "application/octet-stream"
        headers = {
            "ETag": quote_etag(self.tag),
            "Accept-Ranges": "bytes",
            "Content-Type": content_type,
            "Content-Disposition": content_disposition_header(attached, name)
            or f'inline; filename="{name}"',
            "Content-Security-Policy": POLICY,
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "private, no-cache",
            "Vary": "Authorization, Cookie",
        }
        if suffix == DRAWING_SUFFIX:
            headers["Vary"] = "Accept, Authorization, Cookie"
        if self.is_large:
            headers |= {"X-Linked-Etag": quote_etag(self.etag), "X-Linked-Size": str(self.size)}
        return headers

    def response(self, span: Span | None) -> HttpResponseBase:
        """The bytes, or a note to the proxy which file to send. Raises: EntryNotFoundError."""
        if self.is_large and self.repository.blobs().stat(self.etag) is None:
            raise EntryNotFoundError("The bytes of this file are missing. Tell the operator.")
        if self.is_large and settings.FRONT == "nginx":
            place = self.repository.blobs().internal_path(self.etag)
            return HttpResponse(headers={"X-Accel-Redirect": f"/-/internal/objects/{place}"})
        start, end = (span.start, span.end) if span else (0, self.size)
        return StreamingHttpResponse(self._chunks(start, end))

    def _chunks(self, start: int, end: int) -> Iterator[bytes]:
        # Opened at the first chunk: a client that is gone by then leaves nothing open.
        with self._open(start, end) as file:
            for size in _steps(end - start):
                yield file.read(size)

    def _open(self, start: int, end: int) -> IO[bytes]:
        if self.is_large:
            return self.repository.blobs().open(self.etag, start, end)
        file = self.repository.store().open_blob(self.entry.oid)
        for chunk_bytes in _steps(start):
            file.read(chunk_bytes)  # git's streams only go forward
        return file


def _steps(length: int) -> Iterator[int]:
    whole, rest = divmod(length, CHUNK_BYTES)
    yield from (CHUNK_BYTES for _ in range(whole))
    if rest:
        yield rest
