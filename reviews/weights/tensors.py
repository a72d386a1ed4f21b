"""A tensor of a checkpoint, read in pieces: nothing larger than a piece need be in memory."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np

from reviews.weights.dtypes import STORAGE, Codes, Floats, decode
from reviews.weights.errors import WeightsError

# Elements of a piece: it stays in a core's cache while it is worked on.
PIECE = 1 << 18
_LARGEST_SIDE = 1 << 40
_LARGEST_SIDE_OF_NOTHING = 1 << 24


def is_workable(shape: tuple[int, ...]) -> bool:
    """Whether no side is absurd: no bytes need stand behind the others where one side is 0."""
    return max(shape, default=1) <= (_LARGEST_SIDE if prod(shape) else _LARGEST_SIDE_OF_NOTHING)


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes of an open file: `offset` and `size` in bytes."""

    descriptor: int
    offset: int
    size: int

    def read_into(self, target: memoryview, start: int) -> None:
        """Fill `target` with the bytes from `start` on. Raises: WeightsError: file_cut_off."""
        if start + len(target) > self.size:
            raise WeightsError("file_cut_off")
        got = 0
        while got < len(target):
            read = os.preadv(self.descriptor, [target[got:]], self.offset + start + got)
            if read == 0:
                raise WeightsError("file_cut_off")
            got += read


class Tensor(ABC):
    """`dtype` is a name of safetensors, or GGUF's (such as "Q4_1") where values are quantised.

    `file` is the path inside the repository of the file that holds it. Reading is safe from
    several threads.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    file: str

    @cached_property
    def count(self) -> int:
        """Elements; 1 for a scalar."""
        return prod(self.shape)

    @cached_property
    def matrix(self) -> tuple[int, int]:
        """Rows and columns when all but the first dimension are put together; 1-D is one row."""
        if len(self.shape) < 2:
            return 1, self.count
        return self.shape[0], prod(self.shape[1:])

    @property
    @abstractmethod
    def has_codes(self) -> bool:
        """Whether `codes` gives the stored elements one by one (GGUF blocks and products: no)."""

    @abstractmethod
    def codes(self, start: int, stop: int) -> Codes:
        """The stored codes of the elements from `start` up to `stop`, 1-D, a copy."""

    @abstractmethod
    def values(self, start: int, stop: int) -> Floats:
        """The numbers of the elements from `start` up to `stop`, 1-D."""

    @property
    def span(self) -> Span | None:
        """Where its bytes lie; None of a tensor that is worked out from others."""
        return None

    @property
    def made_of(self) -> tuple[Tensor, ...]:
        """The tensors that this one is worked out from; `recipe` says how."""
        return ()

    @property
    def recipe(self) -> str:
        """How the values come from `made_of` or the bytes; empty where they are as they lie."""
        return ""

    def rows(self, start: int, stop: int) -> Floats:
        """Rows of `matrix`, [stop - start, columns]."""
        columns = self.matrix[1]
        return self.values(start * columns, stop * columns).reshape(stop - start, columns)

    def pieces(self, size: int = PIECE) -> Iterator[tuple[int, int]]:
        """Bounds of consecutive pieces of at most `size` elements."""
        for start in range(0, self.count, size):
            yield start, min(start + size, self.count)


@dataclass(frozen=True)
class StoredTensor(Tensor):
    """Elements that lie one after another in an open file; `offset` is in bytes."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    file: str
    descriptor: int
    offset: int

    @property
    def has_codes(self) -> bool:
        return True

    @cached_property
    def span(self) -> Span:
        size = self.count * np.dtype(STORAGE[self.dtype]).itemsize
        return Span(self.descriptor, self.offset, size)

    def codes(self, start: int, stop: int) -> Codes:
        storage = np.dtype(STORAGE[self.dtype])
        found = np.empty((stop - start) * storage.itemsize, dtype=np.uint8)
        self.span.read_into(found.data, start * storage.itemsize)
        return found.view(storage)

    def values(self, start: int, stop: int) -> Floats:
        return decode(self.codes(start, stop), self.dtype)


@dataclass(frozen=True)
class PackedTensor(Tensor):
    """Elements in a dtype that is not decoded here (parts of bytes, complex numbers).

    Such tensors are compared by their bytes alone. Raises: WeightsError: dtype_not_decoded.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    file: str
    stored: Span

    @property
    def span(self) -> Span:
        return self.stored

    @property
    def has_codes(self) -> bool:
        return False

    def codes(self, start: int, stop: int) -> Codes:
        raise WeightsError("dtype_not_decoded", tensor=self.name, dtype=self.dtype)

    def values(self, start: int, stop: int) -> Floats:
        raise WeightsError("dtype_not_decoded", tensor=self.name, dtype=self.dtype)
