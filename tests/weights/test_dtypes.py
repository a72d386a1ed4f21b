"""Codes and the numbers they stand for, as torch has them, for every code there is."""

import numpy as np
import pytest

from reviews.weights.dtypes import decode, encode

torch = pytest.importorskip("torch")
KINDS = {"F8_E4M3": torch.float8_e4m3fn, "F8_E5M2": torch.float8_e5m2}


def same(ours, theirs):
    return np.array_equal(ours.view(np.uint32), theirs.numpy().view(np.uint32)) or (
        np.array_equal(ours, theirs.numpy(), equal_nan=True)
        and np.array_equal(np.signbit(ours), np.signbit(theirs.numpy()))
    )


@pytest.mark.parametrize("dtype", KINDS)
def test_every_code_of_one_byte_is_decoded_as_torch_does(dtype):
    codes = np.arange(256, dtype=np.uint8)
    assert same(decode(codes, dtype), torch.from_numpy(codes).view(KINDS[dtype]).float())


def test_every_code_of_bf16_is_decoded_as_torch_does():
    codes = np.arange(65536, dtype=np.uint16)
    theirs = torch.from_numpy(codes.view(np.int16)).view(torch.bfloat16).float()
    assert same(decode(codes, "BF16"), theirs)


EDGES = [0.0, -0.0, 1e-45, -1e-40, 3.4e38, -3.4e38, np.inf, -np.inf, 65519.99, 65520.0, 1.00390625]


@pytest.mark.parametrize(("dtype", "theirs"), [("BF16", torch.bfloat16), ("F16", torch.float16)])
def test_numbers_are_rounded_as_torch_does(dtype, theirs):
    random = np.random.default_rng(1)
    values = np.concatenate(
        [random.integers(0, 2**32, 100_000, dtype=np.uint32).view(np.float32), np.float32(EDGES)]
    )
    values = values[~np.isnan(values)]
    expected = torch.from_numpy(values).to(theirs).view(torch.int16).numpy().view(np.uint16)
    assert np.array_equal(encode(values, dtype).view(np.uint16), expected)


@pytest.mark.parametrize("dtype", ["BF16", "F16", "F32", "F64"])
def test_nan_stays_nan(dtype):
    bits = np.array([0x7F800001, 0xFFFFFFFF, 0x7FC00000], dtype=np.uint32)
    assert np.isnan(decode(encode(bits.view(np.float32), dtype), dtype)).all()
