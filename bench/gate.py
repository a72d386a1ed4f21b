"""Scoring benchmark items, beside a loop over transformers that takes one choice at a time."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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
    items = _write_items(hub.folder / "items.jsonl")
    ours, our_scores = _engine(hub.folder, items)
    loop, loop_scores = _loop(items)
    _require_equal(our_scores, loop_scores)
    yield Row(
        "gate", f"{ITEMS} BLiMP pairs on the 2 M model, one thread", "items/s", ours,
        Bar("ratio", ">=", 1.5), loop, "transformers, one choice at a time",
    )  # fmt: skip


def _write_items(path: Path) -> Path:
    lines = (EXAMPLES / "datasets" / "blimp" / "test.jsonl").read_text().splitlines()[:ITEMS]
    rows = [{"id": str(number), "doc": json.loads(line)} for number, line in enumerate(lines)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def _engine(folder: Path, items: Path) -> tuple[float, dict[str, list[float]]]:
    """What a gate run starts in its sandbox: items a second, log-likelihoods by item."""
    job = {
        "kind": "evaluate",
        "out": str(folder / "scored"),
        "done": str(folder / "none"),
        "threads": 1,
        "sides": [{"name": "base", "model": str(TINY)}],
        "benchmarks": [{"name": "blimp", "items": str(items), "definition": DEFINITION}],
    }
    path = folder / "evaluate.json"
    path.write_text(json.dumps(job))
    events = [json.loads(line) for line in _output("training.runner", str(path)).splitlines()]
    done = next(event for event in events if event["type"] == "done")["result"]
    scores = {e["id"]: e["loglikelihoods"] for e in events if e["type"] == "item"}
    return ITEMS / done["seconds"]["base"]["blimp"], scores


def _loop(items: Path) -> tuple[float, dict[str, list[float]]]:
    result: dict[str, Any] = json.loads(_output("bench.peers.per_item", str(TINY), str(items)))
    return ITEMS / result["seconds"], result["scores"]


def _output(module: str, *arguments: str) -> str:
    """What a module prints; torch stays out of this process."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{module}: {done.stderr[-600:] or done.stdout[-600:]}")
    return done.stdout


def _require_equal(ours: dict[str, list[float]], theirs: dict[str, list[float]]) -> None:
    """A quicker wrong answer is no measurement."""
    for name, numbers in ours.items():
        for mine, other in zip(numbers, theirs[name], strict=True):
            if abs(mine - other) > TOLERANCE:
                raise RuntimeError(f"item {name}: {mine} here, {other} by the plain loop")
