"""The job file: what one run has to do, with every path as the sandbox shows it."""

import json
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from training.runner.errors import BadJobError

JOB_LIMIT_BYTES = 4 << 20


@dataclass(frozen=True, kw_only=True)
class Common:
    """Settings of every kind of job."""

    out: str = "/out"
    threads: int = 1
    device: str = "cpu"


@dataclass(frozen=True, kw_only=True)
class FinetuneJob(Common):
    """Train a LoRA adapter. `adapter` None: go on with the one in the model's root, if any."""

    model: str
    data: list[str]
    recipe: dict[str, Any]
    adapter: str | None = None
    base_model: str = ""
    base_revision: str | None = None


@dataclass(frozen=True, kw_only=True)
class Side:
    """A model to score. `adapters` None: the one in the model's root, if any; []: none."""

    name: str
    model: str
    adapters: list[str] | None = None


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """Items and how to ask them, in lm-evaluation-harness field names.

    `items` and `fewshot` are JSON lines files: {"id", "doc", "chunk"} a line, and one example
    document a line, in the order in which they stand in the prompt.
    """

    name: str
    items: str
    definition: dict[str, Any]
    fewshot: str | None = None


@dataclass(frozen=True, kw_only=True)
class EvaluateJob(Common):
    """Score every side on every benchmark. `done` holds SIDE/BENCHMARK.jsonl of earlier tries.

    `stages` are the looks of a group-sequential test: by benchmark, how many lines of its items
    file are to be scored when the look is due. No stage: one that asks everything.
    `skip` is a folder in which the worker names benchmarks that need no more answers, while the
    job runs. `memory_bytes` is what the process may use; None: a stage may keep both models loaded.
    """

    sides: list[Side]
    benchmarks: list[Benchmark]
    dtype: str = "float32"
    batch_tokens: int = 2048
    done: str = "/in/done"
    skip: str = "/in/skip"
    stages: list[dict[str, int]] = field(default_factory=list)
    memory_bytes: int | None = None


@dataclass(frozen=True, kw_only=True)
class ConvertJob(Common):
    """Turn a GGUF file into a safetensors model folder."""

    gguf: str
    dtype: str = "bfloat16"


@dataclass(frozen=True, kw_only=True)
class TryJob(Common):
    """Load a model and answer what the worker puts into `asks`, until the process is stopped."""

    model: str
    task: str
    dtype: str = "float32"
    asks: str = "/in/asks"


KINDS = {"finetune": FinetuneJob, "evaluate": EvaluateJob, "convert": ConvertJob, "try": TryJob}
NESTED = {"sides": Side, "benchmarks": Benchmark}

Job = FinetuneJob | EvaluateJob | ConvertJob | TryJob


def read_job(path: Path) -> Job:
    """The job in file `path`.

    Raises: BadJobError when it is too large, no JSON, of no known kind, or has other keys.
    """
    with path.open("rb") as file:
        raw = file.read(JOB_LIMIT_BYTES + 1)
    if len(raw) > JOB_LIMIT_BYTES:
        raise BadJobError(f"The job file exceeds {JOB_LIMIT_BYTES} bytes; give fewer inputs.")
    try:
        values = json.loads(raw)
    except ValueError as error:
        raise BadJobError(f"The job file is no JSON ({error}); write it again.") from error
    kind = KINDS.get(values.pop("kind", None)) if isinstance(values, dict) else None
    if kind is None:
        raise BadJobError(f"The job's kind is none of {', '.join(KINDS)}; name one of them.")
    for name, part in NESTED.items():
        if name in values:
            values[name] = [_build(part, item) for item in values[name]]
    return _build(kind, values)


def _build(kind: type, values: Any) -> Any:
    """`kind` made of `values`, refusing keys that it does not have."""
    known = {item.name for item in fields(kind)}
    if not isinstance(values, dict) or not values.keys() <= known:
        extra = ", ".join(sorted(set(values) - known)) if isinstance(values, dict) else "no object"
        raise BadJobError(f"{kind.__name__} does not know {extra}; its keys are {sorted(known)}.")
    try:
        return kind(**values)
    except TypeError as error:
        raise BadJobError(f"The job is not complete: {error}; add what is missing.") from error
