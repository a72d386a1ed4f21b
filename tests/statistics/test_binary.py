"""Tango's interval and McNemar's test: worked values, laws, and exact sizes by enumeration."""

from math import exp, lgamma, log, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.statistics.binary import (
    mcnemar,
    restricted_estimate,
    score_statistic,
    tango_interval,
)
from training.statistics.quantiles import normal_quantile, t_upper
from training.statistics.verdicts import higher_is_better, label_of, verdict_of

counts = st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(0, 300)).map(
    lambda drawn: (drawn[0], drawn[1], drawn[0] + drawn[1] + drawn[2] + 1)
)


def near(value):
    return pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize(
    ("gains", "losses", "n", "margin", "q", "z", "lower", "upper", "verdict", "label"),
    [
        (48, 55, 1000, 0.02, 0.0626097316, 1.2697621780, -0.0239224502, 0.0097998588,
         "inconclusive", "no_significant_change"),
        (5, 9, 200, 0.02, 0.0450000000, 0.0000000000, -0.0542222180, 0.0117447030,
         "inconclusive", "no_significant_change"),
        (20, 70, 1000, 0.02, 0.0516857466, -3.2934934320, -0.0660856635, -0.0350161467,
         "fail", "regressed"),
        (0, 0, 300, 0.01, 0.0100000000, 1.7407765600, -0.0089378722, 0.0089378722,
         "pass", "no_significant_change"),
        (0, 0, 250, 0.01, 0.0100000000, 1.5891043150, -0.0107063083, 0.0107063083,
         "inconclusive", "no_significant_change"),
        (30, 18, 1200, 0.01, 0.0271610833, 3.2945841970, 0.0005174990, 0.0199512394,
         "pass", "improved"),
        (12, 31, 2000, 0.02, 0.0243529819, 2.7910352660, -0.0152863761, -0.0042452915,
         "pass", "regressed"),
    ],
)  # fmt: skip
def test_tango_has_its_worked_values(gains, losses, n, margin, q, z, lower, upper, verdict, label):
    assert restricted_estimate(gains, losses, n, -margin) == near(q)
    assert score_statistic(gains, losses, n, -margin) == near(z)
    found = tango_interval(gains, losses, n, alpha=0.05)
    assert (found.lower, found.upper) == (near(lower), near(upper))
    assert verdict_of(found.lower, found.upper, higher_is_better(margin)) == verdict
    assert label_of(found.lower, found.upper, higher_is_better(margin)) == label


def test_mcnemar_has_its_worked_values():
    found = mcnemar(gains=12, losses=20)
    assert found.two_sided == near(0.2153271497)
    assert found.harm == near(0.1076635749)
    assert found.mid_p == near(0.1627556575)


def test_mcnemar_without_any_change_shows_nothing():
    assert mcnemar(0, 0).two_sided == 1.0


def test_mcnemar_bears_thousands_of_changes():
    assert mcnemar(5000, 5000).two_sided == 1.0
    assert 0.0 <= mcnemar(4000, 6000).two_sided < 1e-80


@given(counts)
def test_swapping_the_models_mirrors_the_bounds(drawn):
    gains, losses, n = drawn
    one = tango_interval(gains, losses, n, alpha=0.05)
    other = tango_interval(losses, gains, n, alpha=0.05)
    assert one.lower == pytest.approx(-other.upper, abs=1e-9)
    assert -1.0 <= one.lower <= one.delta <= one.upper <= 1.0


@given(counts)
def test_one_more_gain_never_lowers_a_bound(drawn):
    gains, losses, n = drawn
    before = tango_interval(gains, losses, n + 1, alpha=0.05)
    after = tango_interval(gains + 1, losses, n + 1, alpha=0.05)
    assert after.lower >= before.lower - 1e-12
    assert after.upper >= before.upper - 1e-12


@given(counts, st.floats(0.001, 0.5))
def test_the_bound_passes_exactly_when_the_score_test_does(drawn, margin):
    gains, losses, n = drawn
    z = score_statistic(gains, losses, n, -margin)
    lower = tango_interval(gains, losses, n, alpha=0.05).lower
    if abs(z - normal_quantile(0.95)) > 1e-6:
        assert (lower > -margin) == (z > normal_quantile(0.95))


@given(counts, st.floats(-0.99, 0.99), st.floats(-0.99, 0.99))
def test_the_score_statistic_falls_as_the_assumed_difference_rises(drawn, one, other):
    low, high = sorted((one, other))
    assert score_statistic(*drawn, low) >= score_statistic(*drawn, high) - 1e-9


def t_form(gains, losses, n, margin):
    """M2 on right/wrong items: passes too often where few items differ."""
    delta = (gains - losses) / n
    error = sqrt(((gains + losses) / n - delta**2) / (n - 1))
    return delta - t_upper(0.05, n - 1) * error > -margin


RULES = {
    "t": t_form,
    "tango": lambda g, lo, n, m: score_statistic(g, lo, n, -m) > normal_quantile(0.95),
    "no_significant_drop": lambda g, lo, n, m: mcnemar(g, lo).two_sided >= 0.05,
    "did_not_drop": lambda g, lo, n, m: g >= lo,
}


def passing_share(rule, n, margin, discordance, delta):
    """The exact probability that `rule` passes, over every count that matters above 1e-14."""
    gain, loss = (discordance + delta) / 2, (discordance - delta) / 2
    total = 0.0
    for changed in range(n + 1):
        rest = lgamma(n + 1) - lgamma(n - changed + 1) + (n - changed) * log(1 - discordance)
        if rest - lgamma(changed + 1) + changed * log(discordance) < -32:
            continue
        for gains in range(changed + 1):
            losses = changed - gains
            ways = rest - lgamma(gains + 1) - lgamma(losses + 1)
            chance = exp(ways + gains * log(gain) + losses * log(loss))
            if chance > 1e-14 and RULES[rule](gains, losses, n, margin):
                total += chance
    return total


@pytest.mark.parametrize(
    ("n", "discordance", "rule", "worse_passes", "equal_passes"),
    [
        (200, 0.06, "tango", 0.0467, 0.2824),
        (200, 0.06, "no_significant_drop", 0.8658, 0.9756),
        (200, 0.06, "did_not_drop", 0.1530, 0.5581),
        (1000, 0.10, "tango", 0.0491, 0.6308),
        (1000, 0.10, "no_significant_drop", 0.5213, 0.9605),
        (1000, 0.10, "did_not_drop", 0.0249, 0.5200),
    ],
)
def test_how_often_each_rule_passes(n, discordance, rule, worse_passes, equal_passes):
    margin = 0.02
    assert passing_share(rule, n, margin, discordance, -margin) == pytest.approx(
        worse_passes, abs=5.1e-5
    )
    assert passing_share(rule, n, margin, discordance, 0.0) == pytest.approx(
        equal_passes, abs=5.1e-5
    )


@pytest.mark.parametrize(("rule", "size"), [("tango", 0.0449), ("t", 0.0672)])
def test_the_exact_size_at_a_hundred_items_is_below_alpha_for_tango_alone(rule, size):
    found = passing_share(rule, 100, 0.05, 0.10, -0.05)
    assert found == pytest.approx(size, abs=5.1e-5)
