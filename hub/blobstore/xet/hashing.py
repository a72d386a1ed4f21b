"""Xet hashes: of chunks, of trees over chunks, of ranges; and their text form.

Source: the Xet protocol specification, "Hashing"; the grouping rule of the tree, which it leaves
out, is that of xet-core and is checked against hf_xet in the tests.
"""

import struct
from collections.abc import Iterable

from blake3 import blake3

CHUNK_KEY = bytes.fromhex("6697f5775b9550de3135cbaca597181c9de421109beb2b58b4d0b04b93adf229")
NODE_KEY = bytes.fromhex("017ec5c7a5472996fd946666b48a02e65ddd536f37c76dd2f86352e64a53713f")
RANGE_KEY = bytes.fromhex("7f1857d6ce56ed66127ff913e7a5c3f3a4cd26d5b5db49e64124987f28fb94c3")
FILE_KEY = bytes(32)
NO_CHUNKS = bytes(32)
SMALLEST_GROUP, LARGEST_GROUP, MEAN_GROUP = 3, 9, 4
WORDS = struct.Struct("<4Q")


def to_hex(digest: bytes) -> str:
    """The text form of 32 raw bytes: each 8 of them are one little-endian number."""
    return "{:016x}{:016x}{:016x}{:016x}".format(*WORDS.unpack(digest))


def from_hex(text: str) -> bytes:
    """The raw bytes of a text form. Raises: ValueError unless it is 64 hex digits."""
    raw = bytes.fromhex(text)
    if len(raw) != 32 or len(text) != 64:
        raise ValueError("a Xet hash is 64 hex digits")
    return WORDS.pack(*struct.unpack(">4Q", raw))


def chunk_hash(data: bytes) -> bytes:
    return blake3(data, key=CHUNK_KEY).digest()


def range_hash(chunk_hashes: bytes) -> bytes:
    """The proof for a term, over the raw hashes of its chunks, one after the other."""
    return blake3(chunk_hashes, key=RANGE_KEY).digest()


def xorb_hash(chunks: Iterable[tuple[bytes, int]]) -> bytes:
    """The hash of a xorb with these chunks: (hash, raw length) in order."""
    tree = HashTree()
    for digest, size_bytes in chunks:
        tree.add(digest, size_bytes)
    return tree.root()


def file_hash(root: bytes) -> bytes:
    """The hash of a file whose chunks' tree has this root; all zeros for an empty file."""
    return root if root == NO_CHUNKS else blake3(root, key=FILE_KEY).digest()


class HashTree:
    """The tree over a sequence of chunks, built while they pass: a few nodes are held a level."""

    def __init__(self) -> None:
        self._open_groups: list[list[tuple[bytes, int]]] = [[]]

    def add(self, digest: bytes, size_bytes: int, level: int = 0) -> None:
        """Append a node; a group closes at nine children, or from the third on at random."""
        if level == len(self._open_groups):
            self._open_groups.append([])
        group = self._open_groups[level]
        group.append((digest, size_bytes))
        last_word = WORDS.unpack(digest)[3]
        closes = len(group) >= SMALLEST_GROUP and last_word % MEAN_GROUP == 0
        if closes or len(group) == LARGEST_GROUP:
            self._close(level)

    def root(self) -> bytes:
        """The root over everything added; ends the tree."""
        level = 0
        while level < len(self._open_groups):
            group = self._open_groups[level]
            is_top = level == len(self._open_groups) - 1
            if is_top and len(group) == 1:
                return group[0][0]
            if group:
                self._close(level)
            level += 1
        return NO_CHUNKS

    def _close(self, level: int) -> None:
        group = self._open_groups[level]
        lines = "".join(f"{to_hex(digest)} : {size_bytes}\n" for digest, size_bytes in group)
        node = blake3(lines.encode(), key=NODE_KEY).digest()
        self._open_groups[level] = []
        self.add(node, sum(size_bytes for _, size_bytes in group), level + 1)
