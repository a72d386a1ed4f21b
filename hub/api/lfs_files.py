"""Large files of a whole repository: listed, removed for good, copied without their bytes."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from hub.actions import large_files, lfs_files
from hub.api.parameters import CURSOR, LIMIT
from hub.api.views import RepositoryView, body_of, text_of
from hub.api.wire import PAGE_LIMIT, linked, moment, number
from hub.errors import BadInputError, EntryNotFoundError, TooLargeError
from hub.models import Access, RepoId
from hub.policies import get_repository, require_files

COPIES_LIMIT = 1000


class LargeFileShape(serializers.Serializer[Any]):
    fileOid = serializers.CharField(help_text="What names the file when it is removed.")
    filename = serializers.CharField(help_text="A path it has had; empty when no commit names it.")
    oid = serializers.CharField(help_text="Its sha256.")
    pushedAt = serializers.CharField()
    ref = serializers.CharField(allow_null=True, help_text="A ref whose head has it.")
    size = serializers.IntegerField()


class LfsFilesView(RepositoryView):
    """GET /api/{kind}s/{namespace}/{name}/lfs-files"""

    need = Access.WRITE

    @extend_schema(
        summary=_("Large files of all branches, tags, pull requests and older commits"),
        parameters=[LIMIT, CURSOR],
        responses=LargeFileShape(many=True),
    )
    def get(self, request: Request, repo: RepoId) -> Response:
        require_files(self.actor, self.repository)
        limit = number(request, "limit", default=PAGE_LIMIT)
        cursor = request.query_params.get("cursor", "0")
        if not cursor.isdecimal() or len(cursor) > 18:
            raise BadInputError("This cursor names no file here: start from the first page.")
        found = lfs_files.large_files_of(self.repository, after=int(cursor), limit=limit + 1)
        shown = found[:limit]
        return linked(
            request,
            [_on_wire(one) for one in shown],
            cursor=shown[-1].number if len(found) > limit else None,
        )


def _on_wire(file: lfs_files.LargeFile) -> dict[str, Any]:
    return {
        "fileOid": file.sha256,
        "filename": file.path,
        "oid": file.sha256,
        "pushedAt": moment(file.linked_at),
        "ref": file.ref,
        "size": file.size_bytes,
    }


class DeletionsShape(serializers.Serializer[Any]):
    sha = serializers.ListField(child=serializers.CharField(), help_text="`fileOid`s.")
    rewriteHistory = serializers.BooleanField(default=True)


class DeletionShape(serializers.Serializer[Any]):
    deletions = DeletionsShape()


class LfsFilesBatchView(RepositoryView):
    """POST /api/{kind}s/{namespace}/{name}/lfs-files/batch"""

    need = Access.ADMIN

    @extend_schema(
        summary=_("Remove large files for good"), request=DeletionShape, responses={200: None}
    )
    def post(self, request: Request, repo: RepoId) -> Response:
        deletions = body_of(request).get("deletions")
        if not isinstance(deletions, dict):
            raise BadInputError("Send “deletions” with “sha” and “rewriteHistory”.")
        sha256s, rewrite = deletions.get("sha"), deletions.get("rewriteHistory", True)
        if not isinstance(sha256s, list) or not all(isinstance(one, str) for one in sha256s):
            raise BadInputError("“sha” must be a list of file ids.")
        if not isinstance(rewrite, bool):
            raise BadInputError("“rewriteHistory” must be true or false.")
        if len(sha256s) > PAGE_LIMIT:
            raise TooLargeError(f"Remove at most {PAGE_LIMIT} files at once.")
        lfs_files.remove_for_good(
            self.repository, self.actor, dict.fromkeys(sha256s), rewrite_history=rewrite
        )
        return Response()


class TargetShape(serializers.Serializer[Any]):
    type = serializers.CharField()
    name = serializers.CharField(help_text="`namespace/name`")


class CopyShape(serializers.Serializer[Any]):
    xetHash = serializers.CharField(required=False)
    sha256 = serializers.CharField()
    filename = serializers.CharField(required=False)


class CopiesShape(serializers.Serializer[Any]):
    target = TargetShape()
    files = CopyShape(many=True)


class FailedCopyShape(serializers.Serializer[Any]):
    sha256 = serializers.CharField()
    error = serializers.CharField()


class CopiedShape(serializers.Serializer[Any]):
    failed = FailedCopyShape(many=True)


class LfsFilesDuplicateView(RepositoryView):
    """POST /api/{kind}s/{namespace}/{name}/lfs-files/duplicate: of the source repository."""

    @extend_schema(
        summary=_("Let another repository have large files of this one, without sending them"),
        request=CopiesShape,
        responses=CopiedShape,
    )
    def post(self, request: Request, repo: RepoId) -> Response:
        require_files(self.actor, self.repository)
        body = body_of(request)
        target, files = body.get("target"), body.get("files")
        if not isinstance(target, dict) or not isinstance(files, list):
            raise BadInputError("Send “target” with “type” and “name”, and a list of “files”.")
        if len(files) > COPIES_LIMIT:
            raise TooLargeError(f"Copy at most {COPIES_LIMIT} files at once.")
        kind = text_of(target, "type", default="model", most=16)
        repository = get_repository(
            self.actor, RepoId.parse(kind, text_of(target, "name", most=200))
        )
        large_files.require_uploader(repository, self.actor)
        failed = []
        for sha256, xet_hash in dict.fromkeys(map(_copy_of, files)):
            try:
                large_files.copy_link(self.repository, repository, sha256, xet_hash=xet_hash)
            except EntryNotFoundError as error:
                failed.append({"sha256": sha256, "error": str(error)})
        return Response({"failed": failed})


def _copy_of(file: Any) -> tuple[str, str]:
    if not isinstance(file, dict):
        raise BadInputError("Each of “files” has a “sha256”.")
    return text_of(file, "sha256", most=64), text_of(file, "xetHash", default="", most=64)
