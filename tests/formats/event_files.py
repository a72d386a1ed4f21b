"""TensorBoard event files for tests, written frame by frame."""

from __future__ import annotations

import struct

from hub.formats.crc32c import masked_crc


def varint(number: int) -> bytes:
    number &= (1 << 64) - 1
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


def part(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def frame(content: bytes) -> bytes:
    head = struct.pack("<Q", len(content))
    sums = [struct.pack("<I", masked_crc(each)) for each in (head, content)]
    return head + sums[0] + content + sums[1]


def event(step: int, value: bytes) -> bytes:
    return frame(
        b"\x09" + struct.pack("<d", 1.5e9) + b"\x10" + varint(step) + part(5, part(1, value))
    )


def scalar(step: int, tag: str, value: float) -> bytes:
    """As TensorBoard 1 and torch's writer tell a number: simple_value."""
    return event(step, part(1, tag.encode()) + b"\x15" + struct.pack("<f", value))


def tensor(step: int, tag: str, value: float) -> bytes:
    """As TensorFlow 2 tells it: a tensor of one float."""
    held = b"\x08\x01" + part(2, b"") + part(4, struct.pack("<f", value))
    return event(step, part(1, tag.encode()) + part(8, held))


VERSION = frame(b"\x09" + struct.pack("<d", 1.5e9) + part(3, b"brain.Event:2"))


def event_file(curves: dict[str, list[float]]) -> bytes:
    """A file in which each tag has its values at steps 0, 1, 2 …"""
    rows = [
        scalar(step, tag, value)
        for tag, values in curves.items()
        for step, value in enumerate(values)
    ]
    return VERSION + b"".join(rows)
