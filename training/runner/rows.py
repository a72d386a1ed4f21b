"""JSON lines from users, read with limits."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from training.runner.errors import RunnerError

LINE_LIMIT_BYTES = 1 << 20
ROW_LIMIT = 2_000_000


def read_rows(path: Path, *, error: type[RunnerError]) -> Iterator[dict[str, Any]]:
    """The objects in a JSON lines file, in order; blank lines are skipped.

    Raises: `error` naming the line that is too long, no JSON, or no object.
    """
    with path.open("rb") as file:
        number = 0
        while line := file.readline(LINE_LIMIT_BYTES + 1):
            number += 1
            if len(line) > LINE_LIMIT_BYTES or number > ROW_LIMIT:
                raise error(
                    f"{path.name} exceeds {LINE_LIMIT_BYTES} bytes a line or {ROW_LIMIT} lines "
                    f"(line {number}); cut it smaller."
                )
            if line.strip():
                yield _object(line, f"{path.name}, line {number}", error)


def _object(line: bytes, place: str, error: type[RunnerError]) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as fault:
        raise error(f"{place} is no JSON ({fault}); correct the line.") from fault
    if not isinstance(value, dict):
        raise error(f"{place} is no JSON object; give every row its columns by name.")
    return value
