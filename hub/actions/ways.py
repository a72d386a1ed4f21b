"""Which files of a coming commit lie in git, and which are large files beside it."""

from __future__ import annotations

from django.conf import settings

from hub.errors import EntryNotFoundError, TooLargeError
from hub.formats.path_patterns import MAX_BYTES, LargeFileRules
from hub.gitstore import GitStore

SAMPLE_BYTES = 512


def is_large(rules: LargeFileRules, path: str, *, size_bytes: int, sample: bytes) -> bool:
    """Whether a file is kept outside git; `sample` are its first bytes."""
    if size_bytes == 0:
        return False
    too_big = size_bytes > settings.REGULAR_FILE_LIMIT_BYTES
    return too_big or rules.is_large(path) or is_binary(sample)


def is_binary(sample: bytes) -> bool:
    """Whether the first bytes of a file are no text; the last character may be cut."""
    if b"\0" in sample:
        return True
    try:
        sample.decode()
    except UnicodeDecodeError as error:
        return error.start < len(sample) - 3
    return False


def large_file_rules(store: GitStore, oid: str) -> LargeFileRules:
    """What `.gitattributes` says at the commit `oid`."""
    return LargeFileRules.parse(text_file(store, oid, ".gitattributes"))


def text_file(store: GitStore, oid: str, path: str) -> bytes:
    """A small file that need not be there."""
    try:
        return store.read(oid, path, limit_bytes=MAX_BYTES)
    except (EntryNotFoundError, TooLargeError):
        return b""
