"""git-lfs with large files in parts: what `hf lfs-enable-largefiles` and huggingface_hub send.

The batch names one signed address a part, under digits, and one to finish at. None of these
requests carries credentials or headers of ours. Source: `hf lfs-multipart-upload`.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import quote_etag
from django.utils.translation import gettext_lazy as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from hub.actions import large_files, multipart
from hub.api.grants import Act, Grant
from hub.api.lfs import LfsErrors, LfsRenderer
from hub.api.parameters import BYTES, SIGNED
from hub.api.parsers import AnyJSONParser, LfsJSONParser
from hub.api.uploads import Body, UploadView
from hub.api.views import HubView, body_of
from hub.errors import BadInputError, EntryNotFoundError, InvalidCredentialsError
from hub.models import MultipartUpload, Repository

SIGNED_PART = [*SIGNED, OpenApiParameter("upload", OpenApiTypes.INT, required=True)]


class SignedPartView(LfsErrors, HubView):
    """A view of one upload in parts whose address says who may do what to it."""

    authentication_classes = []
    repository: Repository
    upload_id: int
    size_bytes: int

    def open(self, request: Request, act: Act, oid: str, *more: str) -> None:
        """Set `repository` and which upload it is. Raises: InvalidCredentialsError, …"""
        size, upload = (request.query_params.get(name, "") for name in ("size", "upload"))
        grant = Grant.open(request.query_params.get("grant", ""), act, oid, size, upload, *more)
        self.actor, self.repository = grant.actor(), grant.repository()
        self.upload_id, self.size_bytes = int(upload), int(size)
        large_files.require_uploader(self.repository, self.actor)

    def found(self) -> MultipartUpload:
        return multipart.find(self.repository, self.actor, self.upload_id)


class PartView(SignedPartView, UploadView):
    """PUT /-/lfs/{oid}/parts/{part}"""

    @extend_schema(
        summary=_("Send one part of a large file to a signed address"),
        parameters=SIGNED_PART,
        request=BYTES,
        responses={200: None},
    )
    def put(self, request: Request, oid: str, part: int) -> HttpResponseBase:
        return self.upload(request, oid=oid, part=part)

    def decide(self, request: Request, announced: int | None, **path: Any) -> None:
        self.open(request, Act.LFS_PART, path["oid"], str(path["part"]))
        self.in_parts = self.found()
        start, end = self.in_parts.part_span(path["part"])
        if announced is not None and announced != end - start:
            raise BadInputError(f"This part has {end - start} bytes, not {announced}.")

    def receive(self, body: Body, **path: Any) -> HttpResponseBase:
        etag = multipart.store_part(self.in_parts, path["part"], body.path or body.stream)
        return HttpResponse(status=200, headers={"ETag": quote_etag(etag)})


class FinishedPartShape(serializers.Serializer[Any]):
    partNumber = serializers.IntegerField()
    etag = serializers.CharField()


class FinishShape(serializers.Serializer[Any]):
    oid = serializers.CharField()
    parts = FinishedPartShape(many=True)


class LandedShape(serializers.Serializer[Any]):
    parts = FinishedPartShape(many=True)


class FinishView(SignedPartView):
    """GET, POST and DELETE /-/lfs/{oid}/finish"""

    parser_classes = [LfsJSONParser, AnyJSONParser]
    renderer_classes = [LfsRenderer]

    @extend_schema(
        summary=_("Which parts of a large file have arrived"),
        parameters=SIGNED_PART,
        responses={200: LandedShape},
    )
    def get(self, request: Request, oid: str) -> Response:
        self.open(request, Act.LFS_FINISH, oid)
        came = multipart.landed(self.found())
        return Response({"parts": [{"partNumber": n, "etag": etag} for n, etag in came]})

    @extend_schema(
        summary=_("Make the parts that were sent one large file"),
        parameters=SIGNED_PART,
        request=FinishShape,
        responses={200: None},
    )
    def post(self, request: Request, oid: str) -> Response:
        self.open(request, Act.LFS_FINISH, oid)
        etags = _etags(body_of(request), oid)
        try:
            upload = self.found()
        except EntryNotFoundError:
            # The answer to an earlier request was lost, and its work was done.
            if large_files.require_link(self.repository, oid).size_bytes == self.size_bytes:
                return Response({})
            raise
        multipart.finish(upload, etags)
        return Response({})

    @extend_schema(
        summary=_("Give up an upload in parts"), parameters=SIGNED_PART, responses={204: None}
    )
    def delete(self, request: Request, oid: str) -> Response:
        self.open(request, Act.LFS_FINISH, oid)
        with suppress(EntryNotFoundError):
            multipart.give_up(self.found())
        return Response(status=204)


def _etags(body: dict[str, Any], oid: str) -> dict[int, str]:
    if body.get("oid") != oid:
        raise InvalidCredentialsError("The address is for another file: ask for a new one.")
    parts = body.get("parts")
    if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
        raise BadInputError("“parts” must be a list of parts, each with its number and ETag.")
    etags: dict[int, str] = {}
    for part in parts:
        number, etag = part.get("partNumber"), part.get("etag")
        if not isinstance(number, int) or isinstance(number, bool) or not isinstance(etag, str):
            raise BadInputError("Each part has a “partNumber” and the “etag” that it was given.")
        if etags.setdefault(number, etag.strip('"')) != etag.strip('"'):
            raise BadInputError(f"Part {number} is named twice.")
    return etags
