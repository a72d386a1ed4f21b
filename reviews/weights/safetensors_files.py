"""Tensors of safetensors files: one file, or shards with their index."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from hub.formats.errors import SafetensorsError
from hub.formats.safetensors_header import MAX_TENSORS, SafetensorsHeader, TensorEntry, read_header
from reviews.weights.dtypes import STORAGE
from reviews.weights.errors import Problem, WeightsError
from reviews.weights.opening import OpenFile, open_file, open_files, read_json
from reviews.weights.tensors import PackedTensor, Span, StoredTensor, Tensor, is_workable

INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"
MAX_INDEX_BYTES = 16 * 1024 * 1024
_SHARD = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.safetensors")


@dataclass
class Found:
    """What a group of files holds, gathered file by file."""

    tensors: dict[str, Tensor] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)


def read_safetensors(files: Mapping[str, Path], folder: str, kept: ExitStack) -> Found:
    """The tensors of the model whose safetensors files lie in `folder` (of repository paths).

    `model.safetensors` is the model where it is there, as loaders have it; else the shards of the
    index; else all safetensors files of the folder.
    """
    found = Found()
    beside = sorted(
        name for name in files if name.endswith(".safetensors") and parent_of(name) == folder
    )
    index = _read_index(files, folder, found)
    where: Mapping[str, str] = index["weight_map"] if index else {}
    declared = {name: inside(folder, shard) for name, shard in where.items()}
    single = inside(folder, SINGLE)
    sharded = [name for name in beside if name in set(declared.values())]
    chosen = [single] if single in beside else sharded or beside
    found.left_out = [name for name in beside if name not in chosen]
    for file in open_files(chosen, files, kept):
        _add_file(file, declared, found)
    if index is not None:
        _check_index(index, declared, files, found, single if single in beside else None)
    else:
        _check_numbers(chosen, files, folder, found)
    return found


def read_single(name: str, path: Path, kept: ExitStack) -> Found:
    """The tensors of one safetensors file."""
    found = Found()
    _add_file(open_file(name, path, kept), {}, found)
    return found


def inside(folder: str, name: str) -> str:
    """The repository path of `name` in `folder`; the root is the empty text."""
    return f"{folder}/{name}" if folder else name


def parent_of(name: str) -> str:
    """The folder of a repository path; empty for the root."""
    parent = str(PurePosixPath(name).parent)
    return "" if parent == "." else parent


def header_of(file: OpenFile) -> SafetensorsHeader | Problem:
    """The header of an open file, or why there is none."""
    if file.is_lfs_pointer:
        return Problem("lfs_pointer", None, {"file": file.name})
    with open(file.descriptor, "rb", closefd=False) as stream:
        stream.seek(0)
        try:
            header = read_header(stream, file_bytes=file.size)
        except SafetensorsError as error:
            code = "header_unreadable" if error.fault == "unreadable" else error.fault
            about = {"file": file.name, "reason": str(error)[:300]}
            return Problem(code, error.tensor, about)
    for entry in header.tensors:
        if not is_workable(entry.shape):
            about = {"file": file.name, "reason": "size"}
            return Problem("header_unreadable", entry.name, about)
    return header


def tensor_of(entry: TensorEntry, file: OpenFile) -> Tensor:
    """The tensor that an entry of the header describes."""
    if entry.dtype in STORAGE:
        return StoredTensor(
            entry.name, entry.dtype, entry.shape, file.name, file.descriptor, entry.start
        )
    span = Span(file.descriptor, entry.start, entry.end - entry.start)
    return PackedTensor(entry.name, entry.dtype, entry.shape, file.name, span)


def _add_file(file: OpenFile, declared: Mapping[str, str], found: Found) -> None:
    header = header_of(file)
    if isinstance(header, Problem):
        found.problems.append(header)
        found.unread.append(file.name)
        return
    if len(found.tensors) + len(header.tensors) > MAX_TENSORS:
        raise WeightsError("too_many_tensors", limit=MAX_TENSORS)
    found.metadata.update(header.metadata)
    for entry in header.tensors:
        other = found.tensors.get(entry.name)
        if other is not None:
            about = {"files": [other.file, file.name]}
            found.problems.append(Problem("duplicate", entry.name, about))
            if declared.get(entry.name) != file.name:
                continue
        found.tensors[entry.name] = tensor_of(entry, file)


def _read_index(files: Mapping[str, Path], folder: str, found: Found) -> dict[str, Any] | None:
    name = inside(folder, INDEX)
    if name not in files:
        return None
    nodes = 4 * MAX_TENSORS
    index = read_json(name, files[name], max_bytes=MAX_INDEX_BYTES, max_nodes=nodes)
    if isinstance(index, Problem):
        found.problems.append(index)
        return None
    where = index.get("weight_map")
    if not isinstance(where, dict) or not all(isinstance(each, str) for each in where.values()):
        found.problems.append(
            Problem("index_lies", None, {"file": name, "reason": "no_weight_map"})
        )
        return None
    return index


def _check_index(
    index: dict[str, Any],
    declared: Mapping[str, str],
    files: Mapping[str, Path],
    found: Found,
    single: str | None,
) -> None:
    """Whether every tensor lies where the index says, and their bytes are as many as it says."""

    def lies(tensor: str | None, reason: str, **about: object) -> None:
        found.problems.append(Problem("index_lies", tensor, {"reason": reason, **about}))

    if single is not None and any(shard != single for shard in declared.values()):
        # One loader reads the single file and another follows the index.
        lies(None, "beside_single_file", file=single)
        return
    missing = {shard for shard in declared.values() if shard not in files}
    for shard in sorted(missing):
        lies(None, "missing_shard", file=shard)
    unread = {problem.parameters.get("file") for problem in found.problems}
    for name, shard in declared.items():
        held = found.tensors.get(name)
        if held is None and shard not in missing and shard not in unread:
            lies(name, "missing_tensor", file=shard)
        elif held is not None and held.file != shard:
            lies(name, "wrong_file", file=shard, found=held.file)
    for name, tensor in found.tensors.items():
        if name not in declared:
            lies(name, "not_in_index", file=tensor.file)
    _check_total(index, found)


def _check_total(index: dict[str, Any], found: Found) -> None:
    about = index.get("metadata")
    total = about.get("total_size") if isinstance(about, dict) else None
    actual = sum(tensor.span.size for tensor in found.tensors.values() if tensor.span)
    if total is not None and total != actual and not found.problems:
        parameters = {"reason": "total_size", "declared": total, "actual": actual}
        found.problems.append(Problem("index_lies", None, parameters))


def _check_numbers(chosen: list[str], files: Mapping[str, Path], folder: str, found: Found) -> None:
    """Shards without an index: their own names tell when one is missing. Where all are there the
    index is: no loader finds a tensor without it."""
    groups: dict[tuple[str, str], set[int]] = {}
    for each in filter(None, (_SHARD.fullmatch(PurePosixPath(name).name) for name in chosen)):
        groups.setdefault((each["stem"], each["count"]), set()).add(int(each["number"]))
    for (stem, count), numbers in groups.items():
        shards = inside(folder, f"{stem}-*-of-{count}.safetensors")
        index = inside(folder, f"{stem}.safetensors.index.json")
        if len(numbers) != int(count):
            about = {"reason": "missing_shard", "file": shards}
            found.problems.append(Problem("index_lies", None, about))
        elif index not in files:
            about = {"reason": "no_index", "file": index, "shards": shards}
            found.problems.append(Problem("index_lies", None, about))
