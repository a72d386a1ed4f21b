"""The gate: how fast models are scored, each part beside what one would use instead."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bench.gate import bisect, gate_cost, harness, loop, verdict_page
from bench.hub import BenchHub
from bench.rows import Absent, Row

Part = Callable[[BenchHub], Iterator[Row | Absent]]
PARTS: tuple[Part, ...] = (
    loop.measure,
    harness.measure,
    gate_cost.measure,
    verdict_page.measure,
    bisect.measure,
)


def measure(hub: BenchHub) -> Iterator[Row | Absent]:
    """Every part in its order."""
    for part in PARTS:
        yield from part(hub)
