"""Pairs of checkpoints to measure on: random bf16 weights, and most of them changed a little."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from reviews.weights.dtypes import encode

Shapes = dict[str, tuple[int, ...]]

# Random numbers are drawn once and used again from another place: drawing is slower than all else.
_POOL = (1 << 24) + 12_345


def llama(
    *, hidden: int, intermediate: int, key_value: int, layers: int, vocabulary: int
) -> Shapes:
    """Tensors of a llama with tied embeddings."""
    shapes: Shapes = {"model.embed_tokens.weight": (vocabulary, hidden)}
    for layer in range(layers):
        at = f"model.layers.{layer}"
        shapes |= {
            f"{at}.input_layernorm.weight": (hidden,),
            f"{at}.mlp.down_proj.weight": (hidden, intermediate),
            f"{at}.mlp.gate_proj.weight": (intermediate, hidden),
            f"{at}.mlp.up_proj.weight": (intermediate, hidden),
            f"{at}.post_attention_layernorm.weight": (hidden,),
            f"{at}.self_attn.k_proj.weight": (key_value, hidden),
            f"{at}.self_attn.o_proj.weight": (hidden, hidden),
            f"{at}.self_attn.q_proj.weight": (hidden, hidden),
            f"{at}.self_attn.v_proj.weight": (key_value, hidden),
        }
    return shapes | {"model.norm.weight": (hidden,)}


SMOLLM2_135M = llama(hidden=576, intermediate=1536, key_value=192, layers=30, vocabulary=49152)


def grown(megabytes: int) -> Shapes:
    """Matrices of 2048 × 2048, of about so many megabytes together in bf16."""
    count = max(1, round(megabytes * 1e6 / (2 * 2048 * 2048)))
    return {f"model.layers.{at}.mlp.up_proj.weight": (2048, 2048) for at in range(count)}


def write_pair(folder: Path, shapes: Shapes) -> tuple[Path, Path]:
    """Two files; every matrix of the second differs by 2 % of its norm, vectors are equal."""
    pool = np.random.default_rng(0).standard_normal(_POOL, dtype=np.float32) * np.float32(0.02)
    folder.mkdir(parents=True)
    paths = folder / "base.safetensors", folder / "candidate.safetensors"
    header = _header(shapes)
    with paths[0].open("wb") as base, paths[1].open("wb") as candidate:
        for file in (base, candidate):
            file.write(len(header).to_bytes(8, "little") + header)
        place = 0
        for shape in shapes.values():
            for count in _parts(math.prod(shape)):
                old = pool[place : place + count]
                change = pool[::-1][place : place + count] * np.float32(0.02 * (len(shape) > 1))
                place = (place + count + 7919) % (_POOL - (1 << 20))
                rounded = encode(old, "BF16")
                base.write(rounded.tobytes())
                values = (rounded.astype(np.uint32) << 16).view(np.float32)
                candidate.write(encode(values + change, "BF16").tobytes())
    return paths


def _parts(count: int) -> Iterator[int]:
    for start in range(0, count, 1 << 20):
        yield min(1 << 20, count - start)


def _header(shapes: Shapes) -> bytes:
    told, end = {}, 0
    for name, shape in shapes.items():
        start, end = end, end + 2 * math.prod(shape)
        told[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [start, end]}
    return json.dumps(told).encode()
