"""A sparse patch: single elements of the base's tensors replaced, bit for bit.

The file is safetensors. Of each changed tensor NAME it holds `NAME.indices` (I32 or I64, flat,
strictly rising) and `NAME.values` (the tensor's own dtype, as many); its metadata hold the version
of the format and `NAME.base`, the digest of the tensor that the patch was made for. Values replace:
applying twice is applying once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from reviews.weights.digests import tensor_digest
from reviews.weights.dtypes import Codes, Floats, decode
from reviews.weights.errors import Problem, WeightsError
from reviews.weights.tensors import StoredTensor, Tensor

if TYPE_CHECKING:
    from reviews.weights.checkpoint import Checkpoint

PATCH = "weights_patch.safetensors"
FORMAT, VERSION = "weights_patch", "1"
INDICES, VALUES, BASE = ".indices", ".values", ".base"
INDEX_DTYPES = ("I32", "I64")
_ENDING = re.compile(r"\.(indices|values)\Z")


@dataclass(frozen=True)
class Patch:
    """What a patch's file holds, not yet held against a base."""

    tensors: Mapping[str, Tensor]
    metadata: Mapping[str, str]
    file: str

    @property
    def names(self) -> list[str]:
        """The tensors that it names, whether or not both halves are there."""
        return sorted({_ENDING.sub("", name) for name in self.tensors})


@dataclass(frozen=True)
class PatchedTensor(Tensor):
    """`inner` with the elements at `places` replaced by `fresh`; both have been checked."""

    inner: Tensor
    places: Tensor
    fresh: Tensor

    def __post_init__(self) -> None:
        for each in ("name", "dtype", "shape", "file"):
            object.__setattr__(self, each, getattr(self.inner, each))

    @property
    def has_codes(self) -> bool:
        return True

    def codes(self, start: int, stop: int) -> Codes:
        found = self.inner.codes(start, stop)
        first, last = self._first_from(start), self._first_from(stop)
        bits = f"u{found.dtype.itemsize}"  # as integers: no rule about NaN touches them
        at = self.places.codes(first, last).astype(np.int64) - start
        found.view(bits)[at] = self.fresh.codes(first, last).view(bits)
        return found

    def values(self, start: int, stop: int) -> Floats:
        return decode(self.codes(start, stop), self.dtype)

    def _first_from(self, element: int) -> int:
        """The number of the first place at or behind `element`."""
        low, high = 0, self.places.count
        while low < high:
            middle = (low + high) // 2
            if int(self.places.codes(middle, middle + 1)[0]) < element:
                low = middle + 1
            else:
                high = middle
        return low


def with_patch(base: Checkpoint, keep: Callable[[], None] = lambda: None) -> Checkpoint:
    """The checkpoint that `base` becomes under the patch beside it; it stays open for it.

    A tensor whose patch is wrong stays as it was, and `problems` names it. `keep` is called
    between tensors, which are read whole.
    """
    if base.patch is None:
        return base
    problems = list(_problems_of_whole(base, base.patch))
    tensors = dict(base.tensors)
    for name in [] if problems else base.patch.names:
        try:
            tensors[name] = _patched(base, base.patch, name)
        except WeightsError as error:
            about = {**error.parameters, "file": base.patch.file}
            problems.append(Problem(error.code, name, about))
        keep()
    return replace(
        base,
        tensors=tensors,
        problems=(*base.problems, *problems),
        patch=None,
        _kept=ExitStack(),
    )


def _problems_of_whole(base: Checkpoint, patch: Patch) -> Iterator[Problem]:
    about = {"file": patch.file}
    if patch.metadata.get(FORMAT) != VERSION:
        yield Problem("patch_version", None, about)
    elif base.format != "safetensors" or not base.tensors:
        yield Problem("patch_without_base", None, about)


def _patched(base: Checkpoint, patch: Patch, name: str) -> PatchedTensor:
    """Raises: WeightsError: patch_does_not_fit, patch_indices_wrong, patch_other_base."""
    places, fresh = patch.tensors.get(name + INDICES), patch.tensors.get(name + VALUES)
    inner = base.tensors.get(name)
    if places is None or fresh is None:
        raise WeightsError("patch_does_not_fit", reason="half_missing")
    if inner is None:
        raise WeightsError("patch_does_not_fit", reason="not_in_base")
    if not isinstance(inner, StoredTensor) or fresh.dtype != inner.dtype:
        raise WeightsError("patch_does_not_fit", reason="dtype")
    if places.dtype not in INDEX_DTYPES:
        raise WeightsError("patch_indices_wrong", reason="dtype")
    if len(places.shape) != 1 or fresh.shape != places.shape:
        raise WeightsError("patch_does_not_fit", reason="shape")
    _require_rising(places, inner.count)
    if patch.metadata.get(name + BASE) != tensor_digest(inner):
        raise WeightsError("patch_other_base")
    return PatchedTensor(inner, places, fresh)


def _require_rising(places: Tensor, count: int) -> None:
    """Raises: WeightsError: patch_indices_wrong."""
    last = -1
    for start, stop in places.pieces():
        found = places.codes(start, stop).astype(np.int64)
        if int(found[0]) < 0 or int(found.max()) >= count:
            raise WeightsError("patch_indices_wrong", reason="range")
        if int(found[0]) <= last or (np.diff(found) <= 0).any():
            raise WeightsError("patch_indices_wrong", reason="order")
        last = int(found[-1])
