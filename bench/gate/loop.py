"""Scoring benchmark items, beside a loop over transformers that takes one choice at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.gate.engine import Scored, evaluate, output
from bench.hub import BenchHub
from bench.rows import Absent, Bar, Row
from demo.files import EXAMPLES
from tools.little_hub import TINY

ITEMS = 400
TOLERANCE = 1e-3
DEFINITION = {
    "output_type": "multiple_choice",
    "doc_to_choice": "{{[sentence_good, sentence_bad]}}",
    "doc_to_target": 0,
    "target_delimiter": "",
}


def measure(hub: BenchHub) -> Iterator[Row | Absent]:
    """Items a second on one thread, loading left out, on both sides the same numbers."""
    lines = (EXAMPLES / "datasets" / "blimp" / "test.jsonl").read_text().splitlines()[:ITEMS]
    rows = [json.loads(line) for line in lines]
    ours = evaluate(hub.folder / "loop", TINY, DEFINITION, rows)
    loop, scores = _loop(hub.folder / "loop" / "items")
    _require_equal(ours, scores)
    yield Row(
        "gate", f"{ITEMS} BLiMP pairs on the 2 M model, one thread", "items/s",
        ITEMS / ours.result["seconds"]["base"]["bench"],
        Bar("ratio", ">=", 1.5), loop, "transformers, one choice at a time",
    )  # fmt: skip


def _loop(items: Path) -> tuple[float, dict[str, list[float]]]:
    result: dict[str, Any] = json.loads(output("bench.peers.per_item", str(TINY), str(items)))
    return ITEMS / result["seconds"], result["scores"]


def _require_equal(ours: Scored, theirs: dict[str, list[float]]) -> None:
    """A quicker wrong answer is no measurement."""
    for name, item in ours.items.items():
        for mine, other in zip(item["loglikelihoods"], theirs[name], strict=True):
            if abs(mine - other) > TOLERANCE:
                raise RuntimeError(f"item {name}: {mine} here, {other} by the plain loop")
