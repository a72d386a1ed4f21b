"""What the header of a GGUF file tells, as plain values that can be kept."""

from __future__ import annotations

import json
from typing import IO, Any

from hub.formats.errors import FormatError
from hub.formats.tensor_head import MAX_VALUE_CHARACTERS, METADATA_SHOWN
from reviews.weights.errors import WeightsError
from reviews.weights.gguf_header import GgufHeader, read_gguf_header

_WHOLE, _BROKEN = "BbHhIiQq", "fd"


class GgufError(FormatError):
    """Not a GGUF header that is read here: the code and parameters of why, as JSON."""


def read_gguf_head(file: IO[bytes], size: int) -> dict[str, Any]:
    """{"format", "tensors": [name, dtype, shape, start, bytes], "metadata": [key, type, value]}.

    An array's value is [what it holds, how many]. Raises: GgufError.
    """
    try:
        header = read_gguf_header(file, file_bytes=size)
    except WeightsError as error:
        raise GgufError(json.dumps([error.code, error.parameters])) from error
    return {
        "format": "gguf",
        "tensors": [
            [each.name, each.dtype, list(each.shape), each.start, each.size]
            for each in header.tensors
        ],
        "metadata": _metadata(header)[:METADATA_SHOWN],
    }


def _metadata(header: GgufHeader) -> list[list[Any]]:
    plain = [[key, _kind(value), _value(value)] for key, value in header.values.items()]
    arrays = [
        [key, "array", [_array_kind(letter), count]]
        for key, (letter, count) in header.arrays.items()
    ]
    return sorted(plain + arrays)


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "whole"
    return "number" if isinstance(value, float) else "text"


def _value(value: object) -> object:
    if isinstance(value, str):
        return value[:MAX_VALUE_CHARACTERS]
    # JSON knows neither NaN nor infinity, and its readers no whole numbers past 2^53.
    return f"{value:.9g}" if isinstance(value, float) else str(value)


def _array_kind(letter: str) -> str:
    if letter in _WHOLE:
        return "whole" if letter else "text"
    return "number" if letter in _BROKEN else "bool" if letter == "?" else "text"
