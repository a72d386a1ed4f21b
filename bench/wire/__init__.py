"""The wire: files, Xet, git, metadata and commits over HTTP, each beside what one would use.

Both sides of a row take turns, so that they meet the same moods of the machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bench.hub import MB, BenchHub
from bench.rows import Absent, Bar, Row
from bench.wire import commits, files, history, metadata, xet

Part = Callable[[BenchHub], Iterator[Row | Absent]]
PARTS: tuple[Part, ...] = (
    metadata.measure,
    history.measure,
    commits.measure,
    xet.measure,
    files.measure,
)


def measure(hub: BenchHub) -> Iterator[Row | Absent]:
    """Every part; at the end, how much the largest web process grew on the way."""
    metadata.warm_up(hub)
    with hub.watched_web_memory() as growth:
        for part in PARTS:
            yield from part(hub)
    yield Row(
        "wire", "growth of a web process through all of the wire", "MB", growth[0] / MB,
        Bar("ours", "<=", 50),
    )  # fmt: skip
