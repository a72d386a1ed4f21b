"""Fine-tunes of the real base model, trained by the runner, and their changes written out whole."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.gate.engine import output
from demo.files import EXAMPLES
from reviews.weights.checkpoint import Checkpoint, open_checkpoint
from reviews.weights.writer import write_checkpoint

STEPS, RANK = 8, 16
MODULES = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


@dataclass(frozen=True)
class Lesson:
    """What one of them learns: a data set of the examples and how its rows are read."""

    file: str
    prompt: str
    completion: str


LESSONS = (
    Lesson("sms_spam/train.jsonl", "Message: {{text}}\nSpam or ham?", "{{label}}"),
    Lesson("tatoeba_en_zh/validation.jsonl", "English: {{en}}\nChinese:", "{{zh}}"),
)


def write_fine_tune(base: Path, folder: Path, lesson: Lesson, *, seed: int) -> Path:
    """The model in `base` after some steps on a lesson, as whole weights in the base's dtype."""
    folder.mkdir(parents=True)
    job = {
        "kind": "finetune", "out": str(folder / "out"), "threads": os.cpu_count() or 1,
        "model": str(base), "data": [str(EXAMPLES / "datasets" / lesson.file)],
        "recipe": _recipe(lesson, seed),
    }  # fmt: skip
    (folder / "job.json").write_text(json.dumps(job))
    output("training.runner", str(folder / "job.json"))
    whole = folder / "whole"
    whole.mkdir()
    adapter = {path.name: path for path in folder.rglob("adapter_*") if path.is_file()}
    weights = {path.name: path for path in base.iterdir() if path.is_file()}
    with open_checkpoint(weights | adapter) as tuned:
        write_checkpoint({"model.safetensors": list(tuned.tensors.values())}, whole)
    for path in base.iterdir():
        if path.suffix != ".safetensors":
            shutil.copy(path, whole)
    return whole


def _recipe(lesson: Lesson, seed: int) -> dict[str, Any]:
    return {
        "prompt": lesson.prompt, "completion": lesson.completion, "max_steps": STEPS,
        "learning_rate": 1e-3, "per_device_train_batch_size": 4, "max_length": 96, "seed": seed,
        "lora": {"r": RANK, "lora_alpha": 2 * RANK, "target_modules": MODULES},
    }  # fmt: skip


@contextmanager
def opened(folders: Sequence[Path]) -> Iterator[list[Checkpoint]]:
    """The checkpoints in `folders`."""
    with ExitStack() as kept:
        yield [
            kept.enter_context(open_checkpoint({path.name: path for path in folder.iterdir()}))
            for folder in folders
        ]
