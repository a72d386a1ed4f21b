"""Numbers beside the verdict: memorisation, noise, agreement, calibration, averages, seeds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import cohen_kappa_score

from training.statistics.agreement import agreement, noise_floor, noise_of, overlap
from training.statistics.calibration import bins, ece
from training.statistics.intervals import Interval, averaged, paired_interval, with_seeds
from training.statistics.memorisation import memorised_jump, min_k, shown_score


def near(value):
    return pytest.approx(value, abs=1e-6)


LOGPROBS = [-0.1, -0.2, -3, -0.5, -7, -0.05, -1.2, -0.3, -0.4, -2.5]


def test_min_k_has_its_worked_value():
    assert min_k(LOGPROBS, 0.2) == near(-5.0)


@given(st.lists(st.floats(-20, 0), min_size=1, max_size=50), st.floats(0.01, 1.0))
def test_min_k_lies_between_the_lowest_and_the_mean(logprobs, k):
    assert min(logprobs) - 1e-9 <= min_k(logprobs, k) <= np.mean(logprobs) + 1e-9


def test_min_k_of_nothing_is_refused():
    with pytest.raises(ValueError, match="Min-k"):
        min_k([])


def test_a_jump_on_public_items_alone_is_flagged():
    luck = np.random.default_rng(1)
    public, fresh = luck.normal(0.4, 0.3, 80), luck.normal(0.0, 0.3, 60)
    found = memorised_jump(public, fresh)
    assert found.flagged
    expected = stats.ttest_ind(public, fresh, equal_var=False, alternative="greater").pvalue
    assert found.p_value == pytest.approx(expected, rel=0.02)
    assert not memorised_jump(fresh, public).flagged


def test_a_rise_everywhere_is_no_jump():
    luck = np.random.default_rng(2)
    assert not memorised_jump(luck.normal(0.4, 0.3, 80), luck.normal(0.4, 0.3, 60)).flagged
    assert not memorised_jump([0.1] * 5, [0.1] * 5).flagged


def test_a_jump_of_single_items_is_refused():
    with pytest.raises(ValueError, match="2 public"):
        memorised_jump([0.1], [0.1, 0.2])


@pytest.mark.parametrize(("score", "shown"), [(0.7349, 0.73), (0.7351, 0.74), (0.74, 0.74)])
def test_scores_are_shown_in_steps_of_half_the_margin(score, shown):
    assert shown_score(score, 0.02) == pytest.approx(shown)


def test_the_noise_floor_has_its_worked_value():
    assert noise_floor(10, 1000) == near(0.0031622777)


def test_the_noise_of_right_and_wrong_items_is_the_noise_floor():
    first = np.ones(1000)
    second = first.copy()
    second[:10] = 0.0
    assert noise_of(first, second) == near(noise_floor(10, 1000))
    assert noise_of(first, first - 0.001) == near(0.001 / 1000**0.5)


@pytest.mark.parametrize(("flips", "n"), [(1, 0), (-1, 10), (11, 10)])
def test_a_noise_floor_of_no_items_is_refused(flips, n):
    with pytest.raises(ValueError, match="noise floor"):
        noise_floor(flips, n)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=3, max_size=60))
def test_agreement_is_that_of_scikit_learn(pairs):
    one, other = ([pair[side] for pair in pairs] for side in (0, 1))
    found = agreement(one, other)
    assert found.share == sum(a == b for a, b in pairs) / len(pairs)
    if found.kappa is None:
        assert len(set(one) | set(other)) == 1
    else:
        assert found.kappa == near(cohen_kappa_score(one, other))


def test_agreement_of_different_items_is_refused():
    with pytest.raises(ValueError, match="same items"):
        agreement([1, 2], [1])
    with pytest.raises(ValueError, match="items"):
        noise_of([], [])


def test_the_overlap_counts_every_item_once():
    found = overlap([1, 1, 0, 0, 1], [1, 0, 1, 0, 1])
    assert (found.both, found.only_base, found.only_candidate, found.neither) == (2, 1, 1, 1)


def test_calibration_bins_hold_their_own_edge():
    found = bins([0.0, 0.1, 0.1000001, 0.95, 1.0], [0, 0, 1, 1, 0])
    assert [each.n for each in found] == [2, 1, 0, 0, 0, 0, 0, 0, 0, 2]
    assert found[0].confidence == near(0.05)
    assert found[9].accuracy == near(0.5)
    assert (found[5].confidence, found[5].accuracy) == (None, None)


def test_the_expected_calibration_error_has_its_value_by_hand():
    # Two bins: |0.75 - 0.5| over 2 items and |0.95 - 1| over 2 items.
    assert ece([0.72, 0.78, 0.94, 0.96], [1, 0, 1, 1]) == near(0.15)


def test_a_model_that_knows_how_sure_to_be_has_no_error():
    luck = np.random.default_rng(3)
    sure = luck.random(200_000)
    assert ece(sure, luck.random(200_000) < sure) < 0.005
    assert ece([], []) == 0.0


@pytest.mark.parametrize("sure", [[1.2], [-0.1], [float("nan")]])
def test_a_confidence_that_is_none_is_refused(sure):
    with pytest.raises(ValueError, match="between 0 and 1"):
        bins(sure, [1])


def test_calibration_of_different_lists_is_refused():
    with pytest.raises(ValueError, match="every confidence"):
        bins([0.5], [1, 0])


def test_an_average_of_tasks_adds_their_variances():
    found = averaged([0.02, -0.01, 0.05], [0.01, 0.02, 0.02], alpha=0.05)
    assert found.delta == near(0.02)
    assert found.standard_error == near(0.01)  # sqrt(1 + 4 + 4) / 3 hundredths
    assert found.lower == near(0.02 - 1.644853627 * 0.01)


def test_seeds_add_the_spread_between_them():
    items = paired_interval(np.random.default_rng(4).normal(0.01, 0.1, 400), alpha=0.05)
    found = with_seeds(items, [0.01, 0.03, 0.02], alpha=0.05)
    error = (items.standard_error**2 + 0.01**2 / 3) ** 0.5
    assert (found.delta, found.standard_error) == (near(0.02), near(error))
    assert found.lower == near(0.02 - stats.t.ppf(0.95, 2) * error)


def test_two_seeds_judge_no_recipe():
    items = Interval(0.0, -0.1, 0.1, "paired_t", 0.05, 100)
    with pytest.raises(ValueError, match="3 seeds"):
        with_seeds(items, [0.01, 0.02], alpha=0.05)
