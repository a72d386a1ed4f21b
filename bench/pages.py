"""Pages as a reader meets them, beside the quickest answer of the same server; idle memory."""

from __future__ import annotations

import time
from collections.abc import Iterator

import requests

from bench import forges, seeded
from bench.hub import MB, BenchHub, p50_ms
from bench.rows import Absent, Bar, Row

TIMES = 40
SETTLED_SECONDS = 5.0
FLOOR = "/healthz of the same server"


def measure(hub: BenchHub) -> Iterator[Row | Absent]:
    """Pages of a hub with little in it, of one with much, and beside other git browsers."""
    yield from forges.measure(hub)
    yield from seeded.measure(hub)
    yield from _little(hub)


def _little(hub: BenchHub) -> Iterator[Row | Absent]:
    """Median times of the two pages that matter most."""
    model = hub.story.url
    pages = {
        "model page": model,
        "pull request page": f"{model}/discussions/{hub.story.first}",
    }
    reader = requests.Session()
    floor = p50_ms(lambda: _read(reader, f"{hub.url}/healthz"), TIMES)
    for name, path in pages.items():
        address = f"{hub.url}{path}"
        ours = p50_ms(lambda address=address: _read(reader, address), TIMES)  # type: ignore[misc]
        yield Row("pages", f"{name}, p50", "ms", ours, Bar("ours", "<=", 100), floor, FLOOR)
    time.sleep(SETTLED_SECONDS)
    memory = hub.idle_memory_bytes() / MB
    yield Row("pages", "idle memory of all processes (PSS)", "MB", memory, Bar("ours", "<=", 1000))


def _read(reader: requests.Session, address: str) -> None:
    answer = reader.get(address, headers={"Accept": "text/html"}, timeout=60)
    answer.raise_for_status()
