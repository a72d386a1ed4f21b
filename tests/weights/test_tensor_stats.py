"""The statistics of one pair of tensors, by worked values and by a second path in float64."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from reviews.weights.errors import WeightsError
from reviews.weights.tensor_stats import TensorStats, compare_many, compare_tensors
from tests.weights.stored import bf16, stored

W0 = [[1, 0, 2], [0, 3, 0], [1, 1, 1]]
W1 = [[1.1, 0, 2], [0, 2.7, 0], [1, 1, 1.2]]
OUTER = np.outer([1, 2, 0], [0.1, 0, -0.2])


@pytest.mark.parametrize("dtype", ["F64", "F32"])
def test_worked_values(dtype):
    found = compare_tensors(stored(W0, dtype), stored(W1, dtype))
    assert found.change_norm == pytest.approx(0.3741657387, abs=1e-6)
    assert found.relative == pytest.approx(0.0907485213, abs=1e-6)
    assert found.cosine == pytest.approx(0.9962658156, abs=1e-6)
    assert found.max_change == pytest.approx(0.3, abs=1e-6)
    assert found.changed_share == pytest.approx(1 / 3)
    assert found.base.outlier == pytest.approx(2.1828206250, abs=1e-6)
    assert found.candidate.outlier == pytest.approx(2.0288075870, abs=1e-6)
    assert found.mean_change == pytest.approx(0.6 / 9, abs=1e-6)


def test_worked_values_of_an_adapter_merge():
    found = compare_tensors(stored(W0), stored(W0 + OUTER))
    assert found.relative == pytest.approx(0.1212678125, abs=1e-6)


@pytest.mark.parametrize("dtype", ["BF16", "F16", "F32", "F64"])
@pytest.mark.parametrize("shape", [(700, 576), (3, 100_000), (1, 300_000), (300_000,), (40, 8, 9)])
def test_agrees_with_a_plain_float64_loop(dtype, shape):
    random = np.random.default_rng(len(shape) * 100 + shape[0])
    old = stored(random.normal(0, 0.02, shape), dtype)
    new = stored(
        old.values(0, old.count).reshape(shape) * 1.0 + random.normal(0, 1e-3, shape), dtype
    )
    w0, w1 = (t.values(0, t.count).astype(np.float64) for t in (old, new))
    found = compare_tensors(old, new)
    change = w1 - w0
    assert found.base.norm == pytest.approx(np.linalg.norm(w0), rel=1e-6)
    assert found.candidate.norm == pytest.approx(np.linalg.norm(w1), rel=1e-6)
    assert found.change_norm == pytest.approx(np.linalg.norm(change), rel=1e-6)
    cosine = w0 @ w1 / np.linalg.norm(w0) / np.linalg.norm(w1)
    assert found.cosine == pytest.approx(cosine, abs=1e-6)
    assert found.max_change == pytest.approx(np.abs(change).max(), rel=1e-6)
    assert found.mean_change == pytest.approx(np.abs(change).mean(), rel=1e-6)
    assert found.changed == np.count_nonzero(change)
    assert sum(found.change_octaves.counts) == pytest.approx(found.changed, rel=0.02)
    assert found.base.outlier == pytest.approx(np.abs(w0).max() / np.sqrt((w0**2).mean()), rel=1e-6)


def test_extreme_values_do_not_overflow_or_vanish():
    for scale in (1e-30, 1e30):
        found = compare_tensors(
            stored(np.multiply(W0, scale), "F32"), stored(np.multiply(W1, scale), "F32")
        )
        assert found.relative == pytest.approx(0.0907485213, abs=1e-6)


def test_the_overlay_is_a_histogram_of_bf16_codes():
    random = np.random.default_rng(5)
    old, new = (bf16(random.normal(size=(256, 256))) for _ in range(2))
    found = compare_tensors(stored(old, "BF16"), stored(new, "BF16")).values
    assert found.step == 1 and found.beyond == (0, 0)
    for bins, values in ((found.base, old), (found.candidate, new)):
        expected = np.histogram(values.astype(np.float64), 64, (found.low, found.high))[0]
        assert np.abs(np.subtract(bins, expected)).sum() <= 4  # equal to an edge's rounding


@pytest.mark.parametrize("columns", [640, 512, 441])
def test_large_matrices_show_a_share_of_every_column(columns):
    values = np.tile(np.arange(columns) * 16.0, (1600, 1))
    found = compare_tensors(stored(values, "F32"), stored(values + 1, "F32")).values
    assert 20 <= found.step < 32 and np.gcd(found.step, columns) == 1
    assert sum(found.base) == pytest.approx(1600 * columns / found.step, rel=0.01)
    assert min(found.base) > 0.6 * np.mean(found.base)


def test_outliers_do_not_squeeze_the_overlay():
    values = np.random.default_rng(1).normal(size=(200, 200))
    spiked = values.copy()
    spiked[3, 4] = 1e6
    found = compare_tensors(stored(values, "F32"), stored(spiked, "F32"))
    assert found.candidate.outlier > 190
    assert found.values.beyond[1] == 1 or found.values.high < 1e6


def test_octaves_of_known_changes():
    base = np.zeros((1, 5))
    found = compare_tensors(stored(base), stored([[0.5, 0.75, -4, 0, 1]])).change_octaves
    assert (found.first, found.counts) == (-1, (2, 1, 0, 1))


def test_octaves_of_a_large_tensor_miss_no_rare_change():
    base = np.ones((1000, 1000))
    changed = base.copy()
    changed[500, 499] = 1.25
    changed[7] += 0.125
    found = compare_tensors(stored(base, "BF16"), stored(changed, "BF16")).change_octaves
    assert (found.first, found.counts) == (-3, (1000, 1))


@pytest.mark.parametrize("dtype", ["BF16", "F16", "F32", "F64"])
def test_nan_and_inf_are_counted_and_left_out(dtype):
    bad = np.array(W1, dtype=float)
    bad[0, 1], bad[1, 0], bad[2, 2] = np.nan, np.inf, -np.inf
    found = compare_tensors(stored(W0, dtype), stored(bad, dtype))
    assert (found.base.nan, found.base.inf) == (0, 0)
    assert (found.candidate.nan, found.candidate.inf) == (1, 2)
    assert np.isfinite([found.change_norm, found.candidate.norm, found.cosine]).all()
    json.dumps(found.to_dict(), allow_nan=False)


def test_equal_nans_are_no_change():
    found = compare_tensors(stored([np.nan, 1.0], "F32"), stored([np.nan, 1.0], "F32"))
    assert (found.changed, found.base.nan, found.candidate.nan) == (0, 1, 1)


def test_minus_zero_is_other_bits_and_no_other_value():
    found = compare_tensors(stored([0.0, 1.0], "BF16"), stored([-0.0, 1.0], "BF16"))
    assert (found.changed, found.change_norm) == (1, 0)


@pytest.mark.parametrize("dtype", ["BF16", "F16"])
def test_a_cast_is_proven_bit_for_bit(dtype):
    old = stored(np.random.default_rng(2).normal(size=(90, 70)), "F32")
    new = stored(old.rows(0, 90), dtype)
    found = compare_tensors(old, new)
    assert found.is_cast
    assert found.relative <= {"BF16": 2**-8, "F16": 2**-11}[dtype]
    other = new.rows(0, 90).copy()
    other[8, 8] *= 1.02
    assert not compare_tensors(old, stored(other, dtype)).is_cast
    assert compare_tensors(new, stored(new.rows(0, 90), "F32")).is_cast


def test_integers_are_compared_as_codes():
    found = compare_tensors(stored([[1, 2], [3, 4]], "I64"), stored([[1, 2], [3, 9]], "I64"))
    assert (found.changed, found.max_change) == (1, 5)


@pytest.mark.parametrize("shape", [(0,), (0, 4), (4, 0), ()])
def test_nothing_and_scalars(shape):
    found = compare_tensors(stored(np.ones(shape)), stored(np.ones(shape)))
    assert found.changed == 0
    assert TensorStats.from_dict(json.loads(json.dumps(found.to_dict()))) == found


def test_equal_tensors_have_no_change():
    same = np.random.default_rng(3).normal(size=(50, 60))
    found = compare_tensors(stored(same, "BF16"), stored(same, "BF16"))
    assert (found.changed, found.change_norm, found.max_change) == (0, 0, 0)
    assert found.cosine == pytest.approx(1) and found.block is None and found.rows == ()


def test_the_same_bits_whatever_the_threads():
    random = np.random.default_rng(4)
    pair = [stored(random.normal(size=(3000, 400)), "BF16") for _ in range(2)]
    once, twice = (compare_tensors(*pair, threads=threads) for threads in (1, 3))
    assert once == twice


def test_pairs_come_back_in_order():
    pairs = [(stored(np.ones((9, size))), stored(np.full((9, size), 2.0))) for size in range(1, 40)]
    assert [found.shape[1] for found in compare_many(pairs)] == list(range(1, 40))


def test_shapes_must_agree():
    with pytest.raises(WeightsError, match="shapes_differ"):
        compare_tensors(stored([1.0]), stored([1.0, 2.0]))


def test_what_is_kept_says_which_program_wrote_it():
    found = compare_tensors(stored(W0), stored(W1))
    told = json.loads(json.dumps(found.to_dict()))
    assert TensorStats.from_dict(told) == found
    with pytest.raises(WeightsError, match="another_version"):
        TensorStats.from_dict(told | {"version": 0})


def test_a_file_that_ends_early_is_told():
    cut = replace(stored(W1), shape=(4, 3))
    with pytest.raises(WeightsError, match="file_cut_off"):
        compare_tensors(replace(stored(W0), shape=(4, 3)), cut)
