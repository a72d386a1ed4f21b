"""The worked values of gate-methods, section 10, and the laws of merging."""

from math import sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from reviews.weights.merging import choosing
from reviews.weights.merging.barrier import loss_barrier
from reviews.weights.merging.choosing import Drawn, largest
from reviews.weights.merging.formulas import (
    Products,
    elect,
    join_factors,
    kept_count,
    linear,
    rescale_kept,
    slerp_shares,
    stock_ratio,
    task_arithmetic,
    toward,
    weighted_sum,
)

BASE = np.ones(4)
MODELS = [np.array(each) for each in ([1.5, 0.8, 1, 0.6], [1.3, 1.4, 0.9, 1.2], [0.7, 1.1, 1, 0.7])]
DELTAS = [model - BASE for model in MODELS]
ONES = [1.0, 1.0, 1.0]


def near(want):
    return pytest.approx(want, abs=1e-9, rel=1e-9)


def trimmed(delta, density):
    chosen = largest(lambda: iter([delta]), kept_count(density, len(delta)))
    return delta * chosen.kept(delta, 0)


def stock(base, models):
    products = Products.none(len(models))
    products.add([model - base for model in models])
    return stock_ratio(products)


def slerp(u, v, t):
    u, v = np.array(u, float), np.array(v, float)
    return weighted_sum([u, v], slerp_shares(u @ v, (sqrt(u @ u), sqrt(v @ v)), t))


def test_linear_is_the_mean():
    want = [1.1666666667, 1.1, 0.9666666667, 0.8333333333]
    assert linear(MODELS, ONES) == pytest.approx(want, abs=1e-9)


def test_task_arithmetic_adds_what_changed():
    assert task_arithmetic(BASE, DELTAS, ONES, scale=0.5) == near([1.25, 1.15, 0.95, 0.75])


def test_ties_keeps_the_large_and_averages_the_agreeing():
    agreed = elect([trimmed(delta, 0.5) for delta in DELTAS], ONES)
    assert BASE + agreed == near([1.4, 1.4, 1, 0.65])


def test_a_sum_of_zero_elects_plus():
    assert elect([np.array([0.5]), np.array([-0.5])], [1, 1]).tolist() == [0.5]


def test_dare_doubles_what_half_the_drops_leave():
    kept = np.array([True, False, True, False])
    assert BASE + rescale_kept(DELTAS[0], kept, 0.5) == near([2, 1, 1, 1])


def test_slerp_follows_the_arc():
    quarter = [0.9238795325, 0.3826834324]
    assert slerp([1, 0], [0, 1], 0.25) == pytest.approx(quarter, abs=1e-9)
    half = [1.6235883, 0.5411961001, 0]
    assert slerp([2, 0, 0], [1, 1, 0], 0.5) == pytest.approx(half, abs=1e-7)


@pytest.mark.parametrize("v", [[1.0, 0.01], [-1.0, 0.01], [0.0, 0.0]])
def test_slerp_is_straight_between_parallel_vectors(v):
    assert slerp([1, 0], v, 0.25) == near(0.75 * np.array([1, 0]) + 0.25 * np.array(v))


def test_model_stock_goes_as_far_as_the_models_agree():
    ratio = stock(np.zeros(2), [np.array([1.0, 0]), np.array([0.5, sqrt(3) / 2])])
    assert ratio == pytest.approx(0.6666666667, abs=1e-9)


def test_model_stock_stays_at_the_base_where_deltas_cancel():
    assert stock(np.zeros(1), [np.array([1.0]), np.array([-1.0])]) == 0


def test_lora_products_are_averaged_and_not_factors():
    first = np.array([[1.0], [0]]), np.array([[1.0, 0]])
    second = np.array([[0.0], [1]]), np.array([[0, 1.0]])
    up, down = join_factors([first, second], [0.5, 0.5])
    assert (up.shape, down.shape) == ((2, 2), (2, 2))
    assert (up @ down).tolist() == [[0.5, 0], [0, 0.5]]
    factors = [(a + b) / 2 for a, b in zip(first, second, strict=True)]
    assert (factors[0] @ factors[1]).tolist() == [[0.25, 0.25], [0.25, 0.25]]


def test_the_barrier_is_the_hill_above_the_line():
    losses = dict(zip([0, 0.25, 0.5, 0.75, 1], [2.0, 2.3, 2.5, 2.2, 2.1], strict=True))
    assert loss_barrier(losses) == near(0.45)
    assert loss_barrier({0: 2.0, 0.5: 1.0, 1: 2.0}) == 0


@pytest.mark.parametrize("losses", [{0: 1.0}, {1: 1.0}, {0: 1.0, 1: 1.0, 2: 1.0}, {}])
def test_a_barrier_needs_both_ends(losses):
    with pytest.raises(ValueError, match=r"ends|alpha"):
        loss_barrier(losses)


numbers = st.floats(-100, 100, width=32)
shares = st.floats(0.125, 8)
vectors = st.integers(1, 12).flatmap(lambda n: arrays(np.float64, n, elements=numbers))
several = st.integers(1, 12).flatmap(
    lambda n: st.lists(arrays(np.float64, n, elements=numbers), min_size=2, max_size=5)
)
law = settings(max_examples=150, deadline=None)


@law
@given(vectors, st.lists(shares, min_size=1, max_size=5))
def test_a_model_merged_with_itself_is_itself(model, weights):
    copies = [model] * len(weights)
    assert linear(copies, weights) == near(model)
    whole = sum(weights)
    zero = np.zeros_like(model)
    told = task_arithmetic(zero, copies, [each / whole for each in weights])
    assert told == near(model)
    assert elect(copies, weights) == near(model)
    if len(copies) > 1:
        assert toward(zero, copies, stock(zero, copies)) == near(model)
    assert slerp(model, model, 0.3) == near(model)


@law
@given(several, st.data())
def test_only_the_ratio_of_weights_counts(models, data):
    weights = data.draw(st.lists(shares, min_size=len(models), max_size=len(models)))
    doubled = [2 * each for each in weights]
    assert linear(models, weights) == near(linear(models, doubled))
    lows, highs = np.min(models, axis=0), np.max(models, axis=0)
    merged = linear(models, weights)
    assert np.all(merged >= lows - 1e-9) and np.all(merged <= highs + 1e-9)


@law
@given(several, st.randoms(use_true_random=False))
def test_the_order_of_models_does_not_matter(models, random):
    weights = [1.0 + at for at in range(len(models))]
    mixed = list(zip(models, weights, strict=True))
    random.shuffle(mixed)
    others, their_weights = map(list, zip(*mixed, strict=True))
    base = np.zeros_like(models[0])
    assert linear(models, weights) == near(linear(others, their_weights))
    assert task_arithmetic(base, models, weights) == near(
        task_arithmetic(base, others, their_weights)
    )
    # Sums in another order round differently: only a sign that is clear must be the same.
    clear = np.abs(weighted_sum(models, weights)) > 1e-9
    assert elect(models, weights)[clear] == near(elect(others, their_weights)[clear])
    assert stock(base, models) == pytest.approx(stock(base, others), rel=1e-6, abs=1e-6)


@law
@given(vectors, st.integers(2, 4), st.floats(-2, 2))
def test_models_that_changed_nothing_give_the_base(base, count, scale):
    deltas = [np.zeros_like(base)] * count
    assert np.array_equal(task_arithmetic(base, deltas, [1.0] * count, scale=scale), base)
    assert not elect(deltas, [1.0] * count).any()
    assert toward(base, [base] * count, stock(base, [base] * count)) == near(base)


@law
@given(
    st.integers(1, 400).flatmap(lambda n: arrays(np.float32, n, elements=numbers)),
    st.floats(0.01, 1),
    st.integers(1, 50),
    st.sampled_from([np.float32, np.float64]),
)
def test_the_largest_are_those_that_sorting_finds(values, density, size, floats):
    delta = values.astype(floats)
    keep = kept_count(density, len(delta))
    pieces = [(start, delta[start : start + size]) for start in range(0, len(delta), size)]
    chosen = largest(lambda: iter([piece for _, piece in pieces]), keep)
    got = np.concatenate([chosen.kept(piece, start) for start, piece in pieces])
    want = np.zeros(len(delta), dtype=bool)
    want[np.argsort(-np.abs(delta), kind="stable")[:keep]] = True
    assert np.array_equal(got, want)


@pytest.mark.parametrize("floats", [np.float32, np.float64])
@pytest.mark.parametrize("keep", [1, 40, 60_000, 119_999, 120_000])
@pytest.mark.parametrize(
    "make",
    [
        lambda random: random.normal(size=120_000),
        lambda random: random.normal(size=120_000).round(1),
        lambda random: np.zeros(120_000),
        lambda random: np.where(random.random(120_000) < 0.3, random.normal(size=120_000), 0),
        # What is sampled is nothing like the rest: the count of digits has to find it.
        lambda random: np.where(np.arange(120_000) % 61 == 0, 9, random.normal(size=120_000)),
    ],
)
def test_the_largest_of_many_are_found_whatever_they_look_like(make, keep, floats):
    delta = make(np.random.default_rng(3)).astype(floats)
    chosen = largest(lambda: iter(np.split(delta, 4)), keep)
    order = np.argsort(-np.abs(delta), kind="stable")
    want = np.zeros(len(delta), dtype=bool)
    want[order[:keep]] = True
    assert chosen.magnitude == np.abs(delta[order[keep - 1]])
    parts = [chosen.kept(piece, 30_000 * at) for at, piece in enumerate(np.split(delta, 4))]
    assert np.array_equal(np.concatenate(parts), want)


def test_too_many_equal_magnitudes_are_counted_and_not_held(monkeypatch):
    monkeypatch.setattr(choosing, "_MOST_BETWEEN", 1_000)
    delta = np.random.default_rng(4).normal(size=50_000).round(1).astype(np.float32)
    chosen = largest(lambda: iter([delta]), 20_000)
    assert chosen.kept(delta, 0).sum() == 20_000
    assert chosen.magnitude == np.sort(np.abs(delta))[-20_000]


def test_lots_are_alike_in_any_pieces_and_fair():
    drawn = Drawn.of(0.3, 7, "digest", "name")
    whole = drawn.kept(np.empty(100_000), 0)
    parts = [drawn.kept(np.empty(stop - start), start) for start, stop in
             [(0, 5), (5, 8), (8, 4_099), (4_099, 100_000)]]  # fmt: skip
    assert np.array_equal(np.concatenate(parts), whole)
    assert whole.mean() == pytest.approx(0.3, abs=5 * sqrt(0.21 / 100_000))
    other = Drawn.of(0.3, 7, "digest", "another name").kept(np.empty(100_000), 0)
    assert (whole & other).mean() == pytest.approx(0.09, abs=0.006)


def test_dropping_leaves_the_expectation():
    delta = np.ones(100_000)
    kept = rescale_kept(delta, Drawn.of(0.2, 1, "", "").kept(delta, 0), 0.2)
    assert kept.mean() == pytest.approx(1, abs=5 * sqrt(4 / 100_000))
