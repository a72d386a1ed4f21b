"""Bounded lines out of a stream of bytes that nobody vouches for."""

import json
import re
from collections.abc import Callable

LINE_LIMIT_BYTES = 1 << 20
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]")
ESCAPE = re.compile(r"\x1b(\[[0-9;?]*[ -/]*[@-~]|\][^\x07]*(\x07|\x1b\\)?|.)")


class LineSplitter:
    """Hands on whole lines without their end; a line over the limit is dropped and counted."""

    def __init__(self, on_line: Callable[[bytes], None], limit: int = LINE_LIMIT_BYTES) -> None:
        self.on_line, self.limit = on_line, limit
        self.rest = bytearray()
        self.dropping = False
        self.dropped = 0

    def feed(self, data: bytes) -> None:
        *whole, tail = data.split(b"\n")
        for part in whole:
            self._grow(part)
            self._end()
        self._grow(tail)

    def close(self) -> None:
        """Hand on what came after the last line end."""
        if self.rest or self.dropping:
            self._end()

    def _grow(self, part: bytes) -> None:
        if self.dropping or len(self.rest) + len(part) > self.limit:
            self.dropping = True
            self.rest.clear()
        else:
            self.rest += part

    def _end(self) -> None:
        line, self.rest = bytes(self.rest), bytearray()
        if self.dropping:
            self.dropping = False
            self.dropped += 1
        elif line:
            self.on_line(line)


class LogLines:
    """Turns standard error into log events on `on_line`, as far as `limit` bytes go."""

    def __init__(self, on_line: Callable[[bytes], None], limit: int) -> None:
        self.on_line, self.left = on_line, limit
        self.last = ""

    def __call__(self, line: bytes) -> None:
        if self.left <= 0:
            return
        self.left -= len(line) + 1
        text = clean(line.decode("utf-8", "replace"))
        if text.strip():
            self.last = text
            self.tell(text)
        if self.left <= 0:
            self.tell("The log reached its limit; the rest is not kept.")

    def tell(self, text: str) -> None:
        event = {"type": "log", "level": "stderr", "text": text}
        self.on_line(json.dumps(event, ensure_ascii=False).encode())


def clean(text: str) -> str:
    """`text` without terminal sequences, control characters and invisible direction marks.

    Of a line that rewrote itself (a progress bar) the last state is kept.
    """
    return CONTROL.sub("", ESCAPE.sub("", text.rstrip("\r").rpartition("\r")[2]))
