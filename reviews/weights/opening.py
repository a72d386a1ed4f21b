"""Files of a repository as open descriptors, and its small JSON files."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub.formats.bounded_json import MAX_BYTES, load_json
from hub.formats.errors import JsonError
from reviews.weights.errors import Problem, WeightsError
from reviews.weights.tensors import Span

_POINTER = b"version https://git-lfs.github.com/spec/"
_LARGEST_POINTER_BYTES = 1024
# Each stays open while the checkpoint is: two checkpoints fit a process's usual 1024.
MAX_FILES = 400


@dataclass(frozen=True, slots=True)
class OpenFile:
    """`name` is the path inside the repository; `size` is in bytes."""

    name: str
    descriptor: int
    size: int

    @property
    def span(self) -> Span:
        return Span(self.descriptor, 0, self.size)

    @property
    def is_lfs_pointer(self) -> bool:
        """Whether the text that stands for a large file lies here in place of it."""
        if not len(_POINTER) <= self.size < _LARGEST_POINTER_BYTES:
            return False
        return os.pread(self.descriptor, len(_POINTER), 0) == _POINTER


def open_file(name: str, path: Path, kept: ExitStack) -> OpenFile:
    """The regular file at `path`, closed when `kept` closes. Raises: WeightsError: file_missing."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise WeightsError("file_missing", file=name) from error
    kept.callback(os.close, descriptor)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise WeightsError("file_missing", file=name)
    return OpenFile(name, descriptor, status.st_size)


def open_files(names: Sequence[str], files: Mapping[str, Path], kept: ExitStack) -> list[OpenFile]:
    """Several files at once. Raises: WeightsError: too_many_files, file_missing."""
    if len(names) > MAX_FILES:
        raise WeightsError("too_many_files", limit=MAX_FILES)
    return [open_file(name, files[name], kept) for name in names]


def read_json(
    name: str, path: Path, *, max_bytes: int = MAX_BYTES, max_nodes: int = 200_000
) -> dict[str, Any] | Problem:
    """The object in a JSON file, or the problem `json_unreadable`."""
    try:
        with path.open("rb") as file:
            content = file.read(max_bytes + 1)
        value = load_json(content, max_bytes=max_bytes, max_nodes=max_nodes)
    except (JsonError, OSError, RecursionError) as error:
        return Problem("json_unreadable", None, {"file": name, "reason": str(error)[:300]})
    if not isinstance(value, dict):
        return Problem("json_unreadable", None, {"file": name, "reason": "not an object"})
    return value
