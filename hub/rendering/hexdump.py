"""Bytes as people read them: sixteen a line, in hex and as letters."""

from __future__ import annotations

from dataclasses import dataclass

BYTES_A_LINE = 16


@dataclass(frozen=True)
class HexLine:
    place: str
    hex: str
    letters: str


def hex_lines(content: bytes) -> list[HexLine]:
    """The lines of `content`; a byte that is no plain letter is a dot."""
    lines = []
    for start in range(0, len(content), BYTES_A_LINE):
        part = content[start : start + BYTES_A_LINE]
        letters = "".join(chr(byte) if 32 <= byte < 127 else "·" for byte in part)
        lines.append(HexLine(f"{start:08x}", part.hex(" "), letters))
    return lines
