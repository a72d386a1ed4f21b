"""The header of a GGUF file, read with bounds on everything that the file itself counts.

Source: github.com/ggml-org/ggml docs/gguf.md, versions 2 and 3, little-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import IO

from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

from hub.formats.safetensors_header import MAX_NAME_BYTES, MAX_TENSORS
from reviews.weights.errors import WeightsError
from reviews.weights.tensors import is_workable

MAGIC = b"GGUF"
MAX_HEADER_BYTES = 128 * 1024 * 1024
MAX_PAIRS = 10_000
MAX_STRINGS = 2_000_000
MAX_TOKENS_BYTES = 32 * 1024 * 1024
MAX_TEXT_BYTES = 1024 * 1024
MAX_RANK = 4
_LARGEST_ALIGNMENT = 1 << 16
_VERSIONS = (2, 3)
# By the number of a value's type: how struct unpacks it. 8 is text, 9 an array.
_SCALARS = {
    0: "B",
    1: "b",
    2: "H",
    3: "h",
    4: "I",
    5: "i",
    6: "f",
    7: "?",
    10: "Q",
    11: "q",
    12: "d",
}
_TEXT, _ARRAY = 8, 9
# The arrays whose texts are kept; of all others only the place is passed.
TOKENS = "tokenizer.ggml.tokens"

Value = str | int | float | bool


@dataclass(frozen=True, slots=True)
class GgufTensor:
    """`shape` is [rows, ..., columns], as in PyTorch; `start` is from the file's first byte."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    size: int


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """Values that stand alone, the tokens where there are some, tensors by their place."""

    values: Mapping[str, Value]
    tokens: tuple[str, ...] | None
    tensors: tuple[GgufTensor, ...]
    # Of each array: what it holds ("text" or struct's letter) and how many.
    arrays: Mapping[str, tuple[str, int]] = field(default_factory=dict)


class _Cursor:
    """Reads on, and refuses to go past the limit."""

    def __init__(self, file: IO[bytes], limit: int) -> None:
        self.file, self.limit, self.at = file, limit, 0
        self.strings = 0
        self.arrays: dict[str, tuple[str, int]] = {}

    def read(self, size: int) -> bytes:
        if size > self.limit - self.at:
            raise _refused("cut_off_or_too_long")
        found = self.file.read(size)
        if len(found) != size:
            raise _refused("cut_off_or_too_long")
        self.at += size
        return found

    def skip(self, size: int) -> None:
        if size > self.limit - self.at:
            raise _refused("cut_off_or_too_long")
        self.file.seek(size, 1)
        self.at += size

    def number(self, kind: str) -> int:
        (found,) = struct.unpack("<" + kind, self.read(struct.calcsize(kind)))
        return int(found)

    def text(self, limit: int = MAX_TEXT_BYTES) -> str:
        size = self.number("Q")
        if size > limit:
            raise _refused("text_too_long")
        return self.read(size).decode("utf-8", "replace")

    def texts(self, count: int, *, keep: bool) -> tuple[str, ...]:
        self.strings += count
        if self.strings > MAX_STRINGS:
            raise _refused("too_many_texts")
        if keep:
            return self._tokens(count)
        for _ in range(count):
            self.skip(self.number("Q"))
        return ()

    def _tokens(self, count: int) -> tuple[str, ...]:
        start, found = self.at, []
        for _ in range(count):
            found.append(self.text())
            if self.at - start > MAX_TOKENS_BYTES:
                raise _refused("too_many_texts")
        return tuple(found)


def read_gguf_header(file: IO[bytes], *, file_bytes: int) -> GgufHeader:
    """The header that `file`, at its start, reads.

    Raises: WeightsError: header_unreadable with its reason; duplicate, overlapping with the tensor.
    """
    cursor = _Cursor(file, min(file_bytes, MAX_HEADER_BYTES))
    if cursor.read(4) != MAGIC:
        raise _refused("not_gguf")
    if cursor.number("I") not in _VERSIONS:
        raise _refused("version")
    tensor_count, pair_count = cursor.number("Q"), cursor.number("Q")
    if tensor_count > MAX_TENSORS or pair_count > MAX_PAIRS:
        raise _refused("too_many_entries")
    values: dict[str, Value] = {}
    tokens = None
    for _ in range(pair_count):
        key = cursor.text(MAX_NAME_BYTES)
        if key in values or key in cursor.arrays:
            raise _refused("repeated_key")
        value = _value(cursor, key)
        if isinstance(value, tuple):
            tokens = value
        elif value is not None:
            values[key] = value
    infos = [_info(cursor) for _ in range(tensor_count)]
    alignment = values.get("general.alignment", 32)
    if type(alignment) is not int or not 0 < alignment <= _LARGEST_ALIGNMENT:
        raise _refused("alignment")
    if alignment & (alignment - 1):
        raise _refused("alignment")
    data_start = -(-cursor.at // alignment) * alignment
    placed = _placed(infos, data_start, alignment, file_bytes)
    return GgufHeader(values, tokens, placed, cursor.arrays)


def _value(cursor: _Cursor, key: str) -> Value | tuple[str, ...] | None:
    kind = cursor.number("I")
    if kind == _TEXT:
        return cursor.text()
    if kind == _ARRAY:
        return _array(cursor, key)
    if kind not in _SCALARS:
        raise _refused("unknown_type")
    form = "<" + _SCALARS[kind]
    found: Value = struct.unpack(form, cursor.read(struct.calcsize(form)))[0]
    return found


def _array(cursor: _Cursor, key: str) -> tuple[str, ...] | None:
    kind, count = cursor.number("I"), cursor.number("Q")
    cursor.arrays[key] = ("text" if kind == _TEXT else _SCALARS.get(kind, ""), count)
    if kind == _TEXT:
        found = cursor.texts(count, keep=key == TOKENS)
        return found if key == TOKENS else None
    if kind not in _SCALARS:  # arrays of arrays stand in no file that is in use
        raise _refused("unknown_type")
    cursor.skip(count * struct.calcsize(_SCALARS[kind]))
    return None


def _info(cursor: _Cursor) -> tuple[str, GGMLQuantizationType, tuple[int, ...], int]:
    name = cursor.text(MAX_NAME_BYTES)
    if not name or not name.isprintable():
        raise _refused("name", tensor=name)
    rank = cursor.number("I")
    if rank > MAX_RANK:
        raise _refused("rank", tensor=name)
    shape = tuple(reversed([cursor.number("Q") for _ in range(rank)]))
    if not is_workable(shape):
        raise _refused("size", tensor=name)
    code, offset = cursor.number("I"), cursor.number("Q")
    try:
        kind = GGMLQuantizationType(code)
    except ValueError as error:
        raise _refused("unknown_dtype", tensor=name) from error
    return name, kind, shape, offset


def _placed(
    infos: list[tuple[str, GGMLQuantizationType, tuple[int, ...], int]],
    data_start: int,
    alignment: int,
    file_bytes: int,
) -> tuple[GgufTensor, ...]:
    tensors, names = [], set()
    for name, kind, shape, offset in infos:
        block, block_bytes = GGML_QUANT_SIZES[kind]
        count = prod(shape)
        if name in names:
            raise WeightsError("duplicate", tensor=name)
        names.add(name)
        if offset % alignment or (shape[-1] if shape else 1) % block:
            raise _refused("alignment", tensor=name)
        size = count // block * block_bytes
        if data_start + offset + size > file_bytes:
            raise _refused("past_the_end", tensor=name)
        tensors.append(GgufTensor(name, kind.name, shape, data_start + offset, size))
    tensors.sort(key=lambda each: (each.start, each.start + each.size))
    end = data_start
    for each in tensors:
        if each.start < end:
            raise WeightsError("overlapping", tensor=each.name)
        end = each.start + each.size
    return tuple(tensors)


def _refused(reason: str, **about: object) -> WeightsError:
    return WeightsError("header_unreadable", reason=reason, **about)
