"""Bounds against values computed with numpy and scipy beside a second implementation."""

from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.statistics.intervals import (
    clustered_interval,
    paired_interval,
    ratio_interval,
    standard_error,
)

BASE = [0.62, 0.71, 0.55, 0.80, 0.43, 0.91, 0.38, 0.66]
CANDIDATE = [0.60, 0.74, 0.50, 0.82, 0.41, 0.90, 0.40, 0.61]
differences = st.lists(st.floats(-1, 1), min_size=3, max_size=40)


def near(value):
    return pytest.approx(value, abs=1e-6)


def test_the_standard_error_of_a_mean_uses_n_minus_one():
    assert standard_error([0.0, 1.0, 1.0, 3.0]) == near(0.6291528696)


def test_the_paired_interval_has_its_worked_value():
    found = paired_interval([b - a for a, b in zip(BASE, CANDIDATE, strict=True)], alpha=0.05)
    assert found.delta == near(-0.01)
    assert found.standard_error == near(0.0110194633)
    assert (found.lower, found.upper) == (near(-0.0308772394), near(0.0108772394))


def test_pairing_makes_the_error_eight_times_smaller():
    unpaired = (standard_error(BASE) ** 2 + standard_error(CANDIDATE) ** 2) ** 0.5
    assert unpaired == near(0.0909964678)


def test_the_clustered_interval_has_its_worked_value():
    base = [1, 1, 0, 1, 0, 0, 1, 1, 1, 0, 1, 0]
    candidate = [1, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0]
    change = [b - a for a, b in zip(base, candidate, strict=True)]
    found = clustered_interval(change, "aaabbbcccddd", alpha=0.05)
    assert found.delta == 0.0
    assert found.standard_error == near(0.2357022604)
    assert (found.lower, found.upper) == (near(-0.5546930811), near(0.5546930811))
    assert paired_interval(change, alpha=0.05).standard_error == near(0.1740776560)


def test_the_ratio_interval_has_its_worked_value():
    base, candidate = [120.5, 80.2, 200.1, 55.0], [121.0, 79.5, 203.4, 54.8]
    weights = [log(2) * size for size in (100, 70, 160, 50)]
    change = [b - a for a, b in zip(base, candidate, strict=True)]
    found = ratio_interval(change, weights, alpha=0.05)
    assert sum(base) / sum(weights) == near(1.7304747360)
    assert sum(candidate) / sum(weights) == near(1.7414847770)
    assert found.delta == near(0.0110100411)
    assert found.standard_error == near(0.0109621823)
    assert (found.lower, found.upper) == (near(-0.0147879580), near(0.0368080402))


@given(differences)
def test_clusters_of_one_item_are_independent_items(values):
    clustered = clustered_interval(values, range(len(values)), alpha=0.05)
    paired = paired_interval(values, alpha=0.05)
    assert clustered.lower == pytest.approx(paired.lower, abs=1e-9)
    assert clustered.upper == pytest.approx(paired.upper, abs=1e-9)


@given(differences)
def test_equal_weights_make_a_ratio_a_mean(values):
    ratio = ratio_interval(values, [1.0] * len(values), alpha=0.05)
    paired = paired_interval(values, alpha=0.05)
    assert ratio.lower == pytest.approx(paired.lower, abs=1e-9)


@given(differences, st.floats(0.001, 0.2), st.floats(0.001, 0.2))
def test_bounds_hold_the_mean_and_widen_as_alpha_falls(values, one, other):
    strict, loose = sorted((one, other))
    wide, narrow = paired_interval(values, alpha=strict), paired_interval(values, alpha=loose)
    assert wide.lower <= narrow.lower <= narrow.delta <= narrow.upper <= wide.upper
