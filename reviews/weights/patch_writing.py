"""Making a sparse patch of two checkpoints: the elements whose bits differ, and nothing else."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from reviews.weights.checkpoint import Checkpoint
from reviews.weights.digests import tensor_digest
from reviews.weights.dtypes import STORAGE
from reviews.weights.errors import WeightsError
from reviews.weights.patches import BASE, FORMAT, INDICES, VALUES, VERSION
from reviews.weights.tensors import StoredTensor, Tensor
from reviews.weights.writer import codes_in, stored_bytes, write_checkpoint

_LARGEST_I32 = 2**31 - 1


@dataclass(frozen=True)
class MadePatch:
    """How much a patch replaces, and its size beside that of the whole weights."""

    tensors: int
    elements: int
    size_bytes: int
    full_bytes: int


def make_patch(
    base: Checkpoint, candidate: Checkpoint, path: Path, keep: Callable[[], None] = lambda: None
) -> MadePatch:
    """Write to `path` the patch that makes `candidate` of `base`, bit for bit.

    Raises: WeightsError: patch_not_possible (with the tensor: another name, shape or dtype),
        patch_empty, patch_no_smaller.
    """
    full_bytes = sum(stored_bytes(tensor) for tensor in candidate.tensors.values())
    if base.tensors.keys() != candidate.tensors.keys():
        odd = min(base.tensors.keys() ^ candidate.tensors.keys())
        raise WeightsError("patch_not_possible", tensor=odd, reason="names")
    found: list[Tensor] = []
    metadata = {FORMAT: VERSION}
    with ExitStack() as kept:
        spools = tuple(kept.enter_context(tempfile.TemporaryFile()) for _ in range(2))
        gathered = _Gathered(spools, full_bytes)
        for name in sorted(candidate.tensors):
            before, after = base.tensors[name], candidate.tensors[name]
            if pair := gathered.take(before, after):
                found += pair
                metadata[name + BASE] = tensor_digest(before)
            keep()
        if not found:
            raise WeightsError("patch_empty")
        for spool in spools:
            spool.flush()
        write_checkpoint({path.name: found}, path.parent, metadata=metadata)
    elements = sum(each.count for each in found) // 2
    size_bytes = path.stat().st_size
    if size_bytes >= full_bytes:
        path.unlink()
        raise WeightsError("patch_no_smaller", patch_bytes=size_bytes, full_bytes=full_bytes)
    return MadePatch(len(found) // 2, elements, size_bytes, full_bytes)


class _Gathered:
    """Indices and values of changed elements, gathered in two files as they are found."""

    def __init__(self, spools: tuple[IO[bytes], ...], limit_bytes: int) -> None:
        self.places, self.fresh = spools
        self.limit_bytes = limit_bytes

    def take(self, before: Tensor, after: Tensor) -> list[Tensor]:
        """The two tensors of a changed one; nothing where all bits are equal."""
        if before.shape != after.shape or before.dtype != after.dtype:
            raise WeightsError("patch_not_possible", tensor=after.name, reason="shape")
        if not isinstance(before, StoredTensor):
            if tensor_digest(before) == tensor_digest(after):
                return []
            raise WeightsError("patch_not_possible", tensor=after.name, reason="dtype")
        kind = "I32" if after.count <= _LARGEST_I32 else "I64"
        begins, count = (self.places.tell(), self.fresh.tell()), 0
        bits = f"u{np.dtype(STORAGE[after.dtype]).itemsize}"
        for start, stop in after.pieces():
            old = before.codes(start, stop).view(bits)
            new = codes_in(after, after.dtype, start, stop).view(bits)
            changed = np.flatnonzero(old != new)
            self.places.write((changed + start).astype(STORAGE[kind]).tobytes())
            self.fresh.write(new[changed].tobytes())
            count += len(changed)
            self._require_smaller()
        if not count:
            return []
        files = ((INDICES, kind, self.places), (VALUES, after.dtype, self.fresh))
        return [
            StoredTensor(after.name + end, dtype, (count,), "", spool.fileno(), begin)
            for (end, dtype, spool), begin in zip(files, begins, strict=True)
        ]

    def _require_smaller(self) -> None:
        patch_bytes = self.places.tell() + self.fresh.tell()
        if patch_bytes >= self.limit_bytes:
            raise WeightsError(
                "patch_no_smaller", patch_bytes=patch_bytes, full_bytes=self.limit_bytes
            )
