"""Storage codes of tensors and the numbers they stand for."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.generic]
Floats = npt.NDArray[np.float32] | npt.NDArray[np.float64]

# By the dtype's name in safetensors, the numpy type in which its codes are read.
STORAGE: dict[str, type[np.generic]] = {
    "BOOL": np.uint8, "U8": np.uint8, "I8": np.int8, "I16": np.int16, "U16": np.uint16,
    "I32": np.int32, "U32": np.uint32, "I64": np.int64, "U64": np.uint64,
    "F8_E4M3": np.uint8, "F8_E5M2": np.uint8,
    "BF16": np.uint16, "F16": np.float16, "F32": np.float32, "F64": np.float64,
}  # fmt: skip
FLOATS = frozenset({"BF16", "F16", "F32", "F64"})


def _e4m3() -> npt.NDArray[np.float32]:
    """The 256 numbers of OCP's E4M3: bias 7, no infinity, NaN where all bits are set."""
    codes = np.arange(256)
    exponent, mantissa = (codes >> 3) & 15, codes & 7
    size = np.where(
        exponent == 0, mantissa / 8 * 2.0**-6, (1 + mantissa / 8) * 2.0 ** (exponent - 7)
    )
    size[(codes & 127) == 127] = np.nan
    return np.where(codes >> 7 == 1, -size, size).astype(np.float32)


# Numbers of the codes of one byte; E5M2 is the upper half of a float16 (OCP 8-bit formats, 5.3).
BYTES: dict[str, npt.NDArray[np.float32]] = {
    "F8_E4M3": _e4m3(),
    "F8_E5M2": (np.arange(256, dtype=np.uint16) << 8).view(np.float16).astype(np.float32),
}


def decode(codes: Codes, dtype: str) -> Floats:
    """The numbers of `codes`: float32, but float64 of F64 and of integers of 32 bits and more."""
    if dtype == "BF16":
        return (codes.astype(np.uint32) << 16).view(np.float32)
    if dtype in BYTES:
        return BYTES[dtype][codes.view(np.uint8)]
    if dtype in {"F64", "I32", "U32", "I64", "U64"}:
        return codes.astype(np.float64, copy=False)
    return codes.astype(np.float32, copy=False)


def encode(values: Floats, dtype: str) -> Codes:
    """The codes of `values` in a dtype of FLOATS, rounded to the nearest, ties to even."""
    if dtype == "BF16":
        bits = values.astype(np.float32, copy=False).view(np.uint32)
        rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
        # NaN stays NaN: adding could carry its payload into infinity.
        return np.where(np.isnan(values), (bits >> 16) | 0x40, rounded).astype(np.uint16)
    with np.errstate(over="ignore", invalid="ignore"):  # too large is infinite, as in torch
        return values.astype(STORAGE[dtype])
