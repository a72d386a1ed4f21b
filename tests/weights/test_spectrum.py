"""Singular values, ranks, and the edge of rounding noise."""

from __future__ import annotations

import json

import numpy as np
import pytest

from reviews.weights import singular_values
from reviews.weights.errors import WeightsError
from reviews.weights.rounding import rounding_noise
from reviews.weights.spectrum import Spectrum, spectrum
from tests.weights.stored import bf16, stored
from tests.weights.test_tensor_stats import OUTER, W0, W1


@pytest.fixture
def gram(monkeypatch):
    """Matrices of the tests are small: have them go the way of larger ones."""
    monkeypatch.setattr(singular_values, "_SVD_SIDE", 0)


def planted(seed, relative, dtype="BF16", *, size=(1024, 1024), rank=16, weights=None):
    """W0, and W0 plus a random change of `rank` rounded to `dtype`."""
    random = np.random.default_rng(seed)
    base = bf16(random.normal(0, 0.02, size) if weights is None else weights).astype(np.float64)
    change = random.normal(size=(size[0], rank)) @ random.normal(size=(rank, size[1]))
    change *= relative * np.linalg.norm(base) / np.linalg.norm(change)
    return stored(base, dtype), stored(base + change, dtype)


def test_worked_values():
    found = spectrum(stored(W0), stored(W1))
    assert found.sigma[0] == pytest.approx(0.3, abs=1e-6)
    assert found.stable_rank == pytest.approx(1.5555555556, abs=1e-6)
    assert found.effective_rank == pytest.approx(2.7494592740, abs=1e-6)
    assert (found.numerical_rank, found.rank, found.undecidable) == (3, 3, None)


@pytest.mark.parametrize("dtype", ["F64", "F32"])
def test_all_three_ranks_of_an_adapter_merge_are_one(dtype):
    found = spectrum(stored(W0, dtype), stored(W0 + OUTER, dtype))
    assert found.stable_rank == pytest.approx(1, abs=1e-6)
    assert found.effective_rank == pytest.approx(1, abs=1e-5 if dtype == "F32" else 1e-6)
    assert found.rank == 1 and found.low_rank
    if dtype == "F64":
        assert found.numerical_rank == 1


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("relative", [0.003, 0.01, 0.1])
def test_rank_16_in_bf16_is_recovered_exactly(seed, relative):
    found = spectrum(*planted(seed, relative))
    assert (found.rank, found.undecidable, found.low_rank) == (16, None, True)
    assert found.numerical_rank > 1000  # which is why the edge is needed


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("relative", [0.001, 0.0003])
def test_a_change_smaller_than_rounding_cannot_be_told(seed, relative):
    found = spectrum(*planted(seed, relative))
    assert (found.rank, found.undecidable, found.low_rank) == (None, "below_rounding", False)


@pytest.mark.parametrize("seed", range(3))
def test_uneven_weights_keep_the_rank(seed):
    """Real weights have channels ten times as large as others, and heavy tails."""
    random = np.random.default_rng(100 + seed)
    weights = random.standard_t(4, (768, 512)) * 0.02
    weights[:, :6] *= 10
    weights[100:110] *= 5
    found = spectrum(*planted(seed, 0.01, size=(768, 512), weights=weights))
    assert found.rank == 16 and found.low_rank


@pytest.mark.parametrize(("dtype", "relative"), [("F32", 1e-5), ("F32", 0.05), ("F16", 0.003)])
@pytest.mark.parametrize("size", [(300, 400), (400, 300), (700, 96)])
def test_ranks_in_finer_dtypes(dtype, relative, size):
    found = spectrum(*planted(1, relative, dtype, size=size, rank=7))
    assert found.rank == 7 and found.low_rank


def test_bf16_numbers_saved_as_float32_are_known_by_their_bits():
    base, changed = planted(3, 0.003, size=(512, 512))
    widened = [stored(side.rows(0, 512), "F32") for side in (base, changed)]
    assert spectrum(*widened).rank == spectrum(base, changed).rank == 16


@pytest.mark.parametrize("size", [(400, 300), (300, 400)])
def test_no_draw_of_rounding_passes_the_edge(size):
    """Ten roundings of real numbers: each stays below the edge, and none far below it."""
    for seed in range(10):
        random = np.random.default_rng(seed)
        exact = random.normal(0, 0.02, size)
        rounded = bf16(exact).astype(np.float64)
        noise = rounding_noise(stored(exact), stored(rounded, "BF16"))
        largest = np.linalg.svd(rounded - exact, compute_uv=False)[0]
        assert 0.8 * noise.edge < largest < noise.edge
        assert noise.energy == pytest.approx(((rounded - exact) ** 2).sum(), rel=0.02)


def test_a_dense_change_has_no_low_rank():
    random = np.random.default_rng(0)
    base = stored(random.normal(0, 0.02, (256, 256)), "F32")
    dense = stored(base.rows(0, 256) + random.normal(0, 0.001, (256, 256)), "F32")
    found = spectrum(base, dense)
    assert (found.rank, found.low_rank) == (256, False)


def test_a_single_changed_row_is_judged_by_itself():
    """In a large embedding one row is far below the rounding of all the others."""
    values = bf16(np.random.default_rng(0).normal(0, 0.02, (20_000, 64)))
    changed = values.copy()
    changed[77] *= 1.05
    found = spectrum(stored(values, "BF16"), stored(changed, "BF16"))
    assert found.rank == 1


def test_nothing_changed():
    found = spectrum(stored(W0), stored(W0))
    assert (found.rank, found.numerical_rank, found.low_rank) == (0, 0, False)


@pytest.mark.parametrize("size", [(60, 90), (90, 60)])
def test_gram_and_svd_agree(gram, size):
    base, changed = planted(2, 0.5, "F32", size=size, rank=5)
    expected = np.linalg.svd(changed.rows(0, size[0]) - base.rows(0, size[0]), compute_uv=False)
    found = spectrum(base, changed)
    assert found.sigma[:5] == pytest.approx(expected[:5], rel=1e-6)
    assert found.rank == 5


@pytest.mark.parametrize("size", [(500, 400), (400, 500)])
def test_without_time_the_leading_part_is_computed(gram, size):
    base, changed = planted(2, 0.02, size=size)
    whole, part = spectrum(base, changed), spectrum(base, changed, budget_seconds=0)
    assert part.rank == whole.rank == 16
    assert part.sigma[:16] == pytest.approx(whole.sigma[:16], rel=1e-6)
    assert part.stable_rank == pytest.approx(whole.stable_rank, rel=1e-6)
    assert (part.effective_rank, part.numerical_rank) == (None, None)
    assert part == spectrum(base, changed, budget_seconds=0)


def test_more_directions_than_were_computed(gram):
    random = np.random.default_rng(0)
    base = stored(random.normal(0, 0.02, (400, 400)), "F32")
    dense = stored(base.rows(0, 400) + random.normal(0, 0.001, (400, 400)), "F32")
    found = spectrum(base, dense, budget_seconds=0)
    assert (found.rank, found.undecidable, found.at_least) == (None, "more_than", 128)


def test_factors_give_the_rank_of_an_adapter():
    random = np.random.default_rng(0)
    b, a = random.normal(size=(90, 8)), random.normal(size=(8, 50))
    a[7] = a[6]
    base = stored(random.normal(size=(90, 50)), "BF16")
    found = spectrum(base, base, factors=(b, a, 2.0))
    assert (found.rank, found.exact_factors, found.low_rank) == (7, True, True)
    expected = np.linalg.svd(2 * b @ a, compute_uv=False)
    assert found.sigma == pytest.approx(expected[:8], abs=1e-9)


def test_integers_and_broken_numbers():
    found = spectrum(stored([[1, 2], [3, 4]], "I32"), stored([[1, 2], [3, 5]], "I32"))
    assert (found.rank, found.undecidable) == (None, "unknown_rounding")
    broken = np.array(W1, dtype=float)
    broken[0, 0] = np.nan
    assert spectrum(stored(W0), stored(broken)).undecidable == "not_finite"


@pytest.mark.parametrize("broken", [np.nan, np.inf, 1e308])
def test_broken_factors_have_no_rank(broken):
    base = stored(np.ones((6, 5)))
    b, a = np.ones((6, 2)), np.ones((2, 5))
    b[3, 1] = a[1, 2] = broken
    found = spectrum(base, base, factors=(b, a, 2.0))
    assert (found.rank, found.undecidable, found.sigma) == (None, "not_finite", ())


def test_what_is_kept_says_which_program_wrote_it():
    found = spectrum(stored(W0), stored(W1))
    told = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert Spectrum.from_dict(told) == found
    with pytest.raises(WeightsError, match="another_version"):
        Spectrum.from_dict(told | {"version": 0})
