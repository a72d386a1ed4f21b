"""Weights: comparing and merging checkpoints, each part beside what one would use instead."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bench.hub import BenchHub
from bench.rows import Absent, Row
from bench.weights import diff, merge

Part = Callable[[BenchHub], Iterator[Row | Absent]]
PARTS: tuple[Part, ...] = (diff.measure, merge.measure)


def measure(hub: BenchHub) -> Iterator[Row | Absent]:
    """Every part in its order."""
    for part in PARTS:
        yield from part(hub)
