"""Scalars of TensorBoard's event files: a bounded reader of their frames and of the few fields of
protobuf that carry a number.

Sources: tensorflow core/lib/io/record_writer.cc (frames); core/util/event.proto,
core/framework/summary.proto and tensor.proto (fields).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import isfinite
from typing import IO, Any

from hub.formats.crc32c import masked_crc
from hub.formats.errors import FormatError

MAX_EVENTS = 400_000
# Graphs, images and histograms are larger than any scalar: they are passed, not looked into.
MAX_FRAME_BYTES = 16 * 1024
MAX_SKIPPED_BYTES = 2 * 1024**3
MAX_TAGS = 500
MAX_TAG_CHARACTERS = 200
POINTS_KEPT = 600  # a curve
_CHUNK_BYTES = 1 << 20
# By the number of a tensor's dtype: how struct unpacks it, and the field that lists such numbers.
_DTYPES = {1: ("<f", 5), 2: ("<d", 6), 3: ("<i", 7), 9: ("<q", 10)}
_SIZES = {0: 0, 1: 8, 5: 4}


class EventsError(FormatError):
    """Not a file of TensorBoard events."""


@dataclass
class Scalars:
    """`points` by tag, each (step, value) in the order of the file.

    `end` says how the file ends: "whole", "cut" (still being written, or a limit) or "damaged".
    """

    points: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    not_finite: int = 0
    events: int = 0
    end: str = "whole"

    def to_json(self) -> dict[str, Any]:
        """Curves in the order of their names, thinned to POINTS_KEPT."""
        series = [
            {"tag": tag, "count": len(points), "points": thin(points, POINTS_KEPT)}
            for tag, points in sorted(self.points.items())
        ]
        told = {"not_finite": self.not_finite, "events": self.events, "end": self.end}
        return {"series": series, **told}


def read_scalars(file: IO[bytes]) -> Scalars:
    """What `file`, at its start, tells of scalars; as far as it is whole.

    Raises: EventsError when not even the first frame is one.
    """
    found = Scalars()
    try:
        for frame in _frames(file):
            found.events += 1
            if frame is not None:
                _take_event(frame, found)
            if found.events >= MAX_EVENTS:
                found.end = "cut"
                break
    except _CutOffError:
        found.end = "cut"
    except (_DamagedError, struct.error, UnicodeDecodeError):
        found.end = "damaged"
    if not found.events:
        raise EventsError("This is no file of TensorBoard events.")
    return found


def thin(points: list[tuple[int, float]], most: int) -> list[tuple[int, float]]:
    """At most about `most` points by their steps: of each stretch its lowest and its highest.

    Of a step that was logged twice the later value counts.
    """
    ordered = sorted(dict(points).items())
    if len(ordered) <= most:
        return ordered
    stretches = max(1, most // 2)
    found: list[tuple[int, float]] = []
    for number in range(stretches):
        bounds = (number * len(ordered) // stretches, (number + 1) * len(ordered) // stretches)
        some = ordered[slice(*bounds)]
        ends = {min(some, key=lambda each: each[1]), max(some, key=lambda each: each[1])}
        found += sorted(ends)
    return found


def smoothed(points: list[tuple[int, float]], weight: float) -> list[tuple[int, float]]:
    """An exponential moving average, as TensorBoard draws it: not drawn to 0 at its start."""
    last, scale, found = 0.0, 1.0, []
    for step, value in points:
        last, scale = weight * last + (1 - weight) * value, scale * weight
        found.append((step, last / (1 - scale)))
    return found


class _CutOffError(Exception):
    pass


class _DamagedError(Exception):
    pass


def _frames(file: IO[bytes]) -> Iterator[bytes | None]:
    """The content of each frame; None of one too large to hold a scalar."""
    skipped = 0
    while head := file.read(12):
        if len(head) < 12:
            raise _CutOffError
        (size, crc) = struct.unpack("<QI", head)
        if masked_crc(head[:8]) != crc:
            raise _DamagedError
        if size > MAX_FRAME_BYTES:
            skipped += size
            if skipped > MAX_SKIPPED_BYTES:
                raise _CutOffError
            _skip(file, size + 4)
            yield None
            continue
        content, tail = file.read(size), file.read(4)
        if len(content) < size or len(tail) < 4:
            raise _CutOffError
        if masked_crc(content) != int.from_bytes(tail, "little"):
            raise _DamagedError
        yield content


def _skip(file: IO[bytes], size: int) -> None:
    while size:
        read = len(file.read(min(size, _CHUNK_BYTES)))
        if not read:
            raise _CutOffError
        size -= read


def _take_event(raw: bytes, found: Scalars) -> None:
    step, summaries = 0, []
    for number, value in _fields(raw):
        if number == 2 and isinstance(value, int):
            step = value - (1 << 64) if value >> 63 else value
        elif number == 5 and isinstance(value, bytes):
            summaries.append(value)
    for summary in summaries:
        for number, value in _fields(summary):
            if number == 1 and isinstance(value, bytes):
                _take_value(value, step, found)


def _take_value(raw: bytes, step: int, found: Scalars) -> None:
    tag, scalar = "", None
    for number, value in _fields(raw):
        if number == 1 and isinstance(value, bytes):
            tag = value.decode()[:MAX_TAG_CHARACTERS]
        elif number == 2 and isinstance(value, bytes) and len(value) == 4:
            (scalar,) = struct.unpack("<f", value)
        elif number == 8 and isinstance(value, bytes):
            scalar = _tensor(value)
    if scalar is None or not tag:
        return
    if not isfinite(scalar):
        found.not_finite += 1
    elif tag in found.points or len(found.points) < MAX_TAGS:
        found.points.setdefault(tag, []).append((step, float(scalar)))


def _tensor(raw: bytes) -> float | None:
    """The number of a tensor that holds exactly one."""
    held = dict(_fields(raw))
    kind = held.get(1)
    if not isinstance(kind, int) or kind not in _DTYPES:
        return None
    form, listed = _DTYPES[kind]
    content = held.get(4)
    if isinstance(content, bytes) and len(content) == struct.calcsize(form):
        return float(struct.unpack(form, content)[0])
    value = held.get(listed)
    if isinstance(value, int):  # one whole number, not packed
        return float(value - (1 << 64) if value >> 63 else value)
    if not isinstance(value, bytes):
        return None
    if listed in (5, 6):
        size = struct.calcsize(form)
        return float(struct.unpack(form, value)[0]) if len(value) == size else None
    number, at = _varint(value, 0)
    return float(number - (1 << 64) if number >> 63 else number) if at == len(value) else None


def _fields(raw: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(number, value) of each field: an integer, or bytes of fixed or told length."""
    at = 0
    while at < len(raw):
        key, at = _varint(raw, at)
        kind = key & 7
        if kind == 0:
            value: int | bytes
            value, at = _varint(raw, at)
        else:
            size, at = _varint(raw, at) if kind == 2 else (_SIZES.get(kind, 0), at)
            if kind not in (1, 2, 5) or at + size > len(raw):
                raise _DamagedError
            value, at = raw[at : at + size], at + size
        yield key >> 3, value


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    found = 0
    for shift in range(0, 70, 7):
        if at >= len(raw):
            raise _DamagedError
        byte, at = raw[at], at + 1
        found |= (byte & 0x7F) << shift
        if byte < 0x80:
            return found & ((1 << 64) - 1), at
    raise _DamagedError
