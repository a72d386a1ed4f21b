"""Xorbs and shards made by hand, so that a test can also make wrong ones."""

import hashlib
import struct
from dataclasses import dataclass, replace

import lz4.frame

from hub.blobstore.xet import hashing, shard
from hub.blobstore.xet.xorb import Scheme


def frame(raw: bytes, scheme: Scheme = Scheme.LZ4, *, claimed_bytes: int | None = None) -> bytes:
    stored = raw
    if scheme is Scheme.GROUPED_LZ4:
        stored = b"".join(raw[group::4] for group in range(4))
    if scheme is not Scheme.NONE:
        stored = lz4.frame.compress(stored)
    return frame_of(stored, scheme, len(raw) if claimed_bytes is None else claimed_bytes)


def frame_of(stored: bytes, scheme: int, raw_bytes: int) -> bytes:
    u24 = [struct.pack("<I", number)[:3] for number in (len(stored), raw_bytes)]
    return b"\0" + u24[0] + bytes([scheme]) + u24[1] + stored


def xorb_name(chunks: list[bytes]) -> str:
    return hashing.to_hex(hashing.xorb_hash((hashing.chunk_hash(c), len(c)) for c in chunks))


def xorb_of(chunks: list[bytes], scheme: Scheme = Scheme.LZ4) -> bytes:
    return b"".join(frame(chunk, scheme) for chunk in chunks)


@dataclass(frozen=True)
class Claim:
    """A file of one term over a xorb; every field can be made to lie."""

    xorb: bytes
    start: int
    end: int
    raw_bytes: int
    proof: bytes
    file_hash: bytes
    sha256: bytes
    flags: int = shard.HAS_PROOFS | shard.HAS_SHA256

    def but(self, **lies: object) -> "Claim":
        return replace(self, **lies)


def claim_of(chunks: list[bytes]) -> Claim:
    """The truth about a file that is exactly the xorb of `chunks`."""
    hashes = [hashing.chunk_hash(chunk) for chunk in chunks]
    root = hashing.xorb_hash(zip(hashes, map(len, chunks), strict=True))
    return Claim(
        xorb=root,
        start=0,
        end=len(chunks),
        raw_bytes=sum(map(len, chunks)),
        proof=hashing.range_hash(b"".join(hashes)),
        file_hash=hashing.file_hash(root),
        sha256=hashing.from_hex(hashlib.sha256(b"".join(chunks)).hexdigest()),
    )


def shard_of(*claims: Claim, tag: bytes = shard.TAG, version: int = shard.VERSION) -> bytes:
    end = shard.SECTION.pack(shard.END_HASH, 0, 0)
    parts = [shard.HEADER.pack(tag, version, 0)]
    for claim in claims:
        parts += [
            shard.SECTION.pack(claim.file_hash, claim.flags, 1),
            shard.TERM.pack(claim.xorb, 0, claim.raw_bytes, claim.start, claim.end),
            shard.DIGEST.pack(claim.proof),
            shard.DIGEST.pack(claim.sha256),
        ]
    return b"".join([*parts, end, end])
