"""What the runner tells the worker: one JSON object a line on standard output."""

import json
import math
import os
import sys
from typing import Any, BinaryIO


class Events:
    """Writes events. A line is whole or absent: each is one write, flushed."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream

    def emit(self, type: str, **fields: Any) -> None:
        line = json.dumps(_finite({"type": type, **fields}), ensure_ascii=False, allow_nan=False)
        self.stream.write(line.encode("utf-8", "replace") + b"\n")
        self.stream.flush()

    def log(self, text: str, level: str = "info") -> None:
        self.emit("log", level=level, text=text)

    def progress(self, done: int, total: int, unit: str) -> None:
        self.emit("progress", done=done, total=total, unit=unit)


def claim_stdout() -> Events:
    """Events on the real standard output; whatever libraries print goes to standard error."""
    sys.stdout.flush()
    stream = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return Events(stream)


def _finite(value: Any) -> Any:
    """`value` with NaN and infinities as null, because JSON has none."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
