"""The xorbs of one scope: each a read-only file of frames with its own index at the end."""

import io
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import numpy as np

from hub.blobstore.landing import MIB, ByteStream, Landing, open_regular, syncing
from hub.blobstore.ranges import RangeReader
from hub.blobstore.store import NOT_LINKABLE, fan_out
from hub.blobstore.xet import xorb
from hub.blobstore.xet.hashing import from_hex, to_hex
from hub.errors import UnprocessableError


class XorbShelf:
    """Xorbs below `root`, by the text form of their hash."""

    def __init__(self, root: Path, landing: Landing) -> None:
        self.root, self._landing = root, landing

    def put(self, hash_hex: str, source: ByteStream | Path, *, length_bytes: int) -> bool:
        """See `XetStore.put_xorb`."""
        if self.keep(hash_hex):
            return False
        if isinstance(source, Path):
            try:
                return self._adopt(hash_hex, source)
            except OSError as fault:
                if fault.errno not in NOT_LINKABLE:
                    raise
            with open_regular(source) as file:
                return self.put(hash_hex, file, length_bytes=length_bytes)
        digest = from_hex(hash_hex)
        with self._landing.draft(length_bytes) as draft:
            xorb.receive(source, draft.write, digest=digest, length_bytes=length_bytes)
            return draft.publish(self._place(hash_hex))

    def _adopt(self, hash_hex: str, path: Path) -> bool:
        """Store the file at `path` without a copy, once checked: the index goes behind its frames.

        A file that is refused stays as it was.
        """
        digest = from_hex(hash_hex)
        with self._landing.adopted(path) as (name, file):
            length_bytes = os.fstat(file.fileno()).st_size
            with syncing(file.fileno()):
                tail = xorb.check(file, _pass_by, digest=digest, length_bytes=length_bytes)
            with name.open("r+b") as end:
                end.truncate(tail.place)  # an older client's footer goes
                end.seek(tail.place)
                end.write(tail.packed)
                end.flush()
                os.fchmod(end.fileno(), 0o444)
                os.fsync(end.fileno())
            return self._landing.settle(name, self._place(hash_hex))

    def keep(self, hash_hex: str) -> bool:
        """Count a xorb as used now: nothing collects it for a while. False when it is not here."""
        return self._landing.touch(self._place(hash_hex))

    def names(self) -> Iterator[str]:
        """Every xorb stored, in no order."""
        return (path.name for path in (self.root / "xorbs").glob("??/??/*"))

    def discard(self, hash_hex: str, *, unused_for: timedelta) -> bool:
        """Remove a xorb unless somebody used it within `unused_for`."""
        return self._landing.discard(self._place(hash_hex), unused_for=unused_for)

    def link_from(self, other: "XorbShelf", hash_hex: str) -> None:
        """Store here a whole xorb of another scope, by a hard link where possible."""
        source = other._require(hash_hex)
        try:
            self._landing.settle(source, self._place(hash_hex))
        except OSError as fault:
            if fault.errno not in NOT_LINKABLE:
                raise
            # A stream and not its path: a file of another scope is not to be written to.
            with source.open("rb") as file:
                self.put(hash_hex, file, length_bytes=other.index(hash_hex).stored_bytes)

    def extract(self, other: "XorbShelf", hash_hex: str, wanted: np.ndarray) -> str:
        """Store here a xorb of some chunks, by ascending number, of one of another scope."""
        index = other.index(hash_hex)
        leaves = index.leaves_of(wanted)
        name = to_hex(xorb.xorb_hash(leaves))
        if not self.keep(name):
            spans = [index.stored_span(number, number + 1) for number in wanted.tolist()]
            with other._require(hash_hex).open("rb") as file, self._landing.draft() as draft:
                for start, end in spans:
                    file.seek(start)
                    draft.write(file.read(end - start))
                draft.write(xorb.tail_of(leaves, [end - start for start, end in spans]))
                draft.publish(self._place(name))
        return name

    def index(self, hash_hex: str) -> xorb.XorbIndex:
        """The index of a stored xorb. Raises: UnprocessableError when it is not stored."""
        return xorb.read_index(self._require(hash_hex))

    def raw_chunks(
        self, hash_hex: str, index: xorb.XorbIndex, start: int, end: int
    ) -> Iterator[bytes]:
        """The raw bytes of chunks [start, end) of the xorb with this index, chunk by chunk."""
        first_byte, _ = index.stored_span(start, end)
        with self._require(hash_hex).open("rb", buffering=MIB) as file:
            file.seek(first_byte)
            for _ in range(start, end):
                frame = xorb.read_frame(file)
                if frame is None:
                    raise ValueError(f"xorb {hash_hex} on disk differs from its index")
                yield xorb.decode(frame)

    def open(self, hash_hex: str, start: int, end: int) -> BinaryIO:
        """A reader of the bytes [start, end) of a xorb on disk."""
        file = self._require(hash_hex).open("rb", buffering=0)
        return io.BufferedReader(RangeReader(file, start, end), MIB)

    def path(self, hash_hex: str) -> Path | None:
        place = self._place(hash_hex)
        return place if place.is_file() else None

    def internal_path(self, hash_hex: str) -> PurePosixPath | None:
        """`path` relative to the folder of all scopes, for the proxy to serve ranges of."""
        path = self.path(hash_hex)
        return PurePosixPath(path.relative_to(self.root.parent)) if path else None

    def _place(self, hash_hex: str) -> Path:
        return fan_out(self.root / "xorbs", hash_hex)

    def _require(self, hash_hex: str) -> Path:
        if path := self.path(hash_hex):
            return path
        raise UnprocessableError(
            f"Xorb {hash_hex} is not stored here. Clear the cache of hf_xet, then upload again."
        )


def _pass_by(_frame: xorb.Frame) -> None:
    """Frames of an adopted file lie where they belong."""
