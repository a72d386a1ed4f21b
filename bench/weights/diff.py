"""Comparing two checkpoints: beside a plain loop over numpy, and beside reading the files."""

from __future__ import annotations

import json
import math
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.gate.engine import PATIENCE_SECONDS, output
from bench.hub import BenchHub
from bench.rows import Absent, Bar, Row
from bench.weights.checkpoints import SMOLLM2_135M, Shapes, grown, write_pair

REPEATS = 3
TOLERANCE = 1e-6
SMALL_MB, LARGE_MB = 20, 2000
LARGEST_MB = max(2 * math.prod(shape) for shape in SMOLLM2_135M.values()) / 1e6
SUBJECT = "two bf16 checkpoints of 135 M parameters"


def measure(hub: BenchHub) -> Iterator[Row | Absent]:
    """Speed, memory, the disk's bound, and growth."""
    with _pair(hub.folder / "diff", SMOLLM2_135M) as paths:
        yield from _beside_numpy(paths)
        yield from _beside_reading(paths)
        spectra = _run(*paths, "spectra")
        yield Row(
            "weights", f"diff with all spectra of {SUBJECT}, in the background", "s",
            spectra["seconds"], Bar("ours", "<=", 60),
        )  # fmt: skip
    yield _growth(hub.folder)


def _beside_numpy(paths: tuple[Path, Path]) -> Iterator[Row]:
    warm = [_run(*paths) for _ in range(REPEATS)]
    plain = json.loads(output("bench.peers.numpy_diff", *map(str, paths)))
    _require_equal(warm[0]["norms"], plain["norms"])
    yield Row(
        "weights", f"full diff of {SUBJECT}", "s", _seconds(warm), Bar("ratio", "<=", 0.1),
        plain["seconds"], "numpy, float64, one tensor at a time",
    )  # fmt: skip
    yield Row(
        "weights", "its memory", "MB", warm[0]["peak_mb"], Bar("ours", "<=", 2 * LARGEST_MB + 200)
    )


def _beside_reading(paths: tuple[Path, Path]) -> Iterator[Row]:
    bound = _seconds([_run(*paths, "cold", "read") for _ in range(REPEATS)])
    cold = _seconds([_run(*paths, "cold") for _ in range(REPEATS)])
    yield Row(
        "weights", f"full diff of {SUBJECT}, files not in memory", "s", cold,
        Bar("ratio", "<=", 1.5), bound, "reading both files from the disk",
    )  # fmt: skip


def _growth(folder: Path) -> Row:
    """Seconds for each gigabyte: of pairs of 2 GB files over pairs of 20 MB ones."""
    costs = {}
    for megabytes in (SMALL_MB, LARGE_MB):
        with _pair(folder / f"grown-{megabytes}", grown(megabytes)) as paths:
            size = sum(path.stat().st_size for path in paths)
            costs[megabytes] = _seconds([_run(*paths) for _ in range(REPEATS)]) / size * 1e9
    return Row(
        "weights", f"a diff's seconds a gigabyte, {LARGE_MB} MB over {SMALL_MB} MB", "s/GB",
        costs[LARGE_MB], Bar("ratio", "<=", 1.5), costs[SMALL_MB], f"the same of {SMALL_MB} MB",
    )  # fmt: skip


def _run(*arguments: object) -> dict[str, Any]:
    """One diff of ours, as a worker does it: BLAS with one thread, as its own get into each
    other's way on busy cores."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.weights.timed_diff", *map(str, arguments)],
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
        capture_output=True, text=True, check=True, timeout=PATIENCE_SECONDS,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _seconds(runs: list[dict[str, Any]]) -> float:
    return statistics.median(run["seconds"] for run in runs)


@contextmanager
def _pair(folder: Path, shapes: Shapes) -> Iterator[tuple[Path, Path]]:
    try:
        yield write_pair(folder, shapes)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _require_equal(ours: dict[str, float], theirs: dict[str, float]) -> None:
    """A quicker wrong answer is no measurement."""
    for name, norm in theirs.items():
        if not math.isclose(ours[name], norm, rel_tol=TOLERANCE):
            raise RuntimeError(f"{name}: {ours[name]} here, {norm} by numpy")
