"""The tabs of a verdict over 50 000 items: every filter, any page, within a reader's patience."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import cycle, islice
from typing import Any

import requests

from bench.hub import BenchHub
from bench.rows import Absent, Bar, Row

REQUESTS = 60
LIMIT_MS = 150
BUILD_SECONDS = 900
FILTERS = (
    "",
    "?direction=lost",
    "?direction=gained&page=3",
    "?direction=same",
    "?direction=same&page=700",
    "?benchmark=exam&group=subject+13",
    "?benchmark=exam&direction=same&group=subject+41&page=9",
    "?length=long",
    "?length=medium&direction=same&page=120",
    "?benchmark=summary",
    "?benchmark=summary&direction=lost&page=40",
    "?benchmark=summary&group=source+4",
    "?item=ITEM",
    "?item=7c",
)


def measure(hub: BenchHub) -> Iterator[Row | Absent]:
    """p95 over requests that differ, each tab by itself."""
    with hub.console.step("a verdict over 50 000 items"):
        made = _build(hub)
    url = f"{hub.url}{made['url']}"
    examples = [f"{url}/examples{query.replace('ITEM', made['ids'][3])}" for query in FILTERS]
    tabs = {"examples": examples, "benchmarks": [f"{url}/benchmarks"]}
    for name, addresses in tabs.items():
        p95 = p95_ms(addresses)
        title = f"{name} of a verdict over {made['items']:,} items, p95 of {REQUESTS}"
        yield Row("gate", title, "ms", p95, Bar("ours", "<=", LIMIT_MS))


def _build(hub: BenchHub) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "bench.gate.verdict_data"],
        env=hub.server.environment, capture_output=True, text=True, check=False,
        timeout=BUILD_SECONDS,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stderr[-600:])
    made: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return made


def p95_ms(addresses: list[str]) -> float:
    """Wall time on loopback, one connection; every address is asked once before it counts."""
    reader = requests.Session()
    for address in addresses:
        _read(reader, address)
    seconds = sorted(_read(reader, address) for address in islice(cycle(addresses), REQUESTS))
    return 1000 * seconds[int(0.95 * REQUESTS) - 1]


def _read(reader: requests.Session, address: str) -> float:
    began = time.perf_counter()
    answer = reader.get(address, headers={"Accept": "text/html"}, timeout=60)
    answer.raise_for_status()
    return time.perf_counter() - began
