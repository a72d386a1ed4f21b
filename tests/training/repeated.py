"""`python -m tests.training.repeated JOB`: a model on the same items with other batches each time.

The model is loaded once; every scoring is a whole one, by the runner's own classes. Torch stays out
of the process that asks.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.sandbox.python import runner_env

ROOT = Path(__file__).parents[2]
CHUNK_ITEMS = 256
Row = dict[str, Any]


@dataclass(frozen=True)
class Scored:
    """One scoring: how it was made, the items' scores and log-likelihoods by id."""

    batch_tokens: int
    threads: int
    scores: dict[str, float]
    loglikelihoods: dict[str, list[float]]


def score_repeatedly(
    model: Path,
    docs: Sequence[Row],
    definition: Row,
    *,
    dtype: str,
    how: Iterable[tuple[int, int]],
    folder: Path,
) -> list[Scored]:
    """Score `docs` once for every (tokens a batch, threads) in `how`."""
    items = folder / "items.jsonl"
    lines = [
        {"id": f"{number:05}", "doc": doc, "chunk": number // CHUNK_ITEMS}
        for number, doc in enumerate(docs)
    ]
    items.write_text("".join(json.dumps(line) + "\n" for line in lines))
    how = list(how)
    job = {
        "out": str(folder / "out"), "model": str(model), "items": str(items), "dtype": dtype,
        "definition": definition, "how": how,
    }  # fmt: skip
    (folder / "job.json").write_text(json.dumps(job))
    done = subprocess.run(
        [sys.executable, "-m", "tests.training.repeated", str(folder / "job.json")],
        capture_output=True, text=True, check=False, timeout=1500, cwd=ROOT,
        env=runner_env(max(threads for _tokens, threads in how)) | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return [Scored(**json.loads(line)) for line in done.stdout.splitlines()]


def main(path: Path) -> None:
    import torch

    from training.runner.benchmarks import read_benchmark
    from training.runner.evaluate import Evaluation
    from training.runner.events import Events
    from training.runner.job import Benchmark, EvaluateJob, Side
    from training.runner.sides import Held
    from training.runner.stopping import Stop

    told = json.loads(path.read_text())
    benchmark = Benchmark(name="repeated", items=told["items"], definition=told["definition"])
    ready: Any = None
    for batch_tokens, threads in told["how"]:
        torch.set_num_threads(threads)
        heard = io.BytesIO()
        job = EvaluateJob(
            out=told["out"], sides=[Side(name="base", model=told["model"])],
            benchmarks=[benchmark], dtype=told["dtype"], batch_tokens=batch_tokens,
            threads=threads,
        )  # fmt: skip
        asked = {"repeated": read_benchmark(benchmark)}
        evaluation = Evaluation(job, asked, Events(heard), Stop())
        if ready is not None:
            evaluation.models.kept["base", "causal"] = Held(ready)
        evaluation.run()
        ready = evaluation.models.kept["base", "causal"].ready
        events = [json.loads(line) for line in heard.getvalue().splitlines()]
        items = [event for event in events if event["type"] == "item"]
        row = {
            "batch_tokens": batch_tokens, "threads": threads,
            "scores": {item["id"]: item["metrics"]["acc"] for item in items},
            "loglikelihoods": {item["id"]: item["loglikelihoods"] for item in items},
        }  # fmt: skip
        sys.stdout.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
