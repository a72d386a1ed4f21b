"""The xorbs of one scope: each a read-only file of frames with its own index at the end."""

import io
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from hub.blobstore.landing import MIB, ByteStream, Landing, open_regular
from hub.blobstore.ranges import RangeReader
from hub.blobstore.store import fan_out
from hub.blobstore.xet import xorb
from hub.blobstore.xet.hashing import from_hex
from hub.errors import UnprocessableError


class XorbShelf:
    """Xorbs below `root`, by the text form of their hash."""

    def __init__(self, root: Path, landing: Landing) -> None:
        self.root, self._landing = root, landing

    def put(self, hash_hex: str, source: ByteStream | Path, *, length_bytes: int) -> bool:
        """See `XetStore.put_xorb`."""
        if self.path(hash_hex):
            return False
        if isinstance(source, Path):
            with open_regular(source) as file:
                return self.put(hash_hex, file, length_bytes=length_bytes)
        digest = from_hex(hash_hex)
        with self._landing.draft(length_bytes) as draft:
            xorb.receive(source, draft.write, digest=digest, length_bytes=length_bytes)
            return draft.publish(self._place(hash_hex))

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
