"""LFS pointers: the three lines of text that stand in git for a large file.

Source: git-lfs, docs/spec.md. What git-lfs would follow, we must recognise, so the reader is as
lenient as its decoder: old version addresses, `ext-` lines, CRLF and outer white space pass.
"""

import re
from dataclasses import dataclass

LIMIT_BYTES = 1024
VERSION = "https://git-lfs.github.com/spec/v1"

_POINTER = re.compile(
    rb"version (?:https?://git-lfs\.github\.com/spec/v1|https?://hawser\.github\.com/spec/v1"
    rb"|http://git-media\.io/v/2)\r?\n"
    rb"(?:ext-[^\n]*\n)*"
    rb"oid sha256:([0-9a-f]{64})\r?\n"
    rb"size ([0-9]{1,18})"
)


@dataclass(frozen=True)
class Pointer:
    """A large file by its content: `pointer_size_bytes` is the length of the text in git."""

    sha256: str
    size_bytes: int
    pointer_size_bytes: int


def parse_pointer(content: bytes) -> Pointer | None:
    """The pointer that `content` is, or None when it is an ordinary file."""
    if len(content) >= LIMIT_BYTES:
        return None
    found = _POINTER.fullmatch(content.strip())
    if found is None:
        return None
    return Pointer(found[1].decode(), int(found[2]), len(content))


def format_pointer(sha256: str, size_bytes: int) -> bytes:
    """The canonical text of a pointer, as git-lfs writes it."""
    if not re.fullmatch(r"[0-9a-f]{64}", sha256) or size_bytes < 0:
        raise ValueError(f"not a large file: sha256 {sha256!r}, {size_bytes} bytes")
    return f"version {VERSION}\noid sha256:{sha256}\nsize {size_bytes}\n".encode()
