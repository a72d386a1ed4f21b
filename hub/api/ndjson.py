"""The body of a commit: one JSON object a line, read line by line and bounded."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from hub.api import spool
from hub.api.views import text_of
from hub.errors import BadInputError, TooLargeError
from hub.formats.bounded_json import load_json
from hub.gitstore import AddFile, DeleteFile, DeleteFolder, KeptContent
from hub.gitstore.packets import ByteStream

DEPTH = 8
_SHA256 = re.compile(r"[0-9a-f]{64}")


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


def read_commit(stream: ByteStream, kept: spool.Spool) -> CommitBody:
    """What a client asks to commit, in its order; contents lie in `kept`, which stays open.

    Raises: BadInputError for what is not as it should be, TooLargeError past a limit.
    """
    values = _values(stream, kept)
    key, header, _ = next(values, ("", {}, False))
    if key != "header":
        raise BadInputError("The first line of a commit must be its “header”.")
    parent = text_of(header, "parentCommit", default="", most=64) or None
    body = CommitBody(
        summary=text_of(header, "summary", most=4096),
        description=text_of(header, "description", default=""),
        parent=parent,
    )
    for key, value, is_long in values:
        if key == "header":
            raise BadInputError("A commit has one “header”, in its first line.")
        body.lines.append(_line(key, value, kept, is_long=is_long))
        if len(body.lines) > settings.COMMIT_OPERATIONS_LIMIT:
            limit = settings.COMMIT_OPERATIONS_LIMIT
            raise TooLargeError(f"One commit changes at most {limit} paths: split it into several.")
    return body


def _values(stream: ByteStream, kept: spool.Spool) -> Iterator[tuple[str, dict[str, Any], bool]]:
    """(key, value, whether the value's content is a long text) of each line."""
    for line in kept.lines(stream, limit_bytes=settings.COMMIT_BODY_LIMIT_BYTES):
        if not line.head.strip():
            continue
        found = load_json(line.head, max_depth=DEPTH)
        if not isinstance(found, dict) or not isinstance(found.get("value"), dict):
            raise BadInputError("Each line of a commit is an object with “key” and “value”.")
        key, value = text_of(found, "key", most=64), found["value"]
        if line.has_long_text and (key != "file" or value.get("content") != kept.mark):
            raise TooLargeError("A line of this commit is too long: only a content may be.")
        yield key, value, line.has_long_text


_KEYS = ("file", "lfsFile", "deletedFile", "deletedFolder")


def _line(key: str, value: dict[str, Any], kept: spool.Spool, *, is_long: bool) -> Line:
    if key not in _KEYS:
        raise BadInputError(f"There is no line “{key[:64]}” in a commit: use {', '.join(_KEYS)}.")
    path = text_of(value, "path", most=4096)
    match key:
        case "file":
            return AddFile(path, _content(path, value, kept, is_long=is_long))
        case "lfsFile":
            return _large_file(path, value)
        case "deletedFile":
            return DeleteFile(path)
        case _:
            return DeleteFolder(path.rstrip("/"))


def _content(
    path: str, value: dict[str, Any], kept: spool.Spool, *, is_long: bool
) -> bytes | KeptContent:
    text = text_of(value, "content", most=spool.TEXT_LIMIT_BYTES)
    encoding = text_of(value, "encoding", default="utf-8", most=16)
    if encoding == "utf-8":
        return kept.keep((kept.text() if is_long else text).encode())
    if encoding != "base64":
        raise BadInputError(f"The encoding of {path[:200]!r} must be “base64” or “utf-8”.")
    try:
        return kept.keep_base64() if is_long else kept.keep(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        raise BadInputError(f"The content of {path[:200]!r} is not base64.") from None


def _large_file(path: str, value: dict[str, Any]) -> LargeFile:
    oid, size = text_of(value, "oid", most=128), value.get("size")
    if value.get("algo", "sha256") != "sha256" or not _SHA256.fullmatch(oid):
        raise BadInputError(f"The large file {path[:200]!r} needs a sha256 of 64 hex digits.")
    if size is not None and (not isinstance(size, int) or isinstance(size, bool) or size < 0):
        raise BadInputError(f"“size” of {path[:200]!r} must be a number of bytes.")
    return LargeFile(path, oid, size)
