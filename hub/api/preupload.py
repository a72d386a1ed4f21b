"""How each file of a coming commit is to be sent: in it, or before it as a large file."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from hub.actions import commits, refs, ways
from hub.api import shapes
from hub.api.parameters import CREATE_PR
from hub.api.views import RepositoryView, body_of, text_of
from hub.api.wire import flag
from hub.errors import BadInputError, EntryNotFoundError, PathRefusedError, TooLargeError
from hub.formats.path_patterns import MAX_BYTES, IgnoreRules, LargeFileRules
from hub.gitstore import Entry, GitStore, check_path
from hub.gitstore.paths import below_a_file, is_a_folder
from hub.http import rates
from hub.http.path_words import sentence_of
from hub.models import RepoId

FILES_LIMIT = 1_000
SAMPLE_LIMIT = 4096


@dataclass(frozen=True)
class Announced:
    """A file that a client is about to send."""

    path: str
    size_bytes: int
    sample: bytes

    @classmethod
    def read(cls, value: Any) -> Announced:
        if not isinstance(value, dict):
            raise BadInputError("“files” must be a list of objects.")
        path, size = text_of(value, "path", most=4096), value.get("size")
        if not isinstance(size, int) or isinstance(size, bool) or size < 0:
            raise BadInputError(f"“size” of {path[:200]!r} must be a number of bytes.")
        try:
            sample = base64.b64decode(text_of(value, "sample", default="", most=SAMPLE_LIMIT))
        except (binascii.Error, ValueError):
            raise BadInputError(f"“sample” of {path[:200]!r} is not base64.") from None
        return cls(path, size, sample)

    def is_large(self, rules: LargeFileRules) -> bool:
        return ways.is_large(rules, self.path, size_bytes=self.size_bytes, sample=self.sample)


class PreuploadView(RepositoryView):
    """POST /api/{kind}s/{namespace}/{name}/preupload/{revision}"""

    rate_of_changes = rates.API

    @extend_schema(
        summary=_("How to send the files of a commit"),
        parameters=[CREATE_PR],
        request=shapes.PreuploadShape,
        responses={200: shapes.PreuploadAnswerShape},
    )
    def post(self, request: Request, repo: RepoId, revision: str) -> Response:
        body = body_of(request)
        store = self.repository.store()
        ref = refs.target_ref(store, revision)
        if flag(request, "create_pr"):
            commits.require_proposal(self.repository, self.actor, ref)
        else:
            refs.require_writable(self.repository, self.actor, ref)
        oid = store.resolve(ref)
        files = body.get("files")
        if not isinstance(files, list):
            raise BadInputError("“files” must be a list of objects.")
        if len(files) > FILES_LIMIT:
            raise TooLargeError(f"Ask about at most {FILES_LIMIT} files at once.")
        rules = ways.large_file_rules(store, oid)
        ignored = IgnoreRules.parse(_gitignore(body, store, oid))
        look = _Look(store, oid, rules, ignored)
        return Response({"files": [look.answer(Announced.read(one)) for one in files]})


def _gitignore(body: dict[str, Any], store: GitStore, oid: str) -> bytes:
    sent = text_of(body, "gitIgnore", default="", most=MAX_BYTES)
    return sent.encode() or ways.text_file(store, oid, ".gitignore")


class _Look:
    """What is known of one commit; each folder is looked up once a request."""

    def __init__(
        self, store: GitStore, oid: str, rules: LargeFileRules, ignored: IgnoreRules
    ) -> None:
        self.store, self.oid, self.rules, self.ignored = store, oid, rules, ignored
        self.there: dict[str, Entry | None] = {}

    def answer(self, file: Announced) -> dict[str, Any]:
        answer: dict[str, Any] = {
            "path": file.path,
            "uploadMode": "lfs" if file.is_large(self.rules) else "regular",
            "shouldIgnore": self.ignored.ignores(file.path),
        }
        try:
            there = self.place(check_path(file.path))
        except PathRefusedError as error:
            return answer | {"refused": sentence_of(error)}
        if there is not None:
            answer |= {"oid": there.lfs.sha256 if there.lfs else there.oid, "size": there.size}
        return answer

    def place(self, path: str) -> Entry | None:
        """The file that lies at `path`. Raises: PathRefusedError where none can come to lie."""
        folder = ""
        for part in path.split("/")[:-1]:
            folder = f"{folder}/{part}" if folder else part
            above = self.entry(folder)
            if above is None:
                return None
            if above.kind == "file":
                raise below_a_file(path)
        found = self.entry(path)
        if found is not None and found.kind != "file":
            raise is_a_folder(path)
        return found

    def entry(self, path: str) -> Entry | None:
        if path not in self.there:
            try:
                self.there[path] = self.store.entry(self.oid, path)
            except EntryNotFoundError:
                self.there[path] = None
        return self.there[path]
