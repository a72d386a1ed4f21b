"""Shards: what a client says about files, as terms over xorbs.

48-byte records throughout: header, file section, xorb section, each section closed by an end mark;
an uploaded shard has no footer. Source: the Xet protocol specification, "Shard".
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hub.errors import TooLargeError, UnprocessableError

MAX_SHARD_BYTES = 64 * 1024**2
RECORD_BYTES = 48
TAG = b"HFRepoMetaData\0" + bytes.fromhex("556967456a7b815783a5bdd95ccdd14aa9")
VERSION = 2
HEADER = struct.Struct("<32sQQ")
SECTION = struct.Struct("<32sII8x")  # hash, flags, number of entries
TERM = struct.Struct("<32sIIII")  # xorb hash, flags, raw bytes, first chunk, end chunk
DIGEST = struct.Struct("<32s16x")  # a proof, or a sha256
END_HASH = b"\xff" * 32
HAS_PROOFS = 1 << 31
HAS_SHA256 = 1 << 30


@dataclass(frozen=True)
class Term:
    """Chunks [start, end) of a xorb, in a file. Hashes are raw bytes here and below."""

    xorb: bytes
    start: int
    end: int
    raw_bytes: int
    proof: bytes


@dataclass(frozen=True)
class ShardFile:
    """A file as the client claims it to be: nothing is checked yet."""

    file_hash: bytes
    sha256: bytes
    _terms: memoryview
    _proofs: memoryview

    def terms(self) -> Iterator[Term]:
        for term, (proof,) in zip(
            TERM.iter_unpack(self._terms), DIGEST.iter_unpack(self._proofs), strict=True
        ):
            xorb, _, raw_bytes, start, end = term
            yield Term(xorb, start, end, raw_bytes, proof)


def read_shard(body: bytes | Path) -> list[ShardFile]:
    """The files that a shard names.

    Raises: TooLargeError; UnprocessableError when it breaks off, is of another version, or lacks
    the proofs and sha256 that every upload to a repository carries.
    """
    size_bytes = body.stat().st_size if isinstance(body, Path) else len(body)
    if size_bytes > MAX_SHARD_BYTES:
        raise TooLargeError(f"A shard may have {MAX_SHARD_BYTES} bytes. Upload fewer files.")
    reader = _Records(body.read_bytes() if isinstance(body, Path) else body)
    tag, version, footer_bytes = HEADER.unpack(reader.take(1))
    if tag != TAG or version != VERSION:
        raise UnprocessableError("This is not a shard of version 2. Update hf_xet and retry.")
    files = list(_files(reader))
    _skip_xorbs(reader)
    if reader.left_bytes != footer_bytes:
        raise UnprocessableError("The shard goes on after its end. Upload again.")
    return files


class _Records:
    """A cursor over 48-byte records."""

    def __init__(self, body: bytes) -> None:
        self._body, self._position = memoryview(body), 0

    @property
    def left_bytes(self) -> int:
        return len(self._body) - self._position

    def take(self, count: int) -> memoryview:
        size_bytes = count * RECORD_BYTES
        if size_bytes > self.left_bytes:
            raise UnprocessableError("The shard breaks off before its end. Upload again.")
        self._position += size_bytes
        return self._body[self._position - size_bytes : self._position]


def _files(reader: _Records) -> Iterator[ShardFile]:
    for file_hash, flags, count in _sections(reader):
        if not flags & HAS_PROOFS or not flags & HAS_SHA256:
            raise UnprocessableError("A file in the shard lacks its proofs or sha256.")
        terms, proofs = reader.take(count), reader.take(count)
        (sha256,) = DIGEST.unpack(reader.take(1))
        yield ShardFile(file_hash, sha256, terms, proofs)


def _skip_xorbs(reader: _Records) -> None:
    # What it says about xorbs is not used: each xorb was checked and indexed when it came.
    for _, _, count in _sections(reader):
        reader.take(count)


def _sections(reader: _Records) -> Iterator[tuple[bytes, int, int]]:
    while True:
        digest, flags, count = SECTION.unpack(reader.take(1))
        if digest == END_HASH:
            return
        yield digest, flags, count
