"""The calculator of the gate editor: what it promises, and that it promises no more."""

from itertools import pairwise
from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from training.statistics import looks
from training.statistics.planning import Plan, needed, plan
from training.statistics.power import detection_items, provable_margin
from training.statistics.quantiles import normal_quantile

EQUAL = (1 / 3, 2 / 3, 1.0)


def test_one_look_is_close_to_the_plain_formula_and_never_below_it():
    for n in (200, 1000, 5000):
        promised = plan(n, 0.10)
        assert provable_margin(0.10, n) < promised < 1.08 * provable_margin(0.10, n)


def test_a_thousand_items_prove_two_and_a_half_points():
    assert round(100 * plan(1000, 0.10), 1) == 2.5


def test_looks_cost_a_little_and_pocock_more():
    fixed, looking = plan(2000, 0.10), plan(2000, 0.10, shares=EQUAL)
    assert fixed < looking < 1.03 * fixed
    assert plan(2000, 0.10, shares=EQUAL, spending="pocock") > 1.05 * fixed


def test_graded_scores_take_the_t_quantile():
    margin = plan(100, spread=0.3)
    reach = stats.t.ppf(0.95, 99) + normal_quantile(0.8)
    assert margin == pytest.approx(reach * 0.3 / 10, rel=1e-3)


def test_no_margin_is_promised_that_no_change_at_all_could_not_prove():
    assert plan(300, 1e-12) == pytest.approx(2.705543 / 302.705543, rel=1e-3)
    assert needed(0.01, 1e-12) == pytest.approx(2.705543 * 99, abs=1)


def test_clusters_prove_no_more_than_their_number():
    assert plan(1000, 0.10, clusters=50, design_effect=3.0) > 1.7 * plan(1000, 0.10)
    assert plan(5000, 0.01, clusters=20) == pytest.approx(2.705543 / 22.705543, abs=1e-6)


def test_a_true_loss_inside_the_margin_needs_more_items():
    assert needed(0.02, 0.10, delta=-0.005) > 1.7 * needed(0.02, 0.10)
    assert needed(0.02, 0.10, delta=-0.02) is None
    assert needed(0.02, 0.10, delta=-0.03) is None


@pytest.mark.parametrize("shares", [(1.0,), EQUAL])
def test_a_score_with_a_target_passes_as_often_as_promised(shares):
    """An equal model is held at both ends of what is allowed, by the rule itself."""
    n, trials, spread = 400, 4000, 0.3
    margin = plan(n, spread=spread, shares=shares, two_sided=True)
    random = np.random.default_rng(7)
    means = np.cumsum(random.normal(0.0, spread, (trials, n)), axis=1)
    passed, going = np.zeros(trials, bool), np.ones(trials, bool)
    for look in looks.plan(n, shares):
        mean, error = means[:, look.count - 1] / look.count, spread / np.sqrt(look.count)
        reach = stats.t.ppf(1 - look.alpha, look.count - 1) * error
        inside = (mean - reach > -margin) & (mean + reach < margin)
        outside = (mean + reach <= -margin) | (mean - reach >= margin)
        passed |= going & inside
        going &= ~(inside | outside)
    assert passed.mean() == pytest.approx(0.8, abs=3 * np.sqrt(0.16 / trials))
    assert margin > 1.1 * plan(n, spread=spread, shares=shares)
    wanted = needed(margin + 1e-8, spread=spread, shares=shares, two_sided=True)
    assert wanted == pytest.approx(n, abs=2)


def test_hopeless_wishes_are_said_to_be_so():
    assert plan(2, 0.9, power=0.999) == inf
    assert needed(1e-7, 0.5) is None


@settings(max_examples=25, deadline=None)
@given(
    st.integers(100, 20_000),
    st.floats(0.02, 0.5),
    st.sampled_from([(1.0,), EQUAL, (0.25, 0.6, 1.0)]),
    st.sampled_from([0.8, 0.9]),
)
def test_items_for_a_margin_are_the_items_it_came_from(n, discordance, shares, power):
    margin = plan(n, discordance, power=power, shares=shares)
    again = needed(margin + 1e-8, discordance, power=power, shares=shares)
    assert again == pytest.approx(n, abs=2)


@settings(max_examples=25, deadline=None)
@given(st.floats(0.02, 0.5), st.floats(0.005, 0.1))
def test_more_items_pass_an_equal_model_more_often(discordance, margin):
    expected = Plan(discordance, shares=EQUAL)
    chances = [expected.chance_of_passing(n, margin) for n in (100, 300, 1000, 3000)]
    assert all(few <= many + 1e-9 for few, many in pairwise(chances))
    assert 0.0 <= chances[0] <= chances[-1] <= 1.0 + 1e-9


@pytest.mark.parametrize(
    "values", [{"spread": 0.2}, {"discordance": None}, {"discordance": 0.0}, {"design_effect": 0.0}]
)
def test_a_plan_of_nothing_is_refused(values):
    with pytest.raises(ValueError, match="plan"):
        Plan(**values)


def test_detection_counts_samples_by_their_noise():
    # (1.959964 + 0.841621)² · (0.1 + 0.2/4 + 0.2/2) / 0.05²
    found = detection_items(0.1, 0.05, sampling=(0.2, 0.2), samples=(4, 2))
    assert found == pytest.approx(784.887973, rel=1e-6)
