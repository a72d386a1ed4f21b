"""The models of an evaluation: loaded when needed, kept while memory allows."""

import math
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.runner.job import EvaluateJob, Side
from training.runner.models import dtype_named, load_side

# A model that is scoring needs about as much again for what passes through it.
SHARE_OF_MEMORY = 3


@dataclass(frozen=True)
class Loaded:
    """A model in evaluation mode on its device, and its tokenizer."""

    model: Any
    tokenizer: Any

    @property
    def size_bytes(self) -> int:
        return sum(p.numel() * p.element_size() for p in self.model.parameters())


class Models:
    """Hands out the model of a side; `seconds` spent loading, by side."""

    def __init__(self, job: EvaluateJob) -> None:
        self.job = job
        self.kept: dict[str, Loaded] = {}
        self.seconds: dict[str, float] = {}

    def get(self, side: Side) -> Loaded:
        """The model of `side`; another one makes room for it where both do not fit."""
        if side.name not in self.kept:
            if not self._fits(side):
                self.kept.clear()
            started = time.monotonic()
            self.kept[side.name] = self._load(side)
            spent = self.seconds.get(side.name, 0.0) + time.monotonic() - started
            self.seconds[side.name] = round(spent, 3)
        return self.kept[side.name]

    def _fits(self, side: Side) -> bool:
        """Whether `side` may be held beside what is loaded: only where it comes up again."""
        if len(self.job.stages) < 2:
            return not self.kept
        if self.job.memory_bytes is None:
            return True
        held = sum(loaded.size_bytes for loaded in self.kept.values())
        wanted = stored_bytes(Path(side.model), self.job.dtype)
        return held + wanted <= self.job.memory_bytes / SHARE_OF_MEMORY

    def _load(self, side: Side) -> Loaded:
        with tempfile.TemporaryDirectory() as scratch:
            model, tokenizer = load_side(
                Path(side.model), side.adapters,
                dtype=dtype_named(self.job.dtype), scratch=Path(scratch),
            )  # fmt: skip
        return Loaded(model.to(self.job.device), tokenizer)


def stored_bytes(folder: Path, dtype: str) -> int:
    """Bytes that the weights in `folder` take in memory as `dtype`."""
    from safetensors import safe_open

    numbers = 0
    for path in folder.glob("*.safetensors"):
        with safe_open(str(path), framework="numpy") as file:
            names = file.keys()
            numbers += sum(math.prod(file.get_slice(name).get_shape()) for name in names)
    return numbers * dtype_named(dtype).itemsize
