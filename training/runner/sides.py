"""The models of an evaluation: loaded when needed, kept while memory allows."""

import gc
import math
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from training.runner.answering.ways import KIND_OF, prepared, way_of
from training.runner.benchmarks import Asked
from training.runner.job import EvaluateJob, Side
from training.runner.models import dtype_named, load_side
from training.runner.stopping import Stop

# A model that is scoring needs about as much again for what passes through it.
SHARE_OF_MEMORY = 3


@dataclass
class Held:
    """A model ready to answer, and its ways with the benchmarks it has met."""

    ready: Any
    ways: dict[str, Any] = field(default_factory=dict)

    @property
    def size_bytes(self) -> int:
        return sum(p.numel() * p.element_size() for p in self.ready.model.parameters())


class Models:
    """Hands out the ways of sides with benchmarks; `seconds` spent loading, by side."""

    def __init__(self, job: EvaluateJob, stop: Stop) -> None:
        self.job, self.stop = job, stop
        self.kept: dict[tuple[str, str], Held] = {}
        self.seconds: dict[str, float] = {}

    def way(self, side: Side, asked: Asked) -> Any:
        """How `side` answers `asked`; its model is loaded where it is not held."""
        kind = KIND_OF.get(asked.definition.output_type, "causal")
        started = time.monotonic()
        held = self._held(side, kind)
        if asked.name not in held.ways:
            held.ways[asked.name] = way_of(asked, held.ready, self.job.batch_tokens, self.stop)
        spent = self.seconds.get(side.name, 0.0) + time.monotonic() - started
        self.seconds[side.name] = round(spent, 3)
        return held.ways[asked.name]

    def _held(self, side: Side, kind: str) -> Held:
        """The model of `side`; another one makes room for it where both do not fit."""
        if (side.name, kind) not in self.kept:
            if not self._fits(side):
                self.kept.clear()
                gc.collect()  # modules with hooks lie in cycles
            self.kept[side.name, kind] = self._load(side, kind)
        return self.kept[side.name, kind]

    def _fits(self, side: Side) -> bool:
        """Whether `side` may be held beside what is loaded: only where it comes up again."""
        if len(self.job.stages) < 2:
            return not self.kept
        if self.job.memory_bytes is None:
            return True
        held = sum(held.size_bytes for held in self.kept.values())
        wanted = stored_bytes(Path(side.model), self.job.dtype)
        return held + wanted <= self.job.memory_bytes / SHARE_OF_MEMORY

    def _load(self, side: Side, kind: str) -> Held:
        with tempfile.TemporaryDirectory() as scratch:
            model, tokenizer = load_side(
                Path(side.model), side.adapters, kind=kind,
                dtype=dtype_named(self.job.dtype), scratch=Path(scratch),
            )  # fmt: skip
        return Held(prepared(model, tokenizer, kind, self.job.device))


def stored_bytes(folder: Path, dtype: str) -> int:
    """Bytes that the weights in `folder` take in memory as `dtype`."""
    from safetensors import safe_open

    numbers = 0
    for path in folder.glob("*.safetensors"):
        with safe_open(str(path), framework="numpy") as file:
            names = file.keys()
            numbers += sum(math.prod(file.get_slice(name).get_shape()) for name in names)
    return numbers * dtype_named(dtype).itemsize
