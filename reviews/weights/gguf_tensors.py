"""Tensors of GGUF files: quantised blocks, rows in another order, numbers moved by one."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType
from gguf.quants import dequantize

from reviews.weights.dtypes import Codes, Floats
from reviews.weights.errors import WeightsError
from reviews.weights.keeping import LastUsed
from reviews.weights.tensors import Span, Tensor


@dataclass(frozen=True)
class BlockTensor(Tensor):
    """Quantised blocks; the last dimension is a multiple of the block. Values are float32."""

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
        kind = GGMLQuantizationType[self.dtype]
        block, block_bytes = GGML_QUANT_SIZES[kind]
        first, last = start // block, -(-stop // block)
        raw = np.empty((last - first) * block_bytes, dtype=np.uint8)
        self.stored.read_into(raw.data, first * block_bytes)
        if not len(raw):
            return np.empty(0, dtype=np.float32)
        # One row of blocks at a time is dear in Python: 256 of them make a row here.
        rows = math.gcd(last - first, 256)
        try:
            with np.errstate(all="ignore"):  # scales may be NaN or Inf: they are counted later
                found = dequantize(raw.reshape(rows, -1), kind).reshape(-1)
        except NotImplementedError as error:
            raise WeightsError("dtype_not_decoded", tensor=self.name, dtype=self.dtype) from error
        return found[start - first * block : stop - first * block]


@dataclass(frozen=True)
class ReorderedTensor(Tensor):
    """Rows put back into the order of transformers, of a query or key projection.

    llama.cpp stores the two halves of a head's rotary dimensions interleaved: row
    (head, place, half) here is row (head, half, place) there.
    Source: llama.cpp, convert_hf_to_gguf.py, LlamaModel.permute.
    """

    inner: Tensor
    heads: int

    def __post_init__(self) -> None:
        for each in ("name", "dtype", "shape", "file"):
            object.__setattr__(self, each, getattr(self.inner, each))

    @property
    def span(self) -> Span | None:
        return self.inner.span

    @property
    def recipe(self) -> str:
        return f"reordered {self.heads}"

    @property
    def has_codes(self) -> bool:
        return self.inner.has_codes

    def codes(self, start: int, stop: int) -> Codes:
        first, last, taken = self._places(start, stop)
        return self.inner.codes(first, last)[taken]

    def values(self, start: int, stop: int) -> Floats:
        first, last, taken = self._places(start, stop)
        return self.inner.values(first, last)[taken]

    def _places(self, start: int, stop: int) -> tuple[int, int, npt.NDArray[np.int64]]:
        """Which stretch of the file holds our elements, and where each lies in it."""
        columns = math.prod(self.shape[1:])
        if stop <= start:
            return start, start, np.empty(0, dtype=np.int64)
        rows = self._stored_rows(start // columns, -(-stop // columns))
        first, last = int(rows.min()), int(rows.max()) + 1
        taken = ((rows - first)[:, None] * columns + np.arange(columns)).reshape(-1)
        skipped = start % columns
        return first * columns, last * columns, taken[skipped : skipped + stop - start]

    def _stored_rows(self, start: int, stop: int) -> npt.NDArray[np.int64]:
        """Of our rows from `start` to `stop`, their numbers in the file."""
        size = self.shape[0] // self.heads
        head, inside = np.divmod(np.arange(start, stop), size)
        half, place = np.divmod(inside, size // 2)
        return head * size + place * 2 + half


@dataclass(frozen=True)
class ShiftedTensor(Tensor):
    """The norms of Gemma, which GGUF stores with 1 added to each number."""

    inner: Tensor

    def __post_init__(self) -> None:
        for each in ("name", "dtype", "shape", "file"):
            object.__setattr__(self, each, getattr(self.inner, each))

    @property
    def span(self) -> Span | None:
        return self.inner.span

    @property
    def recipe(self) -> str:
        return "shifted"

    @property
    def has_codes(self) -> bool:
        return False

    def codes(self, start: int, stop: int) -> Codes:
        raise WeightsError("no_codes", tensor=self.name)

    def values(self, start: int, stop: int) -> Floats:
        return self.inner.values(start, stop) - np.float32(1)


@dataclass(frozen=True)
class TransposedTensor(Tensor):
    """The matrices of GPT-2, which transformers stores [in, out] and GGUF [out, in].

    The whole matrix is worked out at once and kept while it is read (float32).
    """

    inner: Tensor
    kept: LastUsed[Floats]

    def __post_init__(self) -> None:
        for each in ("name", "dtype", "file"):
            object.__setattr__(self, each, getattr(self.inner, each))
        object.__setattr__(self, "shape", self.inner.shape[::-1])

    @property
    def span(self) -> Span | None:
        return self.inner.span

    @property
    def recipe(self) -> str:
        return "transposed"

    @property
    def has_codes(self) -> bool:
        return False

    def codes(self, start: int, stop: int) -> Codes:
        raise WeightsError("no_codes", tensor=self.name)

    def values(self, start: int, stop: int) -> Floats:
        return self.kept.get(self.name, self._whole)[start:stop]

    def _whole(self) -> Floats:
        found: Floats = self.inner.rows(0, self.inner.shape[0]).T.reshape(-1)
        return found
