"""Archives written as they are sent: nothing but one piece of one file is held in memory."""

import io
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any

PIECE_BYTES = 1024**2
_GZIP = 31  # zlib: with the header and sum of gzip


@dataclass(frozen=True)
class Member:
    """A file of an archive. Weights hardly shrink: what is `is_packed` is stored as it is."""

    name: str
    size_bytes: int
    is_executable: bool
    is_packed: bool
    open: Callable[[], AbstractContextManager[IO[bytes]]]


class _Sink(io.RawIOBase):
    """Takes what a writer writes until it is taken away."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._pieces.append(bytes(data))
        return len(data)

    def taken(self) -> bytes:
        data = b"".join(self._pieces)
        self._pieces.clear()
        return data


def zipped(members: Iterator[Member], moment: datetime) -> Iterator[bytes]:
    """A zip of `members`, each dated `moment`."""
    sink, dated = _Sink(), moment.timetuple()[:6]
    with zipfile.ZipFile(sink, "w") as archive:
        for member in members:
            info = zipfile.ZipInfo(member.name, dated)
            info.compress_type = zipfile.ZIP_STORED if member.is_packed else zipfile.ZIP_DEFLATED
            info.external_attr = (0o100755 if member.is_executable else 0o100644) << 16
            info.file_size = member.size_bytes
            with archive.open(info, "w", force_zip64=member.size_bytes >= 2**31) as target:
                for piece in _pieces(member):
                    target.write(piece)
                    yield sink.taken()
            yield sink.taken()
    yield sink.taken()


def tarred(members: Iterator[Member], moment: datetime) -> Iterator[bytes]:
    """A tar of `members` in gzip; what is packed is not packed again."""
    for member in members:
        info = tarfile.TarInfo(member.name)
        info.size, info.mtime = member.size_bytes, int(moment.timestamp())
        info.mode = 0o755 if member.is_executable else 0o644
        # Each file is a part of its own, with its own level: gzip reads on through all of them.
        packer = zlib.compressobj(0 if member.is_packed else 6, zlib.DEFLATED, _GZIP)
        yield packer.compress(info.tobuf(tarfile.PAX_FORMAT))
        for piece in _pieces(member):
            yield packer.compress(piece)
        yield packer.compress(b"\0" * (-member.size_bytes % tarfile.BLOCKSIZE)) + packer.flush()
    packer = zlib.compressobj(6, zlib.DEFLATED, _GZIP)
    yield packer.compress(b"\0" * tarfile.RECORDSIZE) + packer.flush()


def _pieces(member: Member) -> Iterator[bytes]:
    """Exactly as many bytes as were announced. Raises: EOFError when there are fewer."""
    left = member.size_bytes
    with member.open() as file:
        while left:
            piece = file.read(min(left, PIECE_BYTES))
            if not piece:
                raise EOFError(f"{member.name} ends too soon.")
            left -= len(piece)
            yield piece
