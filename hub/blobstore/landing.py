"""Files that appear whole or not at all: draft, fsync, link if absent, fsync the folder."""

import errno
import fcntl
import os
import shutil
import stat
import tempfile
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import timedelta
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, Protocol

from hub.errors import StorageFullError, UnprocessableError

MIB = 1024**2
ROOM_CHECK_BYTES = 64 * MIB
RESERVED_SHARE = 0.05  # a small disk reserves this share of itself instead of `reserve_bytes`
FULL_ERRNOS = {errno.ENOSPC, errno.EDQUOT}
FULL_MESSAGE = "The hub's disk is full. Ask its operator to free space, then upload again."


class ByteStream(Protocol):
    """Anything to read an upload from: a file, a request, a WSGI input."""

    def read(self, size: int, /) -> bytes: ...


class Draft:
    """A file that nobody sees until it is published."""

    def __init__(self, landing: "Landing", path: Path, file: BinaryIO) -> None:
        self._landing, self._path, self._file = landing, path, file
        self._unchecked_bytes = 0

    def write(self, data: bytes) -> None:
        self._file.write(data)
        self._unchecked_bytes += len(data)
        if self._unchecked_bytes >= ROOM_CHECK_BYTES:
            self._landing.require_room(0)
            self._unchecked_bytes = 0

    def publish(self, place: Path) -> bool:
        """Put the file at `place` for good. False when another upload already had."""
        self._seal()
        return self._landing.settle(self._path, place)

    def replace(self, place: Path) -> None:
        """Put the file at `place` for good, instead of what lies there."""
        self._seal()
        make_folder(place.parent)
        self._path.replace(place)
        fsync_folder(place.parent)

    def _seal(self) -> None:
        self._file.flush()
        os.fchmod(self._file.fileno(), 0o444)
        os.fsync(self._file.fileno())


class Landing:
    """One scope's folder for drafts, on the same file system as the places they land in."""

    def __init__(self, root: Path, *, reserve_bytes: int) -> None:
        self._root, self._folder = root, root / "tmp"
        self._reserve_bytes = reserve_bytes
        make_folder(self._folder)

    @contextmanager
    def draft(self, expected_bytes: int = 0) -> Iterator[Draft]:
        """A new empty draft. It is gone afterwards, published or not.

        Raises: StorageFullError before the first byte or at the byte that no longer fits.
        """
        with storage_full_refused():
            self.require_room(expected_bytes)
            descriptor, name = tempfile.mkstemp(dir=self._folder)
            file = os.fdopen(descriptor, "wb", buffering=MIB)
            try:
                yield Draft(self, Path(name), file)
            finally:
                with suppress(OSError):  # after a failed write, closing fails once more
                    file.close()
                Path(name).unlink(missing_ok=True)

    @contextmanager
    def adopted(self, path: Path) -> Iterator[tuple[Path, BufferedReader]]:
        """A second name for the regular file `path`, and that same file opened for reading.

        Whoever swaps `path` meanwhile changes nothing: name and bytes belong to one inode.
        Raises: UnprocessableError for a link, folder or device; OSError EXDEV from elsewhere.
        """
        name = self._folder / uuid.uuid4().hex
        with storage_full_refused():
            require_regular(path.lstat())
            os.link(path, name, follow_symlinks=False)
            try:
                with open_regular(name) as file:
                    yield name, file
            finally:
                name.unlink()

    def settle(self, source: Path, place: Path) -> bool:
        """Give the synced file `source` the name `place`. False when it was taken.

        Either way it counts as used now: nothing collects it for a while.
        """
        with self.guarded():
            inserted = link_if_absent(source, place)
            os.utime(place)
        return inserted

    def touch(self, place: Path) -> bool:
        """Count the file at `place` as used now. False when there is none."""
        with self.guarded(), suppress(FileNotFoundError):
            os.utime(place)
            return True
        return False

    def discard(self, place: Path, *, unused_for: timedelta) -> bool:
        """Remove the file at `place` unless it was used within `unused_for`."""
        with self.guarded(alone=True):
            if not place.is_file() or not self.is_unused(place, unused_for):
                return False
            place.unlink()
        fsync_folder(place.parent)
        return True

    def is_unused(self, place: Path, unused_for: timedelta) -> bool:
        """Whether nobody has used the file at `place`, if there is one, for so long."""
        try:
            return place.stat().st_mtime <= time.time() - unused_for.total_seconds()
        except FileNotFoundError:
            return True

    @contextmanager
    def guarded(self, *, alone: bool = False) -> Iterator[None]:
        """While this is held nothing in the scope is removed; `alone`, nothing is used either.

        The lock lies on a file of the scope and ends with its process. It is opened for writing,
        as network file systems want it.
        """
        descriptor = os.open(self._root / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
            yield
        finally:
            os.close(descriptor)

    def require_room(self, expected_bytes: int) -> None:
        """Raises: StorageFullError when `expected_bytes` more would eat into the reserve."""
        require_room(self._folder, expected_bytes, reserve_bytes=self._reserve_bytes)

    def stray_files(self, older_than: timedelta) -> Iterator[Path]:
        """What killed uploads left behind, untouched for `older_than`."""
        ends_at = time.time() - older_than.total_seconds()
        for path in self._folder.iterdir():
            with suppress(FileNotFoundError):
                # An adopted file keeps its old mtime; linking and writing both renew ctime.
                if path.lstat().st_ctime <= ends_at:
                    yield path

    def remove_stray_files(self, older_than: timedelta) -> int:
        """The number of stray files removed."""
        stray = list(self.stray_files(older_than))
        for path in stray:
            path.unlink(missing_ok=True)
        return len(stray)


def require_room(folder: Path, expected_bytes: int = 0, *, reserve_bytes: int) -> None:
    """Raises: StorageFullError when `expected_bytes` more would eat into the disk's reserve."""
    usage = shutil.disk_usage(folder)
    if usage.free < expected_bytes + min(reserve_bytes, int(usage.total * RESERVED_SHARE)):
        raise StorageFullError(FULL_MESSAGE)


def link_if_absent(source: Path, place: Path) -> bool:
    """Give the synced file `source` the name `place`, durably. False when it was taken."""
    make_folder(place.parent)
    try:
        os.link(source, place, follow_symlinks=False)
        inserted = True
    except FileExistsError:
        inserted = False
    # Also when another upload came first: it may not have synced the folder yet.
    fsync_folder(place.parent)
    return inserted


def open_regular(path: Path) -> BufferedReader:
    """The ordinary file at `path`, for reading; links and devices are refused unread."""
    require_regular(path.lstat())  # before opening: a device may react to being opened
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        require_regular(os.fstat(descriptor))
    except UnprocessableError:
        os.close(descriptor)
        raise
    return os.fdopen(descriptor, "rb")


def require_regular(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise UnprocessableError("The upload is not an ordinary file. Send the bytes again.")


def make_folder(folder: Path) -> None:
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    fsync_folder(folder.parent)


def fsync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def syncing(descriptor: int) -> Iterator[None]:
    """Let the disk write a file's bytes while the block reads them, and wait for it at the end.

    What the block takes costs no time of its own then: the disk is the slower of the two.
    """
    with ThreadPoolExecutor(1) as pool:
        synced = pool.submit(os.fsync, descriptor)
        yield
        synced.result()


@contextmanager
def storage_full_refused() -> Iterator[None]:
    """Turn the system's own "no space" into the hub's refusal."""
    try:
        yield
    except OSError as fault:
        if fault.errno not in FULL_ERRNOS:
            raise
        raise StorageFullError(FULL_MESSAGE) from fault
