"""What the header of a safetensors file tells, as plain values that can be kept."""

from __future__ import annotations

from typing import IO, Any

from hub.formats.errors import SafetensorsError
from hub.formats.safetensors_header import read_header

METADATA_SHOWN = 400
MAX_VALUE_CHARACTERS = 2000


def read_safetensors_head(file: IO[bytes], size: int) -> dict[str, Any]:
    """{"format", "tensors": [name, dtype, shape, start, bytes], "metadata": [key, type, value]}.

    Raises: SafetensorsError.
    """
    header = read_header(file, file_bytes=size)
    if header.data_start > size:
        raise SafetensorsError("The safetensors header is longer than its file.")
    metadata = sorted(header.metadata.items())[:METADATA_SHOWN]
    return {
        "format": "safetensors",
        "tensors": [
            [each.name, each.dtype, list(each.shape), each.start, each.end - each.start]
            for each in header.tensors
        ],
        "metadata": [[key, "text", value[:MAX_VALUE_CHARACTERS]] for key, value in metadata],
    }
