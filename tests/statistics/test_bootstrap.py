"""Resampling: worked values over all resamples, laws, and the delta method as a second path."""

from itertools import product

import numpy as np
import pytest
from scipy import stats

from training.statistics.bootstrap import (
    MINIMUM_REPLICATES,
    Resampled,
    change_of,
    influences,
    randomisation_p,
    replicates_for,
    resample,
)
from training.statistics.metrics import METRICS

F1 = METRICS["macro_f1"]
MEAN = METRICS["acc"]


def near(value):
    return pytest.approx(value, abs=1e-6)


def f1_sums(gold, answers):
    return np.array([[a * g, a, g] for g, a in zip(gold, answers, strict=True)], dtype=float)


def all_resamples(n):
    """How often each of n items is in each of the n^n resamples."""
    return np.array([np.bincount(draw, minlength=n) for draw in product(range(n), repeat=n)], float)


def corpus(n=400, classes=4, skill=0.7, seed=0):
    random = np.random.default_rng(seed)
    gold = np.random.default_rng(99).integers(0, classes, n)
    answers = np.where(random.random(n) < skill, gold, random.integers(0, classes, n))
    sums = np.zeros((n, 3 * classes))
    places = np.arange(n)
    sums[places, 3 * gold + 2] = 1
    sums[places, 3 * answers + 1] = 1
    sums[places[gold == answers], 3 * gold[gold == answers]] = 1
    return sums


def test_all_resamples_of_four_items_have_the_worked_values():
    base, candidate = f1_sums([1, 1, 0, 0], [1, 0, 0, 1]), f1_sums([1, 1, 0, 0], [1, 1, 0, 1])
    changes = change_of(F1, all_resamples(4), base, candidate)
    assert len(changes) == 4**4
    assert F1.value(base.sum(0)) == near(0.5)
    assert F1.value(candidate.sum(0)) == near(0.8)
    assert changes.mean() == near(0.3248883929)
    assert changes.std() == near(0.3010102715)
    assert (changes <= 0.0).mean() == near(0.31640625)


def test_the_bootstrap_of_a_mean_is_biased_low_by_the_factor_that_is_put_right():
    sums = np.array([[x, 1.0] for x in (0.0, 1.0, 1.0, 3.0)])
    values = change_of(MEAN, all_resamples(4), np.zeros((4, 2)), sums)
    assert values.std() == near(0.5448623679)
    assert Resampled(1.25, np.sort(values), units=4).standard_error == near(0.6291528696)


def test_sampled_resamples_come_close_to_all_of_them():
    base, candidate = f1_sums([1, 1, 0, 0], [1, 0, 0, 1]), f1_sums([1, 1, 0, 0], [1, 1, 0, 1])
    found = resample(F1, base, candidate, replicates=40_000)
    assert found.delta == near(0.3)
    assert found.values.mean() == pytest.approx(0.3248883929, abs=4 * 0.301 / 200)
    assert (found.values <= 0.0).mean() == pytest.approx(0.31640625, abs=4 * 0.465 / 200)


def test_equal_seeds_give_equal_numbers_and_other_seeds_other_ones():
    base, candidate = corpus(seed=1), corpus(seed=2)
    one, two = (resample(F1, base, candidate, seed=7, replicates=500) for _ in range(2))
    assert np.array_equal(one.values, two.values)
    other = resample(F1, base, candidate, seed=8, replicates=500)
    assert not np.array_equal(one.values, other.values)


def test_swapping_the_sides_mirrors_the_bounds():
    base, candidate = corpus(seed=1), corpus(seed=2, skill=0.75)
    there = resample(F1, base, candidate).interval(0.05)
    back = resample(F1, candidate, base).interval(0.05)
    assert (there.lower, there.upper) == (pytest.approx(-back.upper), pytest.approx(-back.lower))


def test_a_model_against_itself_never_changes():
    found = resample(F1, corpus(), corpus())
    assert found.delta == 0.0
    assert not found.values.any()


def test_the_bounds_are_the_order_statistics_that_the_p_values_count():
    found = resample(F1, corpus(seed=1), corpus(seed=2, skill=0.72))
    for alpha in (0.01, 0.05, 0.2):
        bounds = found.interval(alpha)
        assert found.chance_above(bounds.lower - 1e-12) <= alpha
        assert found.chance_above(bounds.lower + 1e-12) > alpha
        assert found.chance_below(bounds.upper + 1e-12) <= alpha
        assert found.chance_below(bounds.upper - 1e-12) > alpha


def test_no_p_value_is_below_what_the_resamples_can_show():
    found = resample(F1, corpus(skill=0.1), corpus(skill=0.95, seed=3), replicates=999)
    assert found.chance_above(0.0) == pytest.approx(1 / 1000)
    assert found.chance_below(0.0) == 1.0


def test_the_delta_method_agrees_with_the_bootstrap():
    base, candidate = corpus(n=2000, seed=1), corpus(n=2000, seed=2, skill=0.75)
    found = resample(F1, base, candidate, seed=3)
    moves = influences(F1, candidate) - influences(F1, base)
    expected = moves.std(ddof=1) / np.sqrt(len(moves))
    assert found.standard_error == pytest.approx(expected, rel=0.05)
    bounds = found.interval(0.05)
    assert bounds.lower == pytest.approx(found.delta - 1.645 * expected, abs=0.15 * expected)


def test_influences_of_a_mean_are_its_deviations():
    scores = np.array([0.2, 0.9, 0.4, 0.7])
    sums = np.column_stack((scores, np.ones(4)))
    assert influences(MEAN, sums) == pytest.approx(scores - scores.mean(), abs=1e-9)


def test_whole_clusters_are_drawn():
    random = np.random.default_rng(4)
    luck = np.repeat(random.normal(size=40), 10)
    base = np.column_stack((np.zeros(400), np.ones(400)))
    candidate = np.column_stack((luck, np.ones(400)))
    clusters = np.repeat(np.arange(40), 10)
    alone = resample(MEAN, base, candidate)
    whole = resample(MEAN, base, candidate, clusters)
    assert whole.method == "clustered_bootstrap"
    assert whole.units == 40
    assert whole.standard_error == pytest.approx(luck[::10].std(ddof=1) / np.sqrt(40), rel=0.05)
    assert whole.standard_error > 2.5 * alone.standard_error


def test_few_clusters_get_the_wider_percentiles_of_students_t():
    random = np.random.default_rng(5)
    sums = np.column_stack((random.normal(size=12), np.ones(12)))
    still = np.column_stack((np.zeros(12), np.ones(12)))
    found = resample(MEAN, still, sums, np.arange(12), replicates=200_000)
    error = sums[:, 0].std(ddof=1) / np.sqrt(12)
    reach = stats.t.ppf(0.95, 11) * error
    bounds = found.interval(0.05)
    assert bounds.upper - bounds.lower == pytest.approx(2 * reach, rel=0.06)


def test_a_level_beyond_the_resamples_takes_the_t_bounds():
    found = resample(F1, corpus(seed=1), corpus(seed=2))
    bounds = found.interval(1e-7)
    reach = stats.t.isf(1e-7, 399) * found.standard_error
    assert bounds.method == "bootstrap_t"
    assert bounds.lower == pytest.approx(found.delta - reach, rel=1e-6)


def test_small_levels_are_given_enough_resamples():
    assert replicates_for(0.05, 1000) == MINIMUM_REPLICATES
    assert replicates_for(0.000686895, 1000) * 0.000686895 > 10
    assert replicates_for(1e-9, 1000) == MINIMUM_REPLICATES


def test_swapping_models_at_random_has_the_exact_p_value_of_a_tiny_case():
    base = np.array([[0.0, 1.0]] * 6)
    candidate = np.array([[x, 1.0] for x in (1.0, 2.0, 3.0, 4.0, 5.0, -0.5)])
    signs = np.array(list(product((-1, 1), repeat=6)))
    exact = (np.abs(signs @ candidate[:, 0]) >= candidate[:, 0].sum() - 1e-9).mean()
    found = randomisation_p(MEAN, base, candidate, shuffles=40_000)
    assert found == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 40_000))


def test_swapping_models_at_random_shows_no_change_where_there_is_none():
    assert randomisation_p(F1, corpus(), corpus(), shuffles=99) == 1.0
    worse = randomisation_p(F1, corpus(skill=0.9), corpus(skill=0.4, seed=3), shuffles=999)
    assert worse == pytest.approx(1 / 1000)


def test_the_lower_bound_holds_as_often_as_it_says():
    held, tries = 0, 200
    for seed in range(tries):
        base, candidate = corpus(n=150, seed=2 * seed), corpus(n=150, seed=2 * seed + 1)
        found = resample(F1, base, candidate, seed=seed, replicates=999)
        held += found.interval(0.05).lower < 0.0
    assert held / tries == pytest.approx(0.95, abs=4 * (0.05 * 0.95 / tries) ** 0.5)
