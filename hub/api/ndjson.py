"""The body of a commit: one JSON object a line, read line by line and bounded."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from django.conf import settings

from hub.api.views import text_of
from hub.errors import BadInputError, TooLargeError
from hub.formats.bounded_json import load_json
from hub.gitstore import AddFile, DeleteFile, DeleteFolder

DEPTH = 8
# A file's line is its base64 and its path; every other line is short.
LINE_LIMIT_BYTES = settings.REGULAR_FILE_LIMIT_BYTES * 4 // 3 + 64 * 1024
_SHA256 = re.compile(r"[0-9a-f]{64}")


class LineReader(Protocol):
    def readline(self, limit: int, /) -> bytes: ...


@dataclass(frozen=True)
class LargeFile:
    """A file whose bytes were sent before; clients leave out the size of a copy."""

    path: str
    sha256: str
    size_bytes: int | None


Line = AddFile | LargeFile | DeleteFile | DeleteFolder


@dataclass
class CommitBody:
    summary: str
    description: str
    parent: str | None
    lines: list[Line] = field(default_factory=list)


def read_commit(stream: LineReader) -> CommitBody:
    """What a client asks to commit, in its order.

    Raises: BadInputError for what is not as it should be, TooLargeError past a limit.
    """
    values = _values(stream)
    key, header = next(values, ("", {}))
    if key != "header":
        raise BadInputError("The first line of a commit must be its “header”.")
    parent = text_of(header, "parentCommit", default="", most=64) or None
    body = CommitBody(
        summary=text_of(header, "summary", most=4096),
        description=text_of(header, "description", default=""),
        parent=parent,
    )
    for key, value in values:
        if key == "header":
            raise BadInputError("A commit has one “header”, in its first line.")
        body.lines.append(_line(key, value))
        if len(body.lines) > settings.COMMIT_OPERATIONS_LIMIT:
            limit = settings.COMMIT_OPERATIONS_LIMIT
            raise TooLargeError(f"One commit changes at most {limit} paths: split it into several.")
    return body


def _values(stream: LineReader) -> Iterator[tuple[str, dict[str, Any]]]:
    left = settings.COMMIT_BODY_LIMIT_BYTES
    while line := stream.readline(LINE_LIMIT_BYTES + 1):
        left -= len(line)
        if len(line) > LINE_LIMIT_BYTES or left < 0:
            raise TooLargeError(
                "This commit, or a file in it, is too large to be sent in one body: "
                "send large files over LFS or Xet, or split the commit."
            )
        if not line.strip():
            continue
        found = load_json(line, max_bytes=LINE_LIMIT_BYTES, max_depth=DEPTH)
        if not isinstance(found, dict) or not isinstance(found.get("value"), dict):
            raise BadInputError("Each line of a commit is an object with “key” and “value”.")
        yield text_of(found, "key", most=64), found["value"]


def _line(key: str, value: dict[str, Any]) -> Line:
    path = text_of(value, "path", most=4096)
    match key:
        case "file":
            return AddFile(path, _content(path, value))
        case "lfsFile":
            return _large_file(path, value)
        case "deletedFile":
            return DeleteFile(path)
        case "deletedFolder":
            return DeleteFolder(path.rstrip("/"))
    raise BadInputError(
        f"There is no line “{key[:64]}” in a commit: use file, lfsFile, deletedFile, deletedFolder."
    )


def _content(path: str, value: dict[str, Any]) -> bytes:
    text = text_of(value, "content", most=LINE_LIMIT_BYTES)
    encoding = text_of(value, "encoding", default="utf-8", most=16)
    if encoding == "utf-8":
        return text.encode()
    if encoding != "base64":
        raise BadInputError(f"The encoding of {path[:200]!r} must be “base64” or “utf-8”.")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise BadInputError(f"The content of {path[:200]!r} is not base64.") from None


def _large_file(path: str, value: dict[str, Any]) -> LargeFile:
    oid, size = text_of(value, "oid", most=128), value.get("size")
    if value.get("algo", "sha256") != "sha256" or not _SHA256.fullmatch(oid):
        raise BadInputError(f"The large file {path[:200]!r} needs a sha256 of 64 hex digits.")
    if size is not None and (not isinstance(size, int) or isinstance(size, bool) or size < 0):
        raise BadInputError(f"“size” of {path[:200]!r} must be a number of bytes.")
    return LargeFile(path, oid, size)
