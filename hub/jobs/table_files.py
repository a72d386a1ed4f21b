"""The files of a table, read by ranges from git or the object store."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import IO, Any, BinaryIO

from hub.errors import EntryNotFoundError
from hub.formats.tables.errors import TableError
from hub.formats.tables.opening import format_of, open_table
from hub.formats.tables.rows import Budget, Reader
from hub.gitstore import Entry
from hub.models import Repository, StoredObject

# Of one version of what is worked out of a table; a new one works it out anew.
VERSION = 2
# git gives a blob from its beginning only: larger ones are not held in memory.
BLOB_LIMIT_BYTES = 32 * 1024**2
BLOCK_BYTES = 256 * 1024


@dataclass(frozen=True)
class TablePart:
    """One file: `oid` is the sha256 of a large file, or that of git's blob."""

    path: str
    format: str
    oid: str
    size_bytes: int
    is_large: bool

    @classmethod
    def of(cls, entry: Entry) -> TablePart | None:
        """None for what is no table."""
        kind = format_of(entry.path)
        if not kind or entry.kind != "file":
            return None
        oid = entry.lfs.sha256 if entry.lfs else entry.oid
        return cls(entry.path, kind, oid, entry.size, entry.lfs is not None)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def digest_of(parts: Sequence[TablePart]) -> str:
    """What names a table: the contents of its files, in order, and how they are read."""
    text = "\n".join(f"{part.format} {part.oid}" for part in parts)
    return hashlib.sha256(text.encode()).hexdigest()


@contextmanager
def opened(repository: Repository, part: TablePart, budget: Budget) -> Iterator[Reader]:
    """A reader of one file, whose bytes the repository has the right to (`require_parts`).

    Raises: TableError, BudgetSpentError, EntryNotFoundError.
    """
    with _bytes_of(repository, part) as file:
        yield open_table(file, part.format, part.size_bytes, budget)


def require_parts(repository: Repository, parts: Sequence[TablePart]) -> None:
    """Refuse pointers to what this repository may not read. Raises: EntryNotFoundError."""
    wanted = {part.oid for part in parts if part.is_large}
    if not wanted:
        return
    rows = StoredObject.objects.filter(links__repository=repository, sha256__in=wanted)
    if wanted - set(rows.values_list("sha256", flat=True)):
        raise EntryNotFoundError("This repository does not hold the content of this file.")


def _bytes_of(repository: Repository, part: TablePart) -> IO[bytes]:
    if part.is_large:
        blobs = repository.blobs()
        return io.BufferedReader(
            RangedFile(lambda start: blobs.open(part.oid, start), part.size_bytes), BLOCK_BYTES
        )
    if part.size_bytes > BLOB_LIMIT_BYTES:
        raise TableError("too_large", "This file lies in git itself and is too large to page.")
    with repository.store().open_blob(part.oid) as file:
        return io.BytesIO(file.read(BLOB_LIMIT_BYTES))


class RangedFile(io.RawIOBase):
    """A seekable file over a store that gives readers from any byte on."""

    def __init__(self, open_from: Callable[[int], BinaryIO], size_bytes: int) -> None:
        super().__init__()
        self._open_from, self._size = open_from, size_bytes
        self._at = 0
        self._stream: BinaryIO | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        place = max(0, base + offset)
        if place != self._at:
            self._let_go()
            self._at = place
        return place

    def readinto(self, buffer: Any) -> int:
        if self._at >= self._size:
            return 0
        if self._stream is None:
            self._stream = self._open_from(self._at)
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        self._let_go()
        super().close()

    def _let_go(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None
