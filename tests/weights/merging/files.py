"""Small checkpoints as files, and recipes over them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from reviews.weights.checkpoint import Checkpoint, open_checkpoint
from reviews.weights.dtypes import FLOATS, STORAGE, encode
from reviews.weights.merging.carry_out import MergedFiles, merge
from reviews.weights.merging.recipe import MergeRecipe
from reviews.weights.merging.recipe_file import read_recipe

OID = "0" * 40
DIGESTS = ("b" * 64, "c" * 64, "d" * 64, "e" * 64)

# Values, or values and the dtype they are stored in (F32 where none is said).
Tensors = Mapping[str, Any]


def write_model(folder: Path, tensors: Tensors, *, shards: int = 1, **files: Any) -> Path:
    """A folder with `tensors` in as many files, and JSON files by their stem."""
    folder.mkdir(parents=True, exist_ok=True)
    names = list(tensors)
    parts = [names[at::shards] for at in range(shards)]
    weight_map = {}
    for at, part in enumerate(parts, start=1):
        file = f"model-{at:05}-of-{shards:05}.safetensors" if shards > 1 else "model.safetensors"
        (folder / file).write_bytes(_content({name: tensors[name] for name in part}))
        weight_map.update(dict.fromkeys(part, file))
    if shards > 1:
        index = {"metadata": {}, "weight_map": weight_map}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    for stem, content in files.items():
        (folder / f"{stem}.json").write_text(json.dumps(content))
    return folder


def _content(tensors: Tensors) -> bytes:
    header: dict[str, Any] = {}
    data = b""
    for name, given in tensors.items():
        values, dtype = given if isinstance(given, tuple) else (given, "F32")
        values = np.asarray(values)
        codes = encode(values.astype(np.float64), dtype) if dtype in FLOATS else values
        stored = codes.astype(STORAGE[dtype]).tobytes()
        offsets = [len(data), len(data) + len(stored)]
        header[name] = {"dtype": dtype, "shape": list(values.shape), "data_offsets": offsets}
        data += stored
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def files_of(folder: Path) -> dict[str, Path]:
    return {path.name: path for path in sorted(folder.iterdir())}


@contextmanager
def opened(*folders: Path):
    with ExitStack() as kept:
        yield [kept.enter_context(open_checkpoint(files_of(folder))) for folder in folders]


def values_of(checkpoint: Checkpoint) -> dict[str, list[float]]:
    return {
        name: tensor.values(0, tensor.count).tolist() for name, tensor in checkpoint.tensors.items()
    }


def make_recipe(method: str, *parameters: Mapping[str, Any], **more: Any) -> MergeRecipe:
    """A recipe over as many models as there are parameters."""
    models = [
        {"model": {"revision": OID, "weights": digest}, "parameters": dict(each)}
        for digest, each in zip(DIGESTS, parameters, strict=False)
    ]
    base = {"revision": OID, "weights": "a" * 64}
    return read_recipe({"merge_method": method, "base_model": base, "models": models} | more)


@dataclass
class Models:
    """A base and models in folders below `folder`, merged into another one there."""

    folder: Path

    def write(self, base: Tensors, *models: Tensors, **how: Any) -> list[Path]:
        return [
            write_model(self.folder / f"model-{at}", tensors, **how)
            for at, tensors in enumerate((base, *models))
        ]

    def merge(self, recipe: MergeRecipe, folders: list[Path], name: str = "out", **how: Any):
        """The values of each merged tensor, and what `merge` gave."""
        out = self.folder / name
        with opened(*folders) as (base, *models):
            done: MergedFiles = merge(recipe, base, models, out, **how)
        with opened(out) as (merged,):
            assert not merged.problems
            return values_of(merged), done
