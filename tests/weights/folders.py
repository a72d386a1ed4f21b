"""Folders of weights for tests, written with the reference libraries."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from reviews.weights.checkpoint import Checkpoint, open_checkpoint

TINY = Path(__file__).parent.parent / "data" / "tiny-shakespeare-llama"
INDEX = "model.safetensors.index.json"


def files_in(folder: Path) -> dict[str, Path]:
    """The files of a folder by their paths inside it."""
    return {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}


def opened(folder: Path) -> Checkpoint:
    return open_checkpoint(files_in(folder))


def write_model(folder: Path, tensors: Mapping[str, np.ndarray], *, config=None, name=None) -> Path:
    """One safetensors file, with a configuration where there is one."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file(dict(tensors), folder / (name or "model.safetensors"))
    if config is not None:
        (folder / "config.json").write_text(json.dumps(config))
    return folder


def write_shards(folder: Path, tensors: Mapping[str, np.ndarray], *, count: int, **changes) -> Path:
    """Shards with an index that tells the truth, but for `changes` in it."""
    names = sorted(tensors)
    where, total = {}, 0
    for shard in range(count):
        name = f"model-{shard + 1:05}-of-{count:05}.safetensors"
        held = {each: tensors[each] for each in names[shard::count]}
        write_model(folder, held, name=name)
        where |= dict.fromkeys(held, name)
        total += sum(each.nbytes for each in held.values())
    index = {"metadata": {"total_size": total}, "weight_map": where}
    write_index(folder, {**index, **changes})
    return folder


def write_index(folder: Path, index: object) -> None:
    (folder / INDEX).write_text(json.dumps(index))


def some_tensors(seed: int = 0) -> dict[str, np.ndarray]:
    """A few small tensors that all differ."""
    random = np.random.default_rng(seed)
    return {
        "model.embed_tokens.weight": random.normal(size=(12, 8)).astype(np.float32),
        "model.layers.0.mlp.up_proj.weight": random.normal(size=(16, 8)).astype(np.float32),
        "model.layers.0.mlp.down_proj.weight": random.normal(size=(8, 16)).astype(np.float32),
        "model.layers.1.mlp.up_proj.weight": random.normal(size=(16, 8)).astype(np.float32),
        "model.norm.weight": random.normal(size=8).astype(np.float16),
    }


def values_of(tensor) -> np.ndarray:
    """All numbers of a tensor, read in pieces that fit no row."""
    parts = [tensor.values(start, stop) for start, stop in tensor.pieces(37)]
    return np.concatenate(parts).reshape(tensor.shape) if parts else np.zeros(tensor.shape)
