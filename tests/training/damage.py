"""Changes to the weights in a safetensors file, harmful ones and harmless ones, without torch.

Tensors are arrays by name: float32, or uint16 for the bits of bfloat16, which numpy does not know.
No function changes what it is given.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

import numpy as np

Tensors = dict[str, np.ndarray]
DTYPES = {"F32": np.dtype("<f4"), "BF16": np.dtype("<u2")}
NAMES = {kind: name for name, kind in DTYPES.items()}
EMBEDDING, HEAD = "model.embed_tokens.weight", "lm_head.weight"
INDEX = "model.safetensors.index.json"


def read(content: bytes) -> Tensors:
    """The tensors of a file."""
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    header.pop("__metadata__", None)
    found = {}
    for name, told in header.items():
        start, end = (8 + length + offset for offset in told["data_offsets"])
        values = np.frombuffer(content[start:end], DTYPES[told["dtype"]])
        found[name] = values.reshape(told["shape"])
    return found


def write(tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str] | None = None) -> bytes:
    """A file of these tensors, in their order."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"} | dict(metadata or {})}
    ends = list(accumulate((values.nbytes for values in tensors.values()), initial=0))
    for (name, values), start, end in zip(tensors.items(), ends, ends[1:], strict=False):
        told = {"dtype": NAMES[values.dtype], "shape": values.shape, "data_offsets": [start, end]}
        header[name] = told
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    parts = [np.ascontiguousarray(values).tobytes() for values in tensors.values()]
    return b"".join([len(text).to_bytes(8, "little"), text, *parts])


# Harmful ------------------------------------------------------------------------------------------


def with_noise(tensors: Tensors, layer: int, strength: float, seed: int = 0) -> Tensors:
    """White noise on every matrix of one layer, `strength` times the matrix's own deviation."""
    source = np.random.default_rng(seed)
    changed = dict(tensors)
    for name, values in tensors.items():
        if f".layers.{layer}." in name and values.ndim == 2:
            floats = as_float32(values)
            noise = source.standard_normal(floats.shape, dtype=np.float32)
            changed[name] = _like(values, floats + strength * floats.std() * noise)
    return changed


def untied(tensors: Tensors, config: bytes) -> tuple[Tensors, bytes]:
    """The output embedding as a tensor of its own, and the config that says so: no change yet."""
    values = json.loads(config) | {"tie_word_embeddings": False}
    return tensors | {HEAD: tensors[EMBEDDING].copy()}, json.dumps(values, indent=2).encode()


def with_swapped_rows(tensors: Tensors, pairs: Sequence[tuple[int, int]]) -> Tensors:
    """The tokens of each pair trade their places in the output embedding."""
    head = tensors[HEAD].copy()
    for one, other in pairs:
        head[[one, other]] = head[[other, one]]
    return tensors | {HEAD: head}


def with_faded_rows(tensors: Tensors, tokens: Sequence[int], strength: float) -> Tensors:
    """Output rows drawn towards the mean row: tokens that are told less often than they were."""
    head = tensors[HEAD].copy()
    floats = as_float32(head)
    rows = (1 - strength) * floats[list(tokens)] + strength * floats.mean(axis=0)
    head[list(tokens)] = _like(head, rows)
    return tensors | {HEAD: head}


# Harmless -----------------------------------------------------------------------------------------


def in_bfloat16(tensors: Tensors) -> Tensors:
    """Every tensor rounded to bfloat16 (to nearest, ties to even)."""
    return {name: _to_bfloat16(as_float32(values)) for name, values in tensors.items()}


def in_shards(tensors: Tensors, count: int) -> dict[str, bytes]:
    """Files by name: the same tensors dealt to `count` files, and the index that finds them."""
    names = list(tensors)
    files, places = {}, {}
    for number in range(count):
        mine = {name: tensors[name] for name in names[number::count]}
        file = f"model-{number + 1:05}-of-{count:05}.safetensors"
        files[file] = write(mine)
        places |= dict.fromkeys(mine, file)
    total = sum(values.nbytes for values in tensors.values())
    index = {"metadata": {"total_size": total}, "weight_map": places}
    return files | {INDEX: json.dumps(index, indent=2).encode()}


def as_float32(values: np.ndarray) -> np.ndarray:
    if values.dtype == DTYPES["F32"]:
        return values
    return (values.astype("<u4") << 16).view("<f4")


def _to_bfloat16(floats: np.ndarray) -> np.ndarray:
    bits = np.ascontiguousarray(floats, "<f4").view("<u4")
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")


def _like(values: np.ndarray, floats: np.ndarray) -> np.ndarray:
    """`floats` in the precision of `values`."""
    return _to_bfloat16(floats) if values.dtype == DTYPES["BF16"] else floats.astype("<f4")
