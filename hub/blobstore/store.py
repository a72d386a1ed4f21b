"""Blobs of one scope, each a read-only file named by its sha256."""

import errno
import hashlib
import io
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from hub.blobstore.landing import (
    MIB,
    ByteStream,
    Landing,
    fsync_folder,
    open_regular,
    storage_full_refused,
    syncing,
)
from hub.blobstore.ranges import RangeReader
from hub.errors import (
    BadInputError,
    EntryNotFoundError,
    TooLargeError,
    UnprocessableError,
    UnsatisfiableRangeError,
)

RESERVE_BYTES = 2 * 1024**3
HEX_DIGEST = re.compile(r"[0-9a-f]{64}")
NOT_LINKABLE = {errno.EXDEV, errno.EMLINK, errno.EPERM}


@dataclass(frozen=True)
class Blob:
    """The identity of stored bytes: lowercase hex sha256 and length."""

    sha256: str
    size_bytes: int


class BlobStore:
    """The blobs of one scope, below `root`. Whoever holds two scopes holds two stores."""

    def __init__(self, root: Path, *, reserve_bytes: int = RESERVE_BYTES) -> None:
        self.root = root
        self.landing = Landing(root, reserve_bytes=reserve_bytes)

    def put(
        self,
        stream: ByteStream,
        *,
        sha256: str | None = None,
        size_bytes: int | None = None,
        limit_bytes: int,
    ) -> Blob:
        """Store what `stream` holds to its end, and return the blob it became.

        Raises:
            TooLargeError: more than `limit_bytes`, announced or sent.
            UnprocessableError: hash or length differ from `sha256`, `size_bytes`; nothing stored.
            StorageFullError: the disk is full, or would be.
        """
        chunks = iter(partial(stream.read, MIB), b"")
        return self.put_chunks(
            chunks, sha256=sha256, size_bytes=size_bytes, limit_bytes=limit_bytes
        )

    def put_chunks(
        self,
        chunks: Iterable[bytes],
        *,
        sha256: str | None = None,
        size_bytes: int | None = None,
        limit_bytes: int,
    ) -> Blob:
        """Store `chunks` one after the other; otherwise like `put`."""
        require_within(size_bytes or 0, limit_bytes)
        hasher, received_bytes = hashlib.sha256(), 0
        with self.landing.draft(size_bytes or 0) as draft:
            for chunk in chunks:
                received_bytes += len(chunk)
                require_within(received_bytes, limit_bytes)
                hasher.update(chunk)
                draft.write(chunk)
            blob = Blob(hasher.hexdigest(), received_bytes)
            require_same(blob, sha256, size_bytes)
            draft.publish(self._place(blob.sha256))
        return blob

    def adopt(
        self,
        path: Path,
        *,
        sha256: str | None = None,
        size_bytes: int | None = None,
        limit_bytes: int | None = None,
    ) -> Blob:
        """Store the file at `path` without copying it; `path` stays for its owner to remove.

        From another file system it is copied. Raises: what `put` raises.
        """
        limit_bytes = path.lstat().st_size if limit_bytes is None else limit_bytes
        try:
            return self._adopt(path, sha256, size_bytes, limit_bytes)
        except OSError as fault:
            if fault.errno not in NOT_LINKABLE:
                raise
        with open_regular(path) as file:
            return self.put(file, sha256=sha256, size_bytes=size_bytes, limit_bytes=limit_bytes)

    def _adopt(
        self, path: Path, sha256: str | None, size_bytes: int | None, limit_bytes: int
    ) -> Blob:
        with self.landing.adopted(path) as (name, file):
            found_bytes = os.fstat(file.fileno()).st_size
            require_within(found_bytes, limit_bytes)
            with syncing(file.fileno()):
                blob = Blob(hashlib.file_digest(file, "sha256").hexdigest(), found_bytes)
            require_same(blob, sha256, size_bytes)
            os.fchmod(file.fileno(), 0o444)
            os.fsync(file.fileno())
            self.landing.settle(name, self._place(blob.sha256))
        return blob

    def link_from(self, other: "BlobStore", sha256: str) -> Blob:
        """Store here the blob `sha256` of another scope, by a hard link where possible.

        Raises: EntryNotFoundError when `other` does not hold it.
        """
        source = other._require(sha256)
        blob = Blob(sha256, source.stat().st_size)
        try:
            with storage_full_refused():
                self.landing.settle(source, self._place(sha256))
        except OSError as fault:
            if fault.errno not in NOT_LINKABLE:
                raise
            with source.open("rb") as file:
                return self.put(file, sha256=sha256, limit_bytes=blob.size_bytes)
        return blob

    def open(self, sha256: str, start: int = 0, end: int | None = None) -> BinaryIO:
        """A reader of the bytes [start, end) of a blob.

        Raises: EntryNotFoundError; UnsatisfiableRangeError outside the blob.
        """
        path = self._require(sha256)
        size_bytes = path.stat().st_size
        end = size_bytes if end is None else end
        if not 0 <= start <= end <= size_bytes:
            raise UnsatisfiableRangeError(f"This file has {size_bytes} bytes. Ask for fewer.")
        return io.BufferedReader(RangeReader(path.open("rb", buffering=0), start, end), MIB)

    def stat(self, sha256: str) -> Blob | None:
        path = self.path(sha256)
        return Blob(sha256, path.stat().st_size) if path else None

    def keep(self, sha256: str) -> Blob | None:
        """`stat`, and count the blob as used now: nothing collects it for a while."""
        return self.stat(sha256) if self.landing.touch(self._place(sha256)) else None

    def path(self, sha256: str) -> Path | None:
        """Where the blob lies, for sendfile and read-only mounts. None when it is not stored."""
        place = self._place(sha256)
        return place if place.is_file() else None

    def internal_path(self, sha256: str) -> PurePosixPath | None:
        """`path` relative to the folder of all scopes, for the proxy to serve."""
        path = self.path(sha256)
        return PurePosixPath(path.relative_to(self.root.parent)) if path else None

    def delete(self, sha256: str) -> None:
        """Forget a blob; one that is not stored is no fault."""
        place = self._place(sha256)
        if place.is_file():
            place.unlink(missing_ok=True)
            fsync_folder(place.parent)

    def is_unused(self, sha256: str, unused_for: timedelta) -> bool:
        """Whether nobody has used a blob for so long; also one that is not stored."""
        return self.landing.is_unused(self._place(sha256), unused_for)

    def discard(self, sha256: str, *, unused_for: timedelta) -> bool:
        """Remove a blob unless somebody used it within `unused_for`."""
        return self.landing.discard(self._place(sha256), unused_for=unused_for)

    def iter_blobs(self) -> Iterator[Blob]:
        """Every blob stored, in no order. One deleted meanwhile may be missing."""
        for path in (self.root / "blobs").glob("??/??/*"):
            if blob := self.stat(path.name):
                yield blob

    def stray_files(self, older_than: timedelta) -> Iterator[Path]:
        return self.landing.stray_files(older_than)

    def remove_stray_files(self, older_than: timedelta = timedelta(days=1)) -> int:
        """Remove what killed uploads left behind, and return how many files that was."""
        return self.landing.remove_stray_files(older_than)

    def _place(self, sha256: str) -> Path:
        return fan_out(self.root / "blobs", sha256)

    def _require(self, sha256: str) -> Path:
        if path := self.path(sha256):
            return path
        raise EntryNotFoundError(f"No file with sha256 {sha256} is stored. Upload it first.")


def fan_out(folder: Path, digest: str) -> Path:
    """The place of `digest` below `folder`: ab/cd/abcd…. It may come straight from a request."""
    if not HEX_DIGEST.fullmatch(digest):
        raise BadInputError("A file id is 64 lowercase hex digits. Check the id that was sent.")
    return folder / digest[:2] / digest[2:4] / digest


def require_within(size_bytes: int, limit_bytes: int) -> None:
    if size_bytes > limit_bytes:
        raise TooLargeError(f"A file may have at most {limit_bytes} bytes. Split it and retry.")


def require_same(blob: Blob, sha256: str | None, size_bytes: int | None) -> None:
    if size_bytes is not None and blob.size_bytes != size_bytes:
        raise UnprocessableError(
            f"{blob.size_bytes} bytes arrived where {size_bytes} were announced. Upload it again."
        )
    if sha256 is not None and blob.sha256 != sha256:
        raise UnprocessableError(
            f"The bytes that arrived have sha256 {blob.sha256}, not {sha256}. Upload them again."
        )
