"""GGUF files for tests: models by gguf's own writer, and hostile ones byte by byte."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from gguf import GGUFWriter
from gguf.constants import GGMLQuantizationType
from gguf.quants import quantize


def write_gguf(path: Path, tensors, *, architecture="llama", kind="F32", tokens=(), **values):
    """A file of `tensors` by their GGUF names, quantised to `kind` where they are matrices."""
    writer = GGUFWriter(path, architecture)
    for key, value in values.items():
        writer.add_uint32(f"{architecture}.{key.replace('__', '.')}", value)
    if tokens:
        writer.add_token_list(list(tokens))
    for name, array in tensors.items():
        used = GGMLQuantizationType[kind] if array.ndim > 1 else GGMLQuantizationType.F32
        writer.add_tensor(name, quantize(array.astype(np.float32), used), raw_dtype=used)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def text(value: str) -> bytes:
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw


def info(name="a", shape=(4,), dtype=0, offset=0) -> bytes:
    dims = b"".join(struct.pack("<Q", each) for each in shape)
    return text(name) + struct.pack("<I", len(shape)) + dims + struct.pack("<IQ", dtype, offset)


def pair(key: str, kind: int, raw: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + raw


def crafted(*, pairs=(), infos=(), data=64, version=3, counts=None, magic=b"GGUF") -> bytes:
    tensor_count, pair_count = counts or (len(infos), len(pairs))
    head = magic + struct.pack("<IQQ", version, tensor_count, pair_count)
    body = head + b"".join(pairs) + b"".join(infos)
    return body + bytes(-len(body) % 32) + bytes(data)
