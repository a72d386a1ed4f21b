"""Tensors of a merge before they are written: a piece is worked out when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from reviews.weights.dtypes import FLOATS, Codes, Floats, decode, encode
from reviews.weights.merging.methods import Method
from reviews.weights.merging.works import Job, Work, work_of
from reviews.weights.tensors import PIECE, Span, Tensor

# These give a model back when every model is that one; the others, the base when none changed it.
_BETWEEN_MODELS = frozenset({Method.LINEAR, Method.SLERP, Method.MODEL_STOCK})


@dataclass(frozen=True)
class CopiedTensor(Tensor):
    """A tensor as it is, for another file."""

    source: Tensor
    file: str

    def __post_init__(self) -> None:
        for name in ("name", "dtype", "shape"):
            object.__setattr__(self, name, getattr(self.source, name))

    @property
    def has_codes(self) -> bool:
        return self.source.has_codes

    @property
    def span(self) -> Span | None:
        return self.source.span

    def codes(self, start: int, stop: int) -> Codes:
        return self.source.codes(start, stop)

    def values(self, start: int, stop: int) -> Floats:
        return self.source.values(start, stop)


@dataclass(frozen=True)
class CastTensor(Tensor):
    """The numbers of a tensor in another dtype of floats."""

    source: Tensor
    dtype: str
    file: str

    def __post_init__(self) -> None:
        for name in ("name", "shape"):
            object.__setattr__(self, name, getattr(self.source, name))

    @property
    def has_codes(self) -> bool:
        return True

    def codes(self, start: int, stop: int) -> Codes:
        with np.errstate(over="ignore", invalid="ignore"):
            return encode(self.source.values(start, stop), self.dtype)

    def values(self, start: int, stop: int) -> Floats:
        return decode(self.codes(start, stop), self.dtype)


@dataclass(frozen=True)
class MergedTensor(Tensor):
    """Several models' tensor of one name and shape, merged and rounded to `dtype`.

    Where all of them are alike bit for bit, it is that tensor bit for bit, whatever the weights.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    file: str
    job: Job

    @property
    def has_codes(self) -> bool:
        return True

    def codes(self, start: int, stop: int) -> Codes:
        alike = self._found("alike", self._find_alike)
        if alike is not None:
            return alike.codes(start, stop)
        with np.errstate(over="ignore", invalid="ignore"):
            work: Work = self._found("work", lambda: work_of(self.job))
            return encode(work(start, stop), self.dtype)

    def values(self, start: int, stop: int) -> Floats:
        return decode(self.codes(start, stop), self.dtype)

    def _found(self, name: str, find: Callable[[], Any]) -> Any:
        """What `find` gives, looked for once. A cached_property of Python 3.11 would hold a lock
        over all tensors meanwhile."""
        kept = self.__dict__
        if name not in kept:
            kept[name] = find()
        return kept[name]

    def _find_alike(self) -> Tensor | None:
        models = [part.tensor for part in self.job.parts]
        if self.job.method in _BETWEEN_MODELS:
            first, *others = models
        else:
            first, others = self.job.base, models
        is_same = first.dtype == self.dtype and all(same_codes(first, each) for each in others)
        return first if is_same else None


def same_codes(left: Tensor, right: Tensor) -> bool:
    """Whether two tensors are alike bit for bit; reading ends at the first difference.

    False, too, where no bits are stored to be compared (products, numbers put together).
    """
    if (left.dtype, left.shape) != (right.dtype, right.shape):
        return False
    if left.has_codes and right.has_codes:
        return all(
            left.codes(start, stop).tobytes() == right.codes(start, stop).tobytes()
            for start, stop in left.pieces()
        )
    if left.dtype in FLOATS or left.span is None or right.span is None:
        return False
    return _same_bytes(left.span, right.span)


def _same_bytes(left: Span, right: Span) -> bool:
    buffers = bytearray(PIECE), bytearray(PIECE)
    for start in range(0, left.size, PIECE):
        length = min(PIECE, left.size - start)
        for span, buffer in zip((left, right), buffers, strict=True):
            span.read_into(memoryview(buffer)[:length], start)
        if buffers[0] != buffers[1]:
            return False
    return True
