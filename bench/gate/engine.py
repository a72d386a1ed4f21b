"""The runner's evaluate job, started as a gate's sandbox starts it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PATIENCE_SECONDS = 600


@dataclass(frozen=True)
class Scored:
    """What one job did: seconds from its start to its end, its result, its items by id."""

    seconds: float
    result: dict[str, Any]
    items: dict[str, dict[str, Any]]


def evaluate(
    folder: Path,
    model: Path,
    definition: dict[str, Any],
    rows: list[dict[str, Any]],
    shots: list[dict[str, Any]] | None = None,
    *,
    threads: int = 1,
    batch_tokens: int = 2048,
) -> Scored:
    """Score `rows` in a process of its own; items are called by their places."""
    folder.mkdir(parents=True, exist_ok=True)
    items = [{"id": str(number), "doc": row} for number, row in enumerate(rows)]
    benchmark = {
        "name": "bench", "definition": definition, "items": str(_write(folder / "items", items)),
    }  # fmt: skip
    if shots:
        benchmark["fewshot"] = str(_write(folder / "shots", shots))
    job = {
        "kind": "evaluate", "out": str(folder / "out"), "done": str(folder / "none"),
        "skip": str(folder / "none"), "threads": threads, "batch_tokens": batch_tokens,
        "sides": [{"name": "base", "model": str(model)}], "benchmarks": [benchmark],
    }  # fmt: skip
    path = folder / "job.json"
    path.write_text(json.dumps(job))
    began = time.perf_counter()
    events = [json.loads(line) for line in output("training.runner", str(path)).splitlines()]
    seconds = time.perf_counter() - began
    done = next(event for event in events if event["type"] == "done")["result"]
    return Scored(seconds, done, {e["id"]: e for e in events if e["type"] == "item"})


def output(module: str, *arguments: str) -> str:
    """What a module prints; torch stays out of this process."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{module}: {done.stderr[-600:] or done.stdout[-600:]}")
    return done.stdout


def _write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path
