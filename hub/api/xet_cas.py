"""The content-addressed store that hf_xet talks to, below `/-/xet/{scope}/{epoch}/`.

Pre-signed uploads (`xorb-grants`) are not offered: those addresses are 404, which clients take for
"send it the plain way".
Source: the Xet protocol specification, "API".
"""

from __future__ import annotations

import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import structlog
from django.conf import settings
from django.core.cache import cache
from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from hub.actions import large_files
from hub.api import shapes
from hub.api.grants import Act, Grant
from hub.api.parameters import BYTES
from hub.api.resolve import Span
from hub.api.sending import sent_file
from hub.api.uploads import Body, UploadView, release_connection
from hub.api.views import HubView
from hub.api.xet import CasAddress, cas_of
from hub.blobstore import Blob
from hub.blobstore.xet.ingest import IngestedFile
from hub.blobstore.xet.xorb import MAX_XORB_BYTES
from hub.errors import (
    BadInputError,
    EntryNotFoundError,
    HubError,
    StorageUnavailableError,
    TooLargeError,
    UnsatisfiableRangeError,
)
from hub.models import Repository
from hub.policies import require_files

SHARD_LIMIT_BYTES = 64 * 1024**2
FRAME_EVERY_SECONDS = 5.0
WHOLE_FILE = "bytes=0-"
log = structlog.get_logger(__name__)


class CasUploadView(UploadView):
    """A view that takes what a write token allows."""

    limit_bytes: int

    def decide(self, request: Request, announced: int | None, **path: Any) -> None:
        cas = cas_of(path)
        grant = cas.opened(request, Act.XET_WRITE)
        self.actor, self.repository = grant.actor(), cas.repository(grant)
        large_files.require_uploader(self.repository, self.actor)
        if announced is None:
            raise BadInputError("Send a Content-Length.")
        if announced > self.limit_bytes:
            raise TooLargeError(f"At most {self.limit_bytes} bytes are taken here: send less.")


class XorbView(CasUploadView):
    """POST …/v1/xorbs/{prefix}/{hash}"""

    limit_bytes = MAX_XORB_BYTES

    @extend_schema(summary=_("Send a xorb"), request=BYTES, responses={200: shapes.InsertedShape})
    def post(self, request: Request, **path: Any) -> HttpResponseBase:
        return self.upload(request, **path)

    def receive(self, body: Body, **path: Any) -> HttpResponseBase:
        source = body.path or body.stream
        size_bytes = body.size_bytes or 0
        store = large_files.xet_store(self.repository)
        inserted = store.put_xorb(path["hash"], source, length_bytes=size_bytes)
        return JsonResponse({"was_inserted": inserted})


class ShardView(CasUploadView):
    """POST …/v1/shards: the files are stored when the answer comes."""

    limit_bytes = SHARD_LIMIT_BYTES

    @extend_schema(
        summary=_("Name the files that xorbs make"),
        request=BYTES,
        responses={200: shapes.ShardAnswerShape},
    )
    def post(self, request: Request, **path: Any) -> HttpResponseBase:
        return self.upload(request, **path)

    def receive(self, body: Body, **path: Any) -> HttpResponseBase:
        Ingest(self.repository, shard_of(body)).run()
        return JsonResponse({"result": 1})


class ShardFramesView(ShardView):
    """POST …/v2/shards: tells how far it is, one JSON object a line; refusals are frames too."""

    def receive(self, body: Body, **path: Any) -> HttpResponseBase:
        frames = Ingest(self.repository, shard_of(body)).frames()
        response = StreamingHttpResponse(frames, content_type="application/x-ndjson")
        response["X-Accel-Buffering"] = "no"
        return response


def shard_of(body: Body) -> bytes | Path:
    """The shard in memory: a spooled file is gone as soon as its sender goes away.

    Raises: TooLargeError.
    """
    if body.path:
        return body.path.read_bytes()
    data = bytearray()
    while chunk := body.stream.read(1024**2):
        data += chunk
        if len(data) > SHARD_LIMIT_BYTES:
            raise TooLargeError(f"A shard may have {SHARD_LIMIT_BYTES} bytes. Upload fewer files.")
    return bytes(data)


class AbandonedError(Exception):
    """Nobody waits for the answer any more."""


@dataclass
class Ingest:
    """One shard on its way into a repository."""

    repository: Repository
    shard: bytes | Path
    verified_bytes: int = 0
    total_bytes: int = 0
    _abandoned: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Store and link what the shard names. Raises: what `XetStore.ingest_shard` raises."""
        self._link(self._ingest())

    def frames(self) -> Iterator[bytes]:
        """The answer line by line, at least one every few seconds, ended by the outcome."""
        with ThreadPoolExecutor(1, thread_name_prefix="shard") as pool:
            work = pool.submit(self._ingest)
            try:
                while not self._is_done(work):
                    yield self._progress()
                yield self._outcome(work)
            finally:
                self._abandoned.set()

    def _is_done(self, work: Future[list[IngestedFile]]) -> bool:
        try:
            work.exception(FRAME_EVERY_SECONDS)
        except TimeoutError:
            return False
        return True

    def _progress(self) -> bytes:
        return _frame("validating", verified=self.verified_bytes, total=self.total_bytes)

    def _outcome(self, work: Future[list[IngestedFile]]) -> bytes:
        try:
            self._link(work.result())
        except HubError as error:
            retryable = isinstance(error, StorageUnavailableError)
            return _frame("error", message=str(error), retryable=retryable)
        except Exception:
            # The status line is gone; without a last frame the client would not know.
            log.exception("xet.shard_failed", **self.repository.as_facts())
            message = "The server made a mistake and has logged it."
            return _frame("error", message=message, retryable=True)
        return _frame("result")

    def _ingest(self) -> list[IngestedFile]:
        limit_bytes = settings.LARGE_FILE_LIMIT_BYTES
        store = large_files.xet_store(self.repository)
        return store.ingest_shard(self.shard, limit_bytes=limit_bytes, progress=self._note)

    def _note(self, done_bytes: int, total_bytes: int) -> None:
        if self._abandoned.is_set():
            raise AbandonedError
        self.verified_bytes, self.total_bytes = done_bytes, total_bytes

    def _link(self, files: list[IngestedFile]) -> None:
        try:
            for file in files:
                blob = Blob(file.sha256, file.size_bytes)
                large_files.link(self.repository, blob, xet_hash=file.xet_hash)
        finally:
            release_connection()


def _frame(kind: str, **more: Any) -> bytes:
    return json.dumps({"type": kind, **more}).encode() + b"\n"


class ChunkView(HubView):
    """GET …/v1/chunks/{prefix}/{hash}: the chunks of the repository, once a session.

    Clients ask about the first chunk of each file and about one in 1024 others, and take in
    whatever comes. So the answer is what this repository holds, whatever is asked about: a client
    that has never seen the files sends only what differs from them, and learns of no other chunk.
    """

    authentication_classes = []

    @extend_schema(
        summary=_("What the repository holds already, so that only new chunks are sent"),
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, hash: str, **path: Any) -> HttpResponse:
        cas = cas_of(path)
        grant = cas.opened(request, Act.XET_WRITE)
        repository = cas.repository(grant)
        require_files(grant.actor(), repository)
        session = f"{grant.seal()} {request.headers.get('X-Xet-Session-Id', '')}"
        key = f"xet-chunks-{hashlib.sha256(session.encode()).hexdigest()}"
        lifetime = settings.XET_TOKEN_LIFETIME.total_seconds()
        hashes = large_files.newest_xet_hashes(repository)
        if not hashes or not cache.add(key, True, timeout=lifetime):
            raise EntryNotFoundError("Send this chunk.")
        shard = large_files.xet_store(repository).dedup_shard(
            hashes, key=secrets.token_bytes(32), expires_at=int(time.time() + lifetime)
        )
        return HttpResponse(shard, content_type="application/octet-stream")


class TelemetryView(HubView):
    """POST …/v1/telemetry: nothing is kept."""

    authentication_classes = []
    rate = rate_of_changes = None

    @extend_schema(summary=_("Numbers about a transfer, which are dropped"), responses={200: None})
    def post(self, request: Request, **path: Any) -> HttpResponse:
        return HttpResponse(status=200)


class ReconstructionView(HubView):
    """GET …/{version}/reconstructions/{hash}: what to fetch for a range of a file."""

    authentication_classes = []
    rate = rate_of_changes = None

    @extend_schema(summary=_("How to put a file together"), responses=shapes.ReconstructionShape)
    def get(self, request: Request, hash: str, version: str = "v1", **path: Any) -> JsonResponse:
        cas = cas_of(path)
        grant = cas.opened(request, Act.XET_READ, Act.XET_WRITE)
        repository = cas.repository(grant)
        require_files(grant.actor(), repository)
        store = large_files.xet_store(repository)
        file = store.file(hash)
        if file is None:
            raise EntryNotFoundError("This repository holds no such file.")
        large_files.require_link(repository, file.sha256)
        span = Span.asked(request.headers.get("Range", WHOLE_FILE), file.size_bytes)
        if span is None:
            raise BadInputError("Ask for one range of bytes.")
        plan = store.reconstruct(hash, span.start, span.end)
        urls = FetchUrls(cas, grant)
        return JsonResponse(plan.v2(urls) if version == "v2" else plan.v1(urls))


@dataclass(frozen=True)
class FetchUrls:
    """Makes signed addresses of byte ranges of xorbs."""

    cas: CasAddress
    grant: Grant

    def __call__(self, xorb: str, first_byte: int, last_byte: int) -> str:
        span = (str(first_byte), str(last_byte))
        grant = self.grant.also(Act.XET_FETCH, self.cas.scope, self.cas.epoch, xorb, *span)
        names = {"scope": self.cas.scope, "epoch": self.cas.epoch, "hash": xorb}
        query = urlencode({"first": span[0], "last": span[1], "grant": grant.seal()})
        return f"{settings.PUBLIC_URL}{reverse('hub:xet-fetch', kwargs=names)}?{query}"


class FetchView(HubView):
    """GET …/fetch/{hash}: the range of a xorb that the address was signed for, and no other."""

    authentication_classes = []
    rate = rate_of_changes = None

    @extend_schema(
        summary=_("Fetch part of a xorb by a signed address"),
        responses={(206, "application/octet-stream"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, hash: str, **path: Any) -> HttpResponseBase:
        cas = cas_of(path)
        first, last = (request.query_params.get(name, "") for name in ("first", "last"))
        seal = request.query_params.get("grant", "")
        grant = Grant.open(seal, Act.XET_FETCH, cas.scope, cas.epoch, hash, first, last)
        repository = cas.repository(grant)
        require_files(grant.actor(), repository)
        if request.headers.get("Range") != f"bytes={first}-{last}":
            raise UnsatisfiableRangeError(f"This address is for bytes={first}-{last}.")
        shelf = large_files.xet_store(repository).xorbs
        found = shelf.path(hash)
        if found is None:
            raise EntryNotFoundError("The bytes are not stored any more.")

        def opened(start: int, end: int) -> Any:
            return shelf.open(hash, start, end)

        size_bytes = found.stat().st_size
        return sent_file(request._request, shelf.internal_path(hash), size_bytes, opened)
