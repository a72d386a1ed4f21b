"""Xorbs: frames of compressed chunks back to back, and the index we append when storing one.

A frame on the wire: version u8 = 0, stored length u24, scheme u8, raw length u24, then the stored
bytes; little-endian. Source: the Xet protocol specification, "Xorb".
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import lz4.frame
import numpy as np

from hub.blobstore.landing import ByteStream
from hub.blobstore.xet.hashing import chunk_hash, to_hex, xorb_hash
from hub.errors import TooLargeError, UnprocessableError

# 64 MiB of chunks, which may not compress at all, their frames, and an older client's footer.
MAX_XORB_BYTES = 65 * 1024**2
MAX_CHUNKS = 8192
MAX_CHUNK_BYTES = 128 * 1024
FRAME = struct.Struct("<BHBBHB")  # a u24 is read as u16 and u8
CLIENT_FOOTER = b"XETBLOB"
GROUPS = 4

# One record a chunk: its hash, then where its frame and its raw bytes end.
CHUNK = np.dtype([("hash", "u1", 32), ("stored_end", "<u4"), ("raw_end", "<u4")])
TAIL = struct.Struct("<8sII")  # tag, number of chunks, length of all frames
TAIL_TAG = b"WBXORB01"


class Scheme(IntEnum):
    """How the stored bytes of a frame become raw ones."""

    NONE = 0
    LZ4 = 1
    GROUPED_LZ4 = 2


SCHEMES = frozenset(Scheme)


@dataclass(frozen=True)
class Frame:
    scheme: Scheme
    raw_bytes: int
    stored: bytes

    @property
    def size_bytes(self) -> int:
        return FRAME.size + len(self.stored)


@dataclass(frozen=True)
class Tail:
    """What follows the frames in a stored xorb: where they end, and the index to put there."""

    place: int
    packed: bytes


@dataclass(frozen=True)
class XorbIndex:
    """Where each chunk of a stored xorb lies: an array of `CHUNK` records."""

    chunks: np.ndarray

    def __len__(self) -> int:
        return len(self.chunks)

    def hashes(self, start: int, end: int) -> bytes:
        """The raw hashes of chunks [start, end), one after the other."""
        return self.chunks["hash"][start:end].tobytes()

    @property
    def stored_bytes(self) -> int:
        """The length of all frames."""
        return int(self.chunks["stored_end"][-1])

    def leaves_of(self, numbers: np.ndarray) -> list[tuple[bytes, int]]:
        """The (hash, raw length) of some chunks."""
        sizes = np.diff(self.chunks["raw_end"], prepend=np.uint32(0))[numbers]
        hashes = self.chunks["hash"][numbers]
        return [(row.tobytes(), size) for row, size in zip(hashes, sizes.tolist(), strict=True)]

    def raw_span(self, start: int, end: int) -> tuple[int, int]:
        return self._span("raw_end", start, end)

    def stored_span(self, start: int, end: int) -> tuple[int, int]:
        """The byte range [first, last) of the frames of chunks [start, end)."""
        return self._span("stored_end", start, end)

    def covering(self, start: int, end: int, low: int, high: int) -> tuple[int, int]:
        """Those of the chunks [start, end) that hold their raw bytes [low, high)."""
        ends = self.chunks["raw_end"][start:end].astype(np.int64) - self.raw_span(start, end)[0]
        first = np.searchsorted(ends, low, side="right")
        last = np.searchsorted(ends, high, side="left")
        return start + int(first), start + int(last) + 1

    def leaves(self, start: int, end: int) -> Iterator[tuple[bytes, int]]:
        """The (hash, raw length) of chunks [start, end)."""
        hashes, previous_end = self.hashes(start, end), self.raw_span(start, end)[0]
        for number, raw_end in enumerate(self.chunks["raw_end"][start:end].tolist()):
            yield hashes[32 * number : 32 * number + 32], raw_end - previous_end
            previous_end = raw_end

    def _span(self, field: str, start: int, end: int) -> tuple[int, int]:
        ends = self.chunks[field]
        return int(ends[start - 1]) if start else 0, int(ends[end - 1])


def receive(
    source: ByteStream, write: Callable[[bytes], object], *, digest: bytes, length_bytes: int
) -> None:
    """Check the xorb of `length_bytes` in `source` frame by frame, and write frames and index.

    Memory: one chunk. Raises: TooLargeError, UnprocessableError; what was written is then void.
    """

    def write_frame(frame: Frame) -> None:
        write(pack(frame))
        write(frame.stored)

    write(check(source, write_frame, digest=digest, length_bytes=length_bytes).packed)


def check(
    source: ByteStream,
    each: Callable[[Frame], object],
    *,
    digest: bytes,
    length_bytes: int,
) -> Tail:
    """What belongs behind the frames of the xorb in `source`, whose every byte was checked.

    `each` gets one frame after the other. Raises: what `receive` raises.
    """
    if length_bytes > MAX_XORB_BYTES:
        raise TooLargeError(f"A xorb may have {MAX_XORB_BYTES} bytes, this one has {length_bytes}.")
    leaves: list[tuple[bytes, int]] = []
    records: list[tuple[int, int]] = []
    stored_end = raw_end = 0
    while stored_end < length_bytes and (frame := read_frame(source, length_bytes - stored_end)):
        if len(leaves) == MAX_CHUNKS:
            raise UnprocessableError(f"The xorb has more than {MAX_CHUNKS} chunks. Split it.")
        raw = decode(frame)
        stored_end += frame.size_bytes
        raw_end += len(raw)
        leaves.append((chunk_hash(raw), len(raw)))
        records.append((stored_end, raw_end))
        each(frame)
    if not leaves or xorb_hash(leaves) != digest:
        raise UnprocessableError(f"The bytes sent are not xorb {to_hex(digest)}. Send it again.")
    packed = _index(leaves, records) + TAIL.pack(TAIL_TAG, len(leaves), stored_end)
    return Tail(stored_end, packed)


def read_frame(source: ByteStream, limit_bytes: int = MAX_XORB_BYTES) -> Frame | None:
    """The next frame, still compressed. None where a client's own footer begins instead.

    Raises: UnprocessableError for a frame that is cut short, too large or of unknown kind.
    """
    header = read_exactly(source, min(FRAME.size, limit_bytes))
    if header.startswith(CLIENT_FOOTER):
        return None
    if len(header) < FRAME.size:
        raise _broken("it ends inside a frame")
    version, stored_low, stored_high, scheme, raw_low, raw_high = FRAME.unpack(header)
    stored_bytes, raw_bytes = stored_low | stored_high << 16, raw_low | raw_high << 16
    if version != 0 or scheme not in SCHEMES:
        raise _broken(f"frame version {version} with scheme {scheme} is not known")
    if not 0 < raw_bytes <= MAX_CHUNK_BYTES:
        raise _broken(f"a chunk has 1 to {MAX_CHUNK_BYTES} bytes, not {raw_bytes}")
    if stored_bytes > limit_bytes - FRAME.size:
        raise _broken("it ends inside a frame")
    return Frame(Scheme(scheme), raw_bytes, read_exactly(source, stored_bytes))


def read_exactly(source: ByteStream, size_bytes: int) -> bytes:
    """`size_bytes` from a stream that may return less at a time."""
    data = source.read(size_bytes)
    while len(data) < size_bytes:
        more = source.read(size_bytes - len(data))
        if not more:
            raise _broken("it ends inside a frame")
        data += more
    return data


def pack(frame: Frame) -> bytes:
    """The header of a frame."""
    stored_bytes, raw_bytes = len(frame.stored), frame.raw_bytes
    return FRAME.pack(
        0,
        stored_bytes & 0xFFFF,
        stored_bytes >> 16,
        frame.scheme,
        raw_bytes & 0xFFFF,
        raw_bytes >> 16,
    )


def decode(frame: Frame) -> bytes:
    """The raw bytes of a frame; never more than it announces are produced.

    Raises: UnprocessableError when they are fewer, more or not compressed as announced.
    """
    raw = frame.stored if frame.scheme is Scheme.NONE else _decompress(frame)
    if len(raw) != frame.raw_bytes:
        raise _broken(f"a chunk announced as {frame.raw_bytes} bytes has another length")
    return ungroup(raw) if frame.scheme is Scheme.GROUPED_LZ4 else raw


def _decompress(frame: Frame) -> bytes:
    decompressor = lz4.frame.LZ4FrameDecompressor()
    try:
        raw = decompressor.decompress(frame.stored, max_length=frame.raw_bytes + 1)
    except RuntimeError as fault:  # what this library raises for every broken frame
        raise _broken("a chunk is not a valid LZ4 frame") from fault
    if not decompressor.eof or decompressor.unused_data:
        raise _broken("a chunk is not exactly one LZ4 frame")
    return raw


def ungroup(grouped: bytes) -> bytes:
    """Undo grouping by four: all bytes 0 mod 4 come first, then 1, 2 and 3 mod 4."""
    source = np.frombuffer(grouped, np.uint8)
    raw = np.empty_like(source)
    position = 0
    for group in range(GROUPS):
        size = len(raw[group::GROUPS])
        raw[group::GROUPS] = source[position : position + size]
        position += size
    return raw.tobytes()


def read_index(path: Path) -> XorbIndex:
    """The index of a stored xorb."""
    with path.open("rb") as file:
        file.seek(-TAIL.size, 2)
        tag, count, _ = TAIL.unpack(file.read(TAIL.size))
        if tag != TAIL_TAG:
            raise ValueError(f"{path} is not a stored xorb")
        file.seek(-TAIL.size - count * CHUNK.itemsize, 2)
        return XorbIndex(np.frombuffer(file.read(count * CHUNK.itemsize), CHUNK))


def _index(leaves: list[tuple[bytes, int]], records: list[tuple[int, int]]) -> bytes:
    chunks = np.empty(len(leaves), CHUNK)
    hashes = b"".join(digest for digest, _ in leaves)
    chunks["hash"] = np.frombuffer(hashes, np.uint8).reshape(-1, 32)
    chunks["stored_end"], chunks["raw_end"] = np.array(records, np.uint32).T
    return chunks.tobytes()


def tail_of(leaves: list[tuple[bytes, int]], stored_sizes: list[int]) -> bytes:
    """What follows the frames of these chunks in a stored xorb: its index."""
    stored_ends = np.cumsum(stored_sizes, dtype=np.uint32).tolist()
    raw_ends = np.cumsum([size for _, size in leaves], dtype=np.uint32).tolist()
    records = list(zip(stored_ends, raw_ends, strict=True))
    return _index(leaves, records) + TAIL.pack(TAIL_TAG, len(leaves), stored_ends[-1])


def _broken(reason: str) -> UnprocessableError:
    return UnprocessableError(f"The xorb cannot be read: {reason}. Send it again.")
