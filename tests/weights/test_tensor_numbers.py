"""The numbers of a tensor, beside numpy's own."""

from __future__ import annotations

import io
import json
import random

import numpy as np
import pytest
from gguf import GGUFReader
from safetensors.numpy import save_file

from hub.formats.errors import FormatError
from reviews.weights.gguf_head import read_gguf_head
from reviews.weights.tensor_numbers import QUANTILES, TensorNumbers, tensor_numbers
from tests.weights.folders import opened
from tests.weights.gguf_writing import crafted, info, pair, text, write_gguf


def numbers_of(tmp_path, array) -> TensorNumbers:
    save_file({"x": array}, tmp_path / "model.safetensors")
    with opened(tmp_path) as held:
        found = tensor_numbers(held.tensors["x"])
    return TensorNumbers.from_dict(json.loads(json.dumps(found.to_dict())))


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.float64, np.int8])
def test_moments_extremes_and_quantiles_are_numpys(tmp_path, dtype):
    values = np.random.default_rng(0).normal(3, 20, (700, 800)).astype(dtype)
    values[values > 60] = 0
    found, exact = numbers_of(tmp_path, values), values.astype(np.float64)
    assert found.count == values.size and found.zeros == int((values == 0).sum())
    assert found.mean == pytest.approx(exact.mean(), rel=1e-9)
    assert found.deviation == pytest.approx(exact.std(), rel=1e-9)
    assert found.norm == pytest.approx(np.linalg.norm(exact), rel=1e-9)
    assert (found.least, found.largest) == (exact.min(), exact.max())
    told = np.quantile(exact, QUANTILES, method="lower")
    assert np.allclose(found.quantiles, told, rtol=2.0**-7, atol=1e-3)
    assert sum(found.histogram) + found.beyond == values.size
    counts, _edges = np.histogram(exact, 64, (found.low, found.high))
    # A code stands for numbers up to 2^-7 larger: few land in the bin beside.
    assert np.abs(np.cumsum(counts) - np.cumsum(found.histogram)).max() < 0.02 * values.size


def test_what_is_not_finite_is_counted_and_left_out(tmp_path):
    values = np.array([1.0, np.nan, np.inf, -np.inf, 0.0, 3.0, 1e-9], dtype=np.float32)
    found = numbers_of(tmp_path, values)
    assert (found.nan, found.inf, found.zeros, found.near_zero) == (1, 2, 1, 2)
    assert found.mean == pytest.approx(1.0) and found.largest == 3.0


@pytest.mark.parametrize("values", [np.zeros(0), np.full(3, np.nan), np.zeros(5), np.full(9, 7.0)])
def test_tensors_without_a_spread(tmp_path, values):
    found = numbers_of(tmp_path, values.astype(np.float32))
    assert sum(found.histogram) == np.isfinite(values).sum()
    assert (found.mean is None) == (not np.isfinite(values).any())


def test_a_gguf_head_is_what_its_own_reader_tells(tmp_path):
    path = write_gguf(
        tmp_path / "a.gguf",
        {"blk.0.attn_q.weight": np.ones((64, 32)), "norm.weight": np.ones(32)},
        kind="Q4_0",
        tokens=("a", "b", "c"),
        context_length=77,
    )
    with path.open("rb") as file:
        head = read_gguf_head(file, path.stat().st_size)
    reader = GGUFReader(path)
    told = {row[0]: (row[1], row[3], row[4]) for row in head["tensors"]}
    assert told == {
        each.name: (each.tensor_type.name, int(each.data_offset), int(each.n_bytes))
        for each in reader.tensors
    }
    metadata = {key: (kind, value) for key, kind, value in head["metadata"]}
    assert metadata["llama.context_length"] == ("whole", "77")
    assert metadata["tokenizer.ggml.tokens"] == ("array", ["text", 3])


def test_no_mutation_of_a_gguf_header_breaks_its_reader():
    chance = random.Random(5)
    array = b"\x08\x00\x00\x00" + (2).to_bytes(8, "little") + text("ab") + text("c")
    whole = crafted(
        pairs=[pair("general.architecture", 8, text("llama")), pair("some.list", 9, array)],
        infos=[info("a", (4,)), info("b", (4,), offset=32)],
    )
    for _ in range(4000):
        content = bytearray(whole)
        for _step in range(chance.randint(1, 5)):
            content[chance.randrange(len(content) - 64)] = chance.randrange(256)
        try:
            json.dumps(read_gguf_head(io.BytesIO(content), len(content)), allow_nan=False)
        except FormatError:
            continue
