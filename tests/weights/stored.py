"""Tensors in files for tests, without a format around them."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from reviews.weights.dtypes import FLOATS, STORAGE, encode
from reviews.weights.tensors import StoredTensor


def stored(values: Any, dtype: str = "F64", name: str = "w") -> StoredTensor:
    """`values` rounded to `dtype`, in a file of this process's memory."""
    numbers = np.asarray(values)
    if dtype in FLOATS:
        codes = encode(numbers.astype(np.float64), dtype)
    else:
        codes = numbers.astype(STORAGE[dtype])
    descriptor = os.memfd_create(name)
    os.pwrite(descriptor, codes.tobytes(), 0)
    return StoredTensor(name, dtype, numbers.shape, name, descriptor, 0)


def bf16(values: Any) -> Any:
    """`values` rounded to bf16, as float32."""
    codes = encode(np.asarray(values, dtype=np.float32), "BF16")
    return (codes.astype(np.uint32) << 16).view(np.float32)
