"""p-values that invert the bounds, and few changes that are not taken for certainty."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from training.statistics.binary import tango_interval
from training.statistics.evidence import (
    CautiousEvidence,
    ScoreEvidence,
    StudentEvidence,
    Unseen,
)
from training.statistics.intervals import Estimate, paired_estimate

levels = st.floats(0.001, 0.4)


def student(values):
    return StudentEvidence(paired_estimate(np.asarray(values, dtype=float)))


def cautious(values, size=1.0):
    values = np.asarray(values, dtype=float)
    return CautiousEvidence(student(values), Unseen(len(values), int((values != 0).sum()), size))


@given(st.integers(0, 40), st.integers(0, 40), levels)
def test_tangos_p_value_at_a_bound_is_the_level(gains, losses, alpha):
    evidence = ScoreEvidence(gains, losses, 200)
    bounds = evidence.interval(alpha)
    assert evidence.chance_above(bounds.lower) == pytest.approx(alpha, abs=1e-6)
    assert evidence.chance_below(bounds.upper) == pytest.approx(alpha, abs=1e-6)


@given(st.floats(-1, 1), st.floats(0.001, 1), st.integers(2, 500), levels)
def test_students_p_value_at_a_bound_is_the_level(delta, error, freedom, alpha):
    evidence = StudentEvidence(Estimate(delta, error, freedom, "paired_t"))
    bounds = evidence.interval(alpha)
    assert evidence.chance_above(bounds.lower) == pytest.approx(alpha, abs=1e-6)
    assert evidence.chance_below(bounds.upper) == pytest.approx(alpha, abs=1e-6)


@given(st.lists(st.sampled_from([0.0, 0.0, 0.0, 0.3, -0.2]), min_size=20, max_size=60), levels)
def test_cautious_p_values_at_the_bounds_are_the_level(values, alpha):
    evidence = cautious(values)
    bounds = evidence.interval(alpha)
    if bounds.upper > bounds.lower:
        assert evidence.chance_above(bounds.lower) == pytest.approx(alpha, abs=1e-6)
        assert evidence.chance_below(bounds.upper) == pytest.approx(alpha, abs=1e-6)


@pytest.mark.parametrize("n", [100, 250, 5000])
@pytest.mark.parametrize("alpha", [0.05, 0.0007])
def test_no_change_of_any_score_has_tangos_bounds_of_no_change(n, alpha):
    found, tango = cautious(np.zeros(n)).interval(alpha), tango_interval(0, 0, n, alpha=alpha)
    assert (found.lower, found.upper) == (
        pytest.approx(tango.lower, abs=1e-9), pytest.approx(tango.upper, abs=1e-9),
    )  # fmt: skip
    assert found.method == "paired_t_few_changes"
    assert found.standard_error > 0.0


def test_no_change_counts_by_how_far_a_score_can_change():
    wide = cautious(np.zeros(300), size=100.0).interval(0.05)
    assert wide.lower == pytest.approx(-0.89378722, abs=1e-6)


def test_a_few_losses_never_prove_more_than_none_at_all():
    for loss in (0.3, 0.5, 1.0):
        lower = [
            cautious([-loss] * losses + [0.0] * (200 - losses)).interval(0.05).lower
            for losses in range(10)
        ]
        assert max(lower[1:]) <= lower[0]


def test_ten_changes_are_enough_for_the_t_interval():
    values = [0.5] * 4 + [-0.5] * 6 + [0.0] * 190
    assert cautious(values).interval(0.05) == student(values).interval(0.05)


@given(st.lists(st.sampled_from([0.0, 0.5, -1.0]), min_size=5, max_size=50), levels)
def test_caution_only_widens(values, alpha):
    narrow, wide = student(values).interval(alpha), cautious(values).interval(alpha)
    assert wide.lower <= narrow.lower
    assert wide.upper >= narrow.upper


@given(st.lists(st.floats(-1, 1), min_size=3, max_size=50), levels)
def test_swapping_the_models_mirrors_everything(values, alpha):
    there, back = cautious(values), cautious(-np.asarray(values))
    one, other = there.interval(alpha), back.interval(alpha)
    assert one.lower == pytest.approx(-other.upper, abs=1e-9)
    assume(abs(there.delta) > 1e-6)
    assert there.chance_above(0.0) == pytest.approx(back.chance_below(0.0), abs=1e-9)


def test_impossible_changes_have_no_chance():
    evidence = ScoreEvidence(3, 4, 100)
    assert evidence.chance_above(1.0) == 1.0
    assert evidence.chance_below(1.5) == 0.0
    assert evidence.chance_above(-1.0) == 0.0
    still = student([0.1] * 5)
    assert still.chance_above(-1.0) == 0.0
    assert still.chance_above(1.0) == 1.0
