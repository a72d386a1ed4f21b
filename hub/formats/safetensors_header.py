"""The header of a safetensors file, read by our own strict reader: names, shapes, sizes.

The reference library accepts duplicate names, offsets past the end of the file, control
characters and `../` in names, and unknown keys. This reader refuses all of them and never
touches the tensors themselves.
"""

from collections import Counter
from dataclasses import dataclass
from math import prod
from typing import IO, Any

from hub.formats.bounded_json import load_json
from hub.formats.errors import JsonError, SafetensorsError

MAX_HEADER_BYTES = 16 * 1024 * 1024
MAX_TENSORS = 50_000
MAX_RANK = 8
MAX_NAME_BYTES = 512
_LENGTH_BYTES = 8
_LARGEST_SIZE = 2**63 - 1

BITS_BY_DTYPE = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8,
    "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
    "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32,
    "I64": 64, "U64": 64, "F64": 64, "C64": 64,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class TensorEntry:
    """One tensor: `start` and `end` are byte offsets from the first byte of the file."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int

    @property
    def parameters(self) -> int:
        return prod(self.shape)


@dataclass(frozen=True, slots=True)
class SafetensorsHeader:
    """What a safetensors file holds; tensors in the order of their bytes."""

    tensors: tuple[TensorEntry, ...]
    metadata: dict[str, str]
    data_start: int

    @property
    def total_parameters(self) -> int:
        return sum(tensor.parameters for tensor in self.tensors)

    @property
    def parameters_by_dtype(self) -> dict[str, int]:
        counts: Counter[str] = Counter()
        for tensor in self.tensors:
            counts[tensor.dtype] += tensor.parameters
        return dict(counts)


def header_length(first_bytes: bytes, *, file_bytes: int) -> int:
    """How many bytes of JSON follow the first 8 bytes of the file.

    Raises:
        SafetensorsError: too short a file, or a length past its end or the hub's limit.
    """
    if len(first_bytes) < _LENGTH_BYTES:
        raise SafetensorsError("The file is too short to be safetensors.")
    length = int.from_bytes(first_bytes[:_LENGTH_BYTES], "little")
    if length > file_bytes - _LENGTH_BYTES:
        raise SafetensorsError("The safetensors header is longer than its file.")
    if length > MAX_HEADER_BYTES:
        raise SafetensorsError(f"The safetensors header is above {MAX_HEADER_BYTES} bytes.")
    return length


def read_header(file: IO[bytes], *, file_bytes: int) -> SafetensorsHeader:
    """The header of the safetensors file that `file`, at its start, reads.

    Raises:
        SafetensorsError: anything about the header is not as the format says.
    """
    length = header_length(file.read(_LENGTH_BYTES), file_bytes=file_bytes)
    return parse_header(file.read(length), length=length, file_bytes=file_bytes)


def parse_header(header: bytes, *, length: int, file_bytes: int) -> SafetensorsHeader:
    """The header from its JSON bytes, checked against the size of the whole file."""
    if len(header) != length:
        raise SafetensorsError("The safetensors header is cut off.")
    if not header.startswith(b"{"):
        raise SafetensorsError("The safetensors header does not start with '{'.")
    entries = _parse(header)
    metadata = _metadata(entries.pop("__metadata__", {}))
    if len(entries) > MAX_TENSORS:
        raise SafetensorsError(f"The file holds more than {MAX_TENSORS} tensors.")
    data_start = _LENGTH_BYTES + length
    tensors = [_tensor(name, entry, data_start) for name, entry in entries.items()]
    tensors.sort(key=lambda tensor: (tensor.start, tensor.end))
    _require_contiguous(tensors, data_start, file_bytes)
    return SafetensorsHeader(tuple(tensors), metadata, data_start)


def _parse(header: bytes) -> dict[str, Any]:
    try:
        return load_json(
            header, max_bytes=MAX_HEADER_BYTES, max_depth=3, max_nodes=MAX_TENSORS * 20
        )
    except JsonError as error:
        fault = "unreadable" if error.repeated is None else "duplicate"
        message = f"The safetensors header cannot be read. {error}"
        raise SafetensorsError(message, fault=fault, tensor=error.repeated) from error


def _metadata(value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(each, str) for each in value.values()):
        raise SafetensorsError("The safetensors __metadata__ is not a map of text to text.")
    return value


def _tensor(name: str, entry: Any, data_start: int) -> TensorEntry:
    if not name.isprintable() or not 0 < len(name.encode()) <= MAX_NAME_BYTES:
        raise SafetensorsError(f"The tensor name {name[:80]!r} is not printable or too long.")
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise SafetensorsError(f"Tensor {name[:80]!r} has missing or unknown keys.")
    dtype, shape = entry["dtype"], entry["shape"]
    if not isinstance(dtype, str) or dtype not in BITS_BY_DTYPE:
        raise SafetensorsError(f"Tensor {name[:80]!r} has an unknown dtype.")
    if not _is_sizes(shape) or len(shape) > MAX_RANK:
        raise SafetensorsError(f"Tensor {name[:80]!r} has no valid shape of rank <= {MAX_RANK}.")
    start, end = _offsets(name, entry["data_offsets"])
    bits = prod(shape) * BITS_BY_DTYPE[dtype]
    if bits > _LARGEST_SIZE or bits != 8 * (end - start):
        raise SafetensorsError(f"The size of tensor {name[:80]!r} does not fit its shape.")
    return TensorEntry(name, dtype, tuple(shape), data_start + start, data_start + end)


def _offsets(name: str, value: Any) -> tuple[int, int]:
    if not _is_sizes(value) or len(value) != 2 or value[0] > value[1]:
        raise SafetensorsError(f"Tensor {name[:80]!r} has no valid data_offsets.")
    return value[0], value[1]


def _is_sizes(value: Any) -> bool:
    return isinstance(value, list) and all(
        type(each) is int and 0 <= each <= _LARGEST_SIZE for each in value
    )


def _require_contiguous(tensors: list[TensorEntry], data_start: int, file_bytes: int) -> None:
    position = data_start
    for tensor in tensors:
        if tensor.start != position:
            fault = "overlapping" if tensor.start < position else "unreadable"
            message = f"Tensor {tensor.name[:80]!r} overlaps or leaves a gap."
            raise SafetensorsError(message, fault=fault, tensor=tensor.name)
        position = tensor.end
    if position != file_bytes:
        raise SafetensorsError("The tensors do not fill the file exactly.")
