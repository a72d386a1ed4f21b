"""Full weights of a checkpoint with an adapter or a patch: the base's files with values changed.

A file keeps its header, layout and dtypes; only the bytes of changed tensors are others. The same
checkpoint gives the same bytes.
"""

from __future__ import annotations

import os
import shutil
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path

from reviews.weights.checkpoint import Checkpoint
from reviews.weights.errors import WeightsError
from reviews.weights.tensors import StoredTensor, Tensor
from reviews.weights.writer import codes_in, write_all

# Of the bytes that come out; a new one has them made anew.
VERSION = 1
Changed = Mapping[str, list[tuple[StoredTensor, Tensor]]]

# Weights that lie there and are not read: full weights without them would be others.
_UNREAD = frozenset(
    {
        "adapter_not_supported", "adapter_does_not_fit", "adapter_config_missing",
        "adapter_config_wrong", "header_unreadable", "lfs_pointer", "no_weights",
    }
)  # fmt: skip


def changed_tensors(base: Checkpoint, effective: Checkpoint) -> Changed:
    """By file, the tensors as they lie there and what they become.

    Raises: WeightsError: full_weights_not_possible (with the tensor), or the problem that keeps
        the checkpoint from being read as it is meant.
    """
    for problem in effective.problems:
        if problem.code in _UNREAD or problem.code.startswith("patch_"):
            raise WeightsError(problem.code, **{**problem.parameters, "tensor": problem.tensor})
    found: dict[str, list[tuple[StoredTensor, Tensor]]] = defaultdict(list)
    for name, tensor in effective.tensors.items():
        stored = base.tensors.get(name)
        if tensor is stored:
            continue
        if not isinstance(stored, StoredTensor) or stored.shape != tensor.shape:
            raise WeightsError("full_weights_not_possible", tensor=name)
        found[stored.file].append((stored, tensor))
    return found


def write_full(
    changed: Changed, files: Mapping[str, Path], folder: Path, keep: Callable[[], None]
) -> dict[str, Path]:
    """Each changed file, whole, below `folder` under a number; by its path in the repository."""
    folder.mkdir(parents=True, exist_ok=True)
    written = {}
    for number, (path, tensors) in enumerate(sorted(changed.items())):
        target = written[path] = folder / str(number)
        shutil.copyfile(files[path], target)
        keep()
        descriptor = os.open(target, os.O_WRONLY | os.O_CLOEXEC)
        try:
            for stored, tensor in tensors:
                _put(descriptor, stored, tensor, keep)
        finally:
            os.close(descriptor)
    return written


def _put(descriptor: int, stored: StoredTensor, tensor: Tensor, keep: Callable[[], None]) -> None:
    place = stored.offset
    for start, stop in tensor.pieces():
        content = codes_in(tensor, stored.dtype, start, stop).view("u1").data
        write_all(descriptor, content, place)
        place += len(content)
        keep()
