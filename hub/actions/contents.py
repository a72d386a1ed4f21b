"""The first bytes of a file, wherever they lie; never a whole large file."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import IO, BinaryIO

from hub.actions import large_files
from hub.formats.encodings import UTF_8, Decoded, decoded
from hub.gitstore import Entry
from hub.models import Repository


@dataclass(frozen=True)
class Head:
    """What a file begins with; `is_whole` when that is all of it."""

    content: bytes
    is_whole: bool

    @cached_property
    def _decoded(self) -> Decoded | None:
        return decoded(self.content, is_whole=self.is_whole)

    @property
    def text(self) -> str | None:
        """It as text; None for binary files. A letter that the cut parted is left out."""
        return self._decoded.text if self._decoded else None

    @property
    def encoding(self) -> str:
        """How the text is written; "" where that is UTF-8 or where there is none."""
        told = self._decoded.encoding if self._decoded else UTF_8
        return "" if told == UTF_8 else told


def head_of(repository: Repository, entry: Entry, limit_bytes: int) -> Head:
    """At most `limit_bytes` of the file. Raises: EntryNotFoundError when its bytes are not here."""
    if entry.lfs is None:
        with repository.store().open_blob(entry.oid) as file:
            return Head(_read(file, limit_bytes), entry.size <= limit_bytes)
    stored = large_files.require_link(repository, entry.lfs.sha256)
    end = min(limit_bytes, stored.size_bytes)
    with repository.blobs().open(stored.sha256, 0, end) as file:
        return Head(_read(file, end), stored.size_bytes <= limit_bytes)


def _read(file: IO[bytes] | BinaryIO, limit_bytes: int) -> bytes:
    """Files of a store may answer with less than was asked for."""
    content = bytearray()
    while len(content) < limit_bytes:
        chunk = file.read(limit_bytes - len(content))
        if not chunk:
            break
        content += chunk
    return bytes(content)
