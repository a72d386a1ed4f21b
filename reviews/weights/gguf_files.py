"""Tensors of a GGUF model: one file, or its numbered parts."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hub.formats.safetensors_header import MAX_TENSORS
from reviews.weights.dtypes import STORAGE, Floats
from reviews.weights.errors import Problem, WeightsError
from reviews.weights.gguf_header import GgufHeader, GgufTensor, read_gguf_header
from reviews.weights.gguf_names import (
    SHIFTED_NORMS,
    implied_config,
    is_transposed,
    rotary_heads,
    transformers_name,
)
from reviews.weights.gguf_tensors import (
    BlockTensor,
    ReorderedTensor,
    ShiftedTensor,
    TransposedTensor,
)
from reviews.weights.keeping import LastUsed
from reviews.weights.opening import OpenFile, open_files
from reviews.weights.safetensors_files import Found, parent_of
from reviews.weights.tensors import Span, StoredTensor, Tensor

_PART = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf")


@dataclass
class FoundGguf(Found):
    """With the configuration that the header implies, and the texts of the tokens."""

    config: dict[str, Any] = field(default_factory=dict)
    tokens: tuple[str, ...] | None = None


def read_gguf(files: Mapping[str, Path], folder: str, kept: ExitStack) -> FoundGguf:
    """The tensors of the largest GGUF model among the files of `folder` (of repository paths).

    A repository often holds one model in several quantisations: the largest loses least.
    """
    models: dict[str, list[str]] = defaultdict(list)
    beside = [name for name in files if name.endswith(".gguf") and parent_of(name) == folder]
    for name in sorted(beside):
        part = _PART.fullmatch(name)
        models[part["stem"] if part else name].append(name)
    sizes = {model: sum(_size(files[name]) for name in names) for model, names in models.items()}
    chosen = models[max(sizes, key=lambda model: (sizes[model], model))]
    found = FoundGguf(left_out=[name for name in beside if name not in chosen])
    headers = [
        (file, header)
        for file in open_files(chosen, files, kept)
        if (header := _header(file, found)) is not None
    ]
    _check_parts(chosen, found)
    if not headers:
        return found
    values = {key: value for _, header in headers for key, value in header.values.items()}
    architecture = str(values.get("general.architecture", ""))
    found.metadata = {
        key: str(value)[:1000] for key, value in values.items() if not key.startswith("tokenizer.")
    }
    found.config = implied_config(values, architecture)
    found.tokens = next((header.tokens for _, header in headers if header.tokens), None)
    if values.get("general.type") == "adapter":
        found.problems.append(Problem("adapter_not_supported", None, {"reason": "gguf"}))
    whole: LastUsed[Floats] = LastUsed(1)
    for file, header in headers:
        _add(file, header, architecture, found, whole)
    if found.tensors and "vocab_size" not in found.config and found.tokens:
        found.config["vocab_size"] = len(found.tokens)
    if architecture != "bert":
        found.config["tie_word_embeddings"] = "lm_head.weight" not in found.tensors
    return found


def stored_tensors(file: OpenFile) -> dict[str, Tensor]:
    """The tensors of one file as they lie there, by their names there.

    Raises: WeightsError: what `read_gguf_header` raises; lfs_pointer.
    """
    found = FoundGguf()
    header = _header(file, found)
    if header is None:
        problem = found.problems[0]
        raise WeightsError(problem.code, **problem.parameters)
    return {entry.name: _as_it_lies(entry, file, entry.name) for entry in header.tensors}


def _as_it_lies(entry: GgufTensor, file: OpenFile, name: str) -> Tensor:
    if entry.dtype in STORAGE:
        return StoredTensor(name, entry.dtype, entry.shape, file.name, file.descriptor, entry.start)
    span = Span(file.descriptor, entry.start, entry.size)
    return BlockTensor(name, entry.dtype, entry.shape, file.name, span)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _header(file: OpenFile, found: FoundGguf) -> GgufHeader | None:
    if file.is_lfs_pointer:
        found.problems.append(Problem("lfs_pointer", None, {"file": file.name}))
        found.unread.append(file.name)
        return None
    with open(file.descriptor, "rb", buffering=1 << 20, closefd=False) as stream:
        stream.seek(0)
        try:
            return read_gguf_header(stream, file_bytes=file.size)
        except WeightsError as error:
            about = {**error.parameters, "file": file.name}
            tensor = about.pop("tensor", None)
            name = tensor if isinstance(tensor, str) else None
            found.problems.append(Problem(error.code, name, about))
            found.unread.append(file.name)
            return None


def _check_parts(chosen: list[str], found: FoundGguf) -> None:
    part = _PART.fullmatch(chosen[0])
    if part and len(chosen) != int(part["count"]):
        about = {"reason": "missing_shard", "file": f"{part['stem']}-*-of-{part['count']}.gguf"}
        found.problems.append(Problem("index_lies", None, about))


def _add(
    file: OpenFile,
    header: GgufHeader,
    architecture: str,
    found: FoundGguf,
    whole: LastUsed[Floats],
) -> None:
    if len(found.tensors) + len(header.tensors) > MAX_TENSORS:
        raise WeightsError("too_many_tensors", limit=MAX_TENSORS)
    for entry in header.tensors:
        tensor = _tensor(entry, file, architecture, found.config)
        if is_transposed(entry.name, architecture) and len(entry.shape) == 2:
            tensor = TransposedTensor(tensor, whole)
        if tensor.name in found.tensors:
            files = [found.tensors[tensor.name].file, file.name]
            found.problems.append(Problem("duplicate", tensor.name, {"files": files}))
            continue
        found.tensors[tensor.name] = tensor


def _tensor(
    entry: GgufTensor, file: OpenFile, architecture: str, config: Mapping[str, Any]
) -> Tensor:
    tensor = _as_it_lies(entry, file, transformers_name(entry.name, architecture))
    heads = rotary_heads(entry.name, architecture, config)
    if heads is not None and entry.shape and entry.shape[0] % (2 * heads) == 0:
        return ReorderedTensor(tensor, heads)
    if architecture in SHIFTED_NORMS and "norm" in entry.name:
        return ShiftedTensor(tensor)
    return tensor
