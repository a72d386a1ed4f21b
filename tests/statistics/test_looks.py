"""The boundaries of looks: the tables of gate-methods section 5, and laws of spending."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.statistics import looks
from training.statistics.quantiles import normal_quantile

EQUAL = (1 / 3, 2 / 3, 1.0)


def near(value):
    return pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize(
    ("alpha", "spending", "shares", "published"),
    [
        (0.05, "pocock", EQUAL, [1.992192, 1.992192, 1.992192]),
        (0.05, "obrien_fleming", EQUAL, [2.961125, 2.093831, 1.709606]),
        (0.05, "lan_demets", EQUAL, [3.200102, 2.140815, 1.694812]),
        (0.05, "lan_demets", (0.25, 0.6, 1.0), [3.749552, 2.277935, 1.679574]),
        (0.025, "pocock", EQUAL, [2.289478, 2.289478, 2.289478]),
        (0.025, "obrien_fleming", EQUAL, [None, 2.454432, 2.004036]),
        (0.025, "lan_demets", EQUAL, [None, 2.511427, 1.993047]),
    ],
)
def test_boundaries_have_their_worked_values(alpha, spending, shares, published):
    found = looks.boundaries(shares, alpha, spending)
    for got, want in zip(found, published, strict=True):
        assert want is None or got == near(want)


@pytest.mark.parametrize(
    ("count", "passes"), [(3, 0.1010539588), (5, 0.1299704579), (10, 0.1717556017)]
)
def test_repeating_a_test_passes_more_harm_than_it_says(count, passes):
    shares = [number / count for number in range(1, count + 1)]
    assert sum(looks.crossing(shares, [normal_quantile(0.95)] * count)) == near(passes)


def test_the_spending_function_has_its_worked_values():
    spent = [looks.spent(share, 0.05) for share in EQUAL]
    assert spent == [near(0.000686895), near(0.016374666), near(0.05)]


def test_one_look_is_the_fixed_test():
    for spending in ("lan_demets", "pocock", "obrien_fleming"):
        assert looks.boundaries([1.0], 0.05, spending) == [near(1.644853627)]


shares = st.lists(st.integers(2, 99), min_size=0, max_size=4, unique=True).map(
    lambda drawn: [*(each / 100 for each in sorted(drawn)), 1.0]
)


@settings(max_examples=25, deadline=None)
@given(shares, st.sampled_from(["lan_demets", "pocock", "obrien_fleming"]))
def test_all_looks_together_spend_exactly_alpha(drawn, spending):
    assert sum(looks.crossing(drawn, looks.boundaries(drawn, 0.05, spending))) == pytest.approx(
        0.05, abs=1e-9
    )


@settings(max_examples=25, deadline=None)
@given(shares)
def test_a_stop_for_harm_never_passes_more(drawn):
    edges = looks.boundaries(drawn, 0.05)
    stopping = looks.crossing(drawn, edges, [-edge for edge in edges])
    assert sum(stopping) <= 0.05 + 1e-9


def test_levels_keep_their_digits_far_out():
    assert looks.level(1.644853627) == near(0.05)
    assert looks.level(10.0) == pytest.approx(7.619853024160527e-24, rel=1e-9)


def test_strict_attempts_spend_no_more_than_alpha_together():
    spent = sum(looks.strict_alpha(0.05, attempt) for attempt in range(1, 20_000))
    assert 0.0499 < spent < 0.05
    assert looks.strict_alpha(0.05, 1) == near(0.0303963551)


def test_counts_are_whole_rising_and_end_with_all():
    assert looks.counts(2141) == [714, 1428, 2141]
    assert looks.counts(300) == [100, 200, 300]
    assert looks.counts(2, (0.1, 0.2, 0.9, 1.0)) == [1, 1, 2, 2]


def test_a_plan_has_the_boundaries_of_the_shares_that_whole_items_make():
    plan = looks.plan(2141, EQUAL)
    assert [look.count for look in plan] == [714, 1428, 2141]
    edges = looks.boundaries([714 / 2141, 1428 / 2141, 1.0], 0.05)
    assert [look.boundary for look in plan] == edges
    assert [look.alpha for look in plan] == [looks.level(edge) for edge in edges]


@pytest.mark.parametrize("wrong", [[], [0.5], [0.5, 0.5, 1.0], [0.0, 1.0], [0.6, 0.4, 1.0]])
def test_shares_that_do_not_rise_to_one_are_refused(wrong):
    with pytest.raises(ValueError, match="shares"):
        looks.boundaries(wrong, 0.05)


def test_what_no_look_can_have_is_refused():
    with pytest.raises(ValueError, match="spending"):
        looks.boundaries([1.0], 0.05, "naive")
    with pytest.raises(ValueError, match="alpha"):
        looks.boundaries([1.0], 0.6)
    with pytest.raises(ValueError, match="Attempts"):
        looks.strict_alpha(0.05, 0)
