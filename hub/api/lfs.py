"""git-lfs: the batch API with basic transfers over signed addresses (threats D1 to D4).

Source: git-lfs, docs/api/batch.md and docs/api/basic-transfers.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.http import quote_etag
from django.utils.translation import gettext_lazy as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from hub.actions import large_files, multipart
from hub.api import shapes
from hub.api.grants import Act, Grant
from hub.api.parameters import BYTES, SIGNED
from hub.api.parsers import AnyJSONParser, LfsJSONParser
from hub.api.part_addresses import upload_action
from hub.api.sending import sent_file
from hub.api.uploads import Body, UploadView
from hub.api.views import RepositoryView, body_of
from hub.errors import (
    BadInputError,
    ConflictError,
    EntryNotFoundError,
    ThrottledError,
    TooLargeError,
    UnprocessableError,
)
from hub.http import rates
from hub.models import RepoId, StoredObject
from hub.policies import require_files

MEDIA_TYPE = "application/vnd.git-lfs+json"
OBJECTS_LIMIT = 1000
_OID = re.compile(r"[0-9a-f]{64}")
UploadWay = Callable[["Wanted", Grant], dict[str, Any]]


class LfsRenderer(JSONRenderer):
    media_type = MEDIA_TYPE
    charset = None


class LfsErrors:
    """Refusals as git-lfs reads them: one `message`, and a demand for credentials on a 401."""

    def handle_exception(self, exc: Exception) -> Any:
        response = super().handle_exception(exc)  # type: ignore[misc]
        said = json.loads(response.content)
        response.content = json.dumps({"message": said["error"], **said}).encode()
        response["Content-Type"] = MEDIA_TYPE
        if response.status_code == 401:
            response["LFS-Authenticate"] = response["WWW-Authenticate"] = (
                'Basic realm="Weighbridge"'
            )
        return response


@dataclass(frozen=True)
class Wanted:
    """One large file that a client asks about."""

    oid: str
    size_bytes: int

    def is_held(self, held: StoredObject | None) -> bool:
        return held is not None and held.size_bytes == self.size_bytes

    def answer(self, **more: Any) -> dict[str, Any]:
        return {"oid": self.oid, "size": self.size_bytes, **more}

    def refusal(self, code: int, message: str) -> dict[str, Any]:
        return self.answer(error={"code": code, "message": message})

    def signed(self, act: Act, grant: Grant, route: str) -> dict[str, Any]:
        """The action that lets the client do `act` to this file until `grant` ends."""
        size = str(self.size_bytes)
        query = urlencode({"size": size, "grant": grant.also(act, self.oid, size).seal()})
        href = f"{settings.PUBLIC_URL}{reverse(route, args=[self.oid])}?{query}"
        return {"href": href, "expires_in": int(settings.SIGNED_URL_LIFETIME.total_seconds())}


class BatchView(LfsErrors, RepositoryView):
    """POST /[datasets/]{namespace}/{name}[.git]/info/lfs/objects/batch"""

    parser_classes = [LfsJSONParser, AnyJSONParser]
    renderer_classes = [LfsRenderer]
    rate_of_changes = rates.API

    @extend_schema(
        summary=_("Where to send or fetch large files"),
        request=shapes.BatchShape,
        responses={200: shapes.BatchAnswerShape},
    )
    def post(self, request: Request, repo: RepoId) -> Response:
        body = body_of(request)
        if body.get("hash_algo", "sha256") != "sha256":
            raise ConflictError("Large files are named by their sha256 here.")
        wanted = wanted_of(body.get("objects"))
        match body.get("operation"):
            case "upload":
                large_files.require_uploader(self.repository, self.actor)
                transfer, answers = self._uploads(wanted, body.get("transfers"))
            case "download":
                require_files(self.actor, self.repository)
                transfer, answers = "basic", self._downloads(wanted)
            case _:
                raise BadInputError("The operation is “upload” or “download”.")
        return Response({"transfer": transfer, "objects": answers, "hash_algo": "sha256"})

    def _grant(self, lifetime: timedelta | None = None) -> Grant:
        lifetime = lifetime or settings.SIGNED_URL_LIFETIME
        return Grant.give(Act.LFS_GET, self.actor, self.repository, lifetime=lifetime)

    def _uploads(self, wanted: list[Wanted], offered: Any) -> tuple[str, list[dict[str, Any]]]:
        """The way to send, which is one for the whole batch, and what is said of each file."""
        held = large_files.links(self.repository, (one.oid for one in wanted))
        missing = [one for one in wanted if not one.is_held(held.get(one.oid))]
        largest = max((one.size_bytes for one in missing), default=0)
        can_split = isinstance(offered, list) and "multipart" in offered
        if can_split and (largest > settings.MULTIPART_ABOVE_BYTES or offered == ["multipart"]):
            # Who can do nothing else asks for small parts: a browser that may be closed.
            part_bytes = settings.SMALL_PART_BYTES if offered == ["multipart"] else None
            grant, transfer = self._grant(settings.MULTIPART_LIFETIME), "multipart"
            way: UploadWay = partial(self._in_parts, part_bytes=part_bytes)
        else:
            grant, transfer = self._grant(), "basic"
            way = self._whole
        return transfer, [self._upload(one, grant, held.get(one.oid), way) for one in wanted]

    def _upload(
        self, one: Wanted, grant: Grant, held: StoredObject | None, way: UploadWay
    ) -> dict[str, Any]:
        """No actions mean "already there": true of what this repository was given, only."""
        limit_bytes = settings.LARGE_FILE_LIMIT_BYTES
        if one.size_bytes > limit_bytes:
            return one.refusal(413, f"A file may have at most {limit_bytes} bytes. Split it.")
        if one.is_held(held):
            return one.answer()
        try:
            upload = way(one, grant)
        except ThrottledError as error:
            return one.refusal(error.http_status, str(error))
        verify = one.signed(Act.LFS_VERIFY, grant, "hub:lfs-verify")
        return one.answer(authenticated=True, actions={"upload": upload, "verify": verify})

    def _whole(self, one: Wanted, grant: Grant) -> dict[str, Any]:
        return one.signed(Act.LFS_PUT, grant, "hub:lfs-object")

    def _in_parts(
        self, one: Wanted, grant: Grant, *, part_bytes: int | None = None
    ) -> dict[str, Any]:
        upload = multipart.begin(
            self.repository,
            self.actor,
            sha256=one.oid,
            size_bytes=one.size_bytes,
            part_bytes=part_bytes,
        )
        return upload_action(upload, grant)

    def _downloads(self, wanted: list[Wanted]) -> list[dict[str, Any]]:
        grant = self._grant()
        held = large_files.links(self.repository, (one.oid for one in wanted))
        answers = []
        for one in wanted:
            if one.is_held(held.get(one.oid)):
                actions = {"download": one.signed(Act.LFS_GET, grant, "hub:lfs-object")}
                answers.append(one.answer(authenticated=True, actions=actions))
            else:
                answers.append(one.refusal(404, "This repository holds no such file."))
        return answers


def wanted_of(objects: Any) -> list[Wanted]:
    """The files a batch asks about. Raises: UnprocessableError, TooLargeError."""
    if not isinstance(objects, list):
        raise UnprocessableError("“objects” must be a list.")
    if len(objects) > OBJECTS_LIMIT:
        raise TooLargeError(f"One batch names at most {OBJECTS_LIMIT} files: send several.")
    return [_wanted(one) for one in objects]


def _wanted(one: Any) -> Wanted:
    oid, size = (one.get("oid"), one.get("size")) if isinstance(one, dict) else (None, None)
    if not isinstance(oid, str) or not _OID.fullmatch(oid):
        raise UnprocessableError("“oid” is the sha256 of the file: 64 lowercase hex digits.")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size < 1 << 62:
        raise UnprocessableError("“size” is the number of bytes in the file.")
    return Wanted(oid, size)


class LocksVerifyView(LfsErrors, RepositoryView):
    """POST /[datasets/]{namespace}/{name}[.git]/info/lfs/locks/verify: nothing is ever locked."""

    renderer_classes = [LfsRenderer]

    @extend_schema(
        summary=_("Locks of large files: there are none"),
        request=OpenApiTypes.OBJECT,
        responses={200: shapes.LocksShape},
    )
    def post(self, request: Request, repo: RepoId) -> Response:
        large_files.require_uploader(self.repository, self.actor)
        return Response({"ours": [], "theirs": []})


class SignedView(LfsErrors, UploadView):
    """A view of one large file whose address says who may do what to it."""

    size_bytes: int

    def open(self, request: Request, act: Act, oid: str) -> None:
        """Set `repository` and `size_bytes`. Raises: InvalidCredentialsError, NotFoundError."""
        size = request.query_params.get("size", "")
        grant = Grant.open(request.query_params.get("grant", ""), act, oid, size)
        self.actor, self.repository = grant.actor(), grant.repository()
        self.size_bytes = int(size)


class ObjectView(SignedView):
    """GET and PUT /-/lfs/{oid}"""

    @extend_schema(
        summary=_("Fetch a large file by a signed address"),
        parameters=SIGNED,
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, oid: str) -> HttpResponseBase:
        self.open(request, Act.LFS_GET, oid)
        require_files(self.actor, self.repository)
        stored, blobs = large_files.require_link(self.repository, oid), self.repository.blobs()
        response = sent_file(
            request._request,
            blobs.internal_path(oid),
            stored.size_bytes,
            lambda start, end: blobs.open(oid, start, end),
        )
        response["ETag"] = quote_etag(oid)
        return response

    @extend_schema(
        summary=_("Send a large file to a signed address"),
        parameters=SIGNED,
        request=BYTES,
        responses={200: None},
    )
    def put(self, request: Request, oid: str) -> HttpResponseBase:
        return self.upload(request, oid=oid)

    def decide(self, request: Request, announced: int | None, **path: Any) -> None:
        self.open(request, Act.LFS_PUT, path["oid"])
        large_files.require_uploader(self.repository, self.actor)
        if self.size_bytes > settings.LARGE_FILE_LIMIT_BYTES:
            raise TooLargeError("This file is larger than the hub takes. Split it.")
        if announced is not None and announced != self.size_bytes:
            raise BadInputError(
                f"The address is for {self.size_bytes} bytes, not {announced}. Ask for a new one."
            )

    def receive(self, body: Body, **path: Any) -> HttpResponseBase:
        expected = {"sha256": path["oid"], "size_bytes": self.size_bytes}
        try:
            if body.path:
                large_files.adopt(self.repository, body.path, **expected)
            else:
                large_files.store(self.repository, body.stream, **expected)
        except UnprocessableError as error:
            # git-lfs takes a 422 for a complaint about Content-Type and hides the sentence.
            raise BadInputError(str(error)) from None
        return HttpResponse(status=200)


class VerifyView(SignedView):
    """POST /-/lfs/{oid}/verify"""

    parser_classes = [LfsJSONParser, AnyJSONParser]
    renderer_classes = [LfsRenderer]

    @extend_schema(
        summary=_("Whether a large file has arrived"),
        parameters=SIGNED,
        request=shapes.VerifyShape,
        responses={200: shapes.EmptyShape},
    )
    def post(self, request: Request, oid: str) -> Response:
        self.open(request, Act.LFS_VERIFY, oid)
        stored = large_files.require_link(self.repository, oid)
        if stored.size_bytes != self.size_bytes:
            raise EntryNotFoundError(f"The file has {stored.size_bytes} bytes here.")
        said = body_of(request)
        if said.get("oid", oid) != oid or said.get("size", self.size_bytes) != self.size_bytes:
            raise BadInputError("The body and the address speak of different files.")
        return Response({})
