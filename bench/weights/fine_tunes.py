"""Fine-tunes of the real base model, without training: what they hold is drawn from a seed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from reviews.weights.checkpoint import Checkpoint, open_checkpoint
from reviews.weights.dtypes import Codes, Floats, decode, encode
from reviews.weights.tensors import Tensor
from reviews.weights.writer import write_checkpoint

RANK, SHARE = 16, 0.02


def write_fine_tune(base: Path, folder: Path, seed: int) -> Path:
    """The model in `base`, every projection changed at rank 16 by 2 % of its norm."""
    folder.mkdir(parents=True)
    for path in base.iterdir():
        if path.suffix != ".safetensors":
            shutil.copy(path, folder)
    with opened([base]) as (model,):
        tensors = [
            _Changed(tensor, (seed, at)) if "_proj" in tensor.name else tensor
            for at, tensor in enumerate(model.tensors.values())
        ]
        write_checkpoint({"model.safetensors": tensors}, folder)
    return folder


@contextmanager
def opened(folders: Sequence[Path]) -> Iterator[list[Checkpoint]]:
    """The checkpoints in `folders`."""
    with ExitStack() as kept:
        yield [
            kept.enter_context(open_checkpoint({path.name: path for path in folder.iterdir()}))
            for folder in folders
        ]


@dataclass(frozen=True)
class _Changed(Tensor):
    source: Tensor
    seed: tuple[int, int]

    def __post_init__(self) -> None:
        for name in ("name", "dtype", "shape", "file"):
            object.__setattr__(self, name, getattr(self.source, name))

    @property
    def has_codes(self) -> bool:
        return True

    def codes(self, start: int, stop: int) -> Codes:
        rows, columns = self.shape
        random = np.random.default_rng(self.seed)
        left = random.standard_normal((rows, RANK), dtype=np.float32)
        change = left @ random.standard_normal((RANK, columns), dtype=np.float32)
        whole = self.source.rows(0, rows)
        change *= SHARE * np.linalg.norm(whole) / np.linalg.norm(change)
        return encode((whole + change).reshape(-1)[start:stop], self.dtype)

    def values(self, start: int, stop: int) -> Floats:
        return decode(self.codes(start, stop), self.dtype)
