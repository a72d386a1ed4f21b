"""The command line of lm-evaluation-harness, unmodified, on tasks of ours: the tests' oracle."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Row = dict[str, Any]
# Ours: the rest of a definition goes into the task file as it is.
OURS = ("metrics",)


@dataclass(frozen=True)
class Answered:
    """What the harness found: samples by task in the order of the items, results by task."""

    samples: dict[str, list[Row]]
    results: dict[str, Row]

    def values(self, task: str) -> dict[str, float]:
        """The task's scores by metric."""
        return {
            name.removesuffix(",none"): value
            for name, value in self.results[task].items()
            if name.endswith(",none") and "stderr" not in name
        }

    def likelihoods(self, task: str) -> list[list[float]]:
        """Of each sample, the log-likelihoods of its requests."""
        return [[number(resp[0]) for resp in row["resps"]] for row in self.samples[task]]

    def greedy(self, task: str) -> list[list[bool]]:
        return [[str(resp[0][1]) == "True" for resp in row["resps"]] for row in self.samples[task]]

    def outputs(self, task: str) -> list[list[str]]:
        """Of each sample, the generated texts."""
        return [[text for (text,) in row["resps"]] for row in self.samples[task]]


def number(resp: Any) -> float:
    """A log-likelihood as the harness writes it: a text, alone or before whether it is greedy."""
    return float(resp[0] if isinstance(resp, list) else resp)


def write_task(
    folder: Path, name: str, definition: Row, rows: list[Row], shots: list[Row] | None = None
) -> None:
    """A task of the harness that asks what our definition asks, its rows beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {"test": str(_write(folder / f"{name}.jsonl", rows))}
    task = {key: value for key, value in definition.items() if key not in OURS}
    task |= {
        "task": name, "dataset_path": "json", "test_split": "test",
        "dataset_kwargs": {"data_files": files},
        "metric_list": [{"metric": metric["name"]} for metric in definition["metrics"]],
    }  # fmt: skip
    if shots:
        files["shots"] = str(_write(folder / f"{name}-shots.jsonl", shots))
        task |= {"fewshot_split": "shots", "num_fewshot": len(shots)}
        task["fewshot_config"] = {"sampler": "first_n"}
    # JSON is YAML.
    (folder / f"{name}.yaml").write_text(json.dumps(task, ensure_ascii=False))


def command(
    folder: Path, model: Path, tasks: list[str], *, batch_size: int = 8, dtype: str = "float32"
) -> list[str]:
    """The command that answers the tasks in `folder` on one model, on the CPU."""
    return [
        *(sys.executable, "-m", "lm_eval", "run", "--model", "hf", "--device", "cpu"),
        *("--model_args", f"pretrained={model},dtype={dtype}", "--tasks", ",".join(tasks)),
        *("--include_path", str(folder), "--output_path", str(folder / "out")),
        *("--batch_size", str(batch_size), "--log_samples"),
    ]


def environment(folder: Path, *, threads: int = 1) -> dict[str, str]:
    """Its environment: no network, and a cache of its own."""
    return {
        "PATH": os.environ["PATH"], "HOME": str(folder), "HF_DATASETS_CACHE": str(folder / "cache"),
        "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "OMP_NUM_THREADS": str(threads),
        "TOKENIZERS_PARALLELISM": "false", "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "GOMP_SPINCOUNT": "0",
    }  # fmt: skip


def ask_harness(folder: Path, model: Path, tasks: list[str], **settings: Any) -> Answered:
    """Run the command line over tasks that `write_task` wrote, and read what it left."""
    threads = settings.pop("threads", 1)
    done = subprocess.run(
        command(folder, model, tasks, **settings), env=environment(folder, threads=threads),
        cwd=folder, capture_output=True, text=True, timeout=1700, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"lm_eval ended with {done.returncode}: {done.stderr[-2000:]}")
    return read_answers(folder, tasks)


def read_answers(folder: Path, tasks: list[str]) -> Answered:
    (results,) = (folder / "out").rglob("results_*.json")
    samples = {}
    for task in tasks:
        (path,) = (folder / "out").rglob(f"samples_{task}_*.jsonl")
        found = [json.loads(line) for line in path.read_text().splitlines()]
        samples[task] = sorted(found, key=lambda row: int(row["doc_id"]))
    return Answered(samples, json.loads(results.read_text())["results"])


def _write(path: Path, rows: list[Row]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return path
