"""What a client is told about chunks that a repository has already, so that it sends only others.

The answer has the format of a shard with a footer. Chunk hashes in it are keyed with a random
key, and chunks of a xorb that belong to other files stand as random bytes: whoever reads it learns
nothing but what the named files hold. Source: the Xet protocol specification, "Deduplication".
"""

import secrets
import struct
import time
from collections.abc import Callable, Iterable

import numpy as np
from blake3 import blake3

from hub.blobstore.xet import shard
from hub.blobstore.xet.hashing import to_hex
from hub.blobstore.xet.recipes import Recipe
from hub.blobstore.xet.xorb import XorbIndex

LIMIT_BYTES = 16 * 1024**2
XORB = struct.Struct("<32sIIII")  # hash, flags, number of chunks, raw bytes, stored bytes
CHUNK = np.dtype([("hash", "u1", 32), ("start", "<u4"), ("size", "<u4"), ("rest", "<u4", 2)])
FOOTER = struct.Struct("<9Q32s2Q6Q4Q")
FOOTER_VERSION = 1


def dedup_shard(
    recipes: Iterable[Recipe],
    index_of: Callable[[str], XorbIndex],
    *,
    key: bytes,
    expires_at: int,
) -> bytes:
    """The chunks of `recipes`, the first of them where not all fit into 16 MB."""
    parts, size_bytes = [shard.SECTION.pack(shard.END_HASH, 0, 0)], 0
    for digest, used in _used(recipes).items():
        index = index_of(to_hex(digest))
        size_bytes += (len(index) + 1) * shard.RECORD_BYTES
        if size_bytes > LIMIT_BYTES:
            break
        parts += [_xorb(digest, index), _chunks(index, used, key)]
    parts.append(shard.SECTION.pack(shard.END_HASH, 0, 0))
    head = shard.HEADER.pack(shard.TAG, shard.VERSION, FOOTER.size)
    body = b"".join([head, *parts])
    return body + _footer(len(body), key, expires_at)


def _used(recipes: Iterable[Recipe]) -> dict[bytes, list[tuple[int, int]]]:
    """The spans of chunks that the files use, by xorb."""
    spans: dict[bytes, list[tuple[int, int]]] = {}
    for recipe in recipes:
        for digest, start, end, _ in recipe.terms():
            spans.setdefault(digest, []).append((start, end))
    return spans


def _xorb(digest: bytes, index: XorbIndex) -> bytes:
    raw_bytes = index.raw_span(0, len(index))[1]
    return XORB.pack(digest, 0, len(index), raw_bytes, index.stored_bytes)


def _chunks(index: XorbIndex, used: list[tuple[int, int]], key: bytes) -> bytes:
    records = np.zeros(len(index), CHUNK)
    ends = index.chunks["raw_end"]
    records["size"] = np.diff(ends, prepend=np.uint32(0))
    records["start"] = ends - records["size"]
    records["hash"] = np.frombuffer(secrets.token_bytes(32 * len(index)), np.uint8).reshape(-1, 32)
    for number in {number for start, end in used for number in range(start, end)}:
        keyed = blake3(index.hashes(number, number + 1), key=key).digest()
        records["hash"][number] = np.frombuffer(keyed, np.uint8)
    return records.tobytes()


def _footer(offset: int, key: bytes, expires_at: int) -> bytes:
    """Lookup tables may be empty: clients make their own."""
    files_at = shard.HEADER.size
    sections = (files_at, files_at + shard.RECORD_BYTES)
    tables = (offset, 0, offset, 0, offset, 0)
    return FOOTER.pack(
        FOOTER_VERSION, *sections, *tables, key, int(time.time()), expires_at, *[0] * 9, offset
    )
