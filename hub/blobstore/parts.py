"""Large files that come in parts: each part goes to its place in a file of the final length.

The file that was filled is the one that becomes the blob, so nothing is copied at the end. No part
may reach it once it is one: writers share the file's lock, whoever finishes it holds the lock
alone, and a writer looks, with the lock in hand, whether the file still is the draft it was.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

from blake3 import blake3

from hub.blobstore.landing import (
    MIB,
    ByteStream,
    Landing,
    make_folder,
    open_regular,
    storage_full_refused,
)
from hub.errors import BadInputError, StorageUnavailableError

CHUNK_BYTES = 4 * MIB
FINISHED_MESSAGE = "This file was just put together: ask again."


class PartialFiles:
    """The unfinished files of one scope, by names that the hub gives them."""

    def __init__(self, root: Path, landing: Landing) -> None:
        self._folder, self._landing = root / "parts", landing

    def write(
        self, name: str, source: ByteStream | Path, *, size_bytes: int, start: int, end: int
    ) -> str:
        """Put the bytes [start, end) of a file of `size_bytes` into place; return their hash.

        The same part may come again, also while it is being written: what is there in the end is
        checked when the file is finished.
        Raises: BadInputError for another length, StorageFullError, StorageUnavailableError when
        the file is being finished.
        """
        if isinstance(source, Path):
            with open_regular(source) as file:
                return self.write(name, file, size_bytes=size_bytes, start=start, end=end)
        hasher, position = blake3(), start
        with storage_full_refused(), self._opened(name, size_bytes) as descriptor:
            self._landing.require_room(end - start)
            for chunk in iter(partial(source.read, CHUNK_BYTES), b""):
                if position + len(chunk) > end:
                    raise BadInputError(f"This part has {end - start} bytes and no more.")
                hasher.update(chunk)
                _write_all(descriptor, chunk, position)
                position += len(chunk)
            if position != end:
                raise BadInputError(f"{position - start} bytes came of the {end - start} bytes.")
            os.fdatasync(descriptor)
        return hasher.hexdigest()

    @contextmanager
    def finishing(self, name: str, size_bytes: int) -> Iterator[Path]:
        """The file, while nobody writes to it. It is gone afterwards if all went well."""
        with self._opened(name, size_bytes, alone=True):
            yield self._place(name)
            self.drop(name)

    def drop(self, name: str) -> None:
        """Forget a file; one that is not there is no fault."""
        self._place(name).unlink(missing_ok=True)

    def names(self, older_than: timedelta) -> list[str]:
        """The files that nothing was written to for so long."""
        if not self._folder.is_dir():
            return []
        ends_at = time.time() - older_than.total_seconds()
        return [path.name for path in self._folder.iterdir() if path.stat().st_mtime <= ends_at]

    def _place(self, name: str) -> Path:
        return self._folder / name

    @contextmanager
    def _opened(self, name: str, size_bytes: int, *, alone: bool = False) -> Iterator[int]:
        """The draft under its lock, made where missing.

        Whoever finishes it may find it a blob already: an earlier attempt was killed.
        """
        make_folder(self._folder)
        place = self._place(name)
        descriptor = self._open(place, read_only=alone and place.exists())
        try:
            _lock(descriptor, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
            status = os.fstat(descriptor)
            is_here = place.exists() and place.stat().st_ino == status.st_ino
            if not is_here or (status.st_nlink != 1 and not alone):
                raise StorageUnavailableError(FINISHED_MESSAGE)
            if status.st_size != size_bytes and status.st_nlink == 1:
                os.truncate(place, size_bytes)
            yield descriptor
        finally:
            os.close(descriptor)

    def _open(self, place: Path, *, read_only: bool) -> int:
        way = os.O_RDONLY if read_only else os.O_RDWR | os.O_CREAT
        try:
            return os.open(place, way | os.O_NOFOLLOW, 0o600)
        except (PermissionError, FileNotFoundError):
            raise StorageUnavailableError(FINISHED_MESSAGE) from None


def _lock(descriptor: int, lock: int) -> None:
    try:
        fcntl.flock(descriptor, lock | fcntl.LOCK_NB)
    except BlockingIOError:
        raise StorageUnavailableError("Parts of this file are on their way: ask again.") from None


def _write_all(descriptor: int, data: bytes, position: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, position)
        view, position = view[written:], position + written
