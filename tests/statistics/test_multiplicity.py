"""Corrections for many looks: worked values, scipy beside, and laws."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from training.statistics.multiplicity import benjamini_hochberg, holm

VALUES = [0.001, 0.04, 0.03, 0.2, 0.005]
p_values = st.lists(st.floats(0, 1), min_size=1, max_size=30)


def test_holm_has_its_worked_values():
    assert holm(VALUES) == pytest.approx([0.005, 0.09, 0.09, 0.2, 0.02], abs=1e-9)


def test_benjamini_hochberg_has_its_worked_values():
    assert benjamini_hochberg(VALUES) == pytest.approx([0.005, 0.05, 0.05, 0.2, 0.0125], abs=1e-9)


def test_nothing_needs_no_correction():
    assert holm([]) == benjamini_hochberg([]) == []
    assert holm([0.03]) == benjamini_hochberg([0.03]) == [0.03]


@given(p_values)
def test_benjamini_hochberg_is_that_of_scipy(values):
    assert benjamini_hochberg(values) == pytest.approx(false_discovery_control(values), abs=1e-12)


@given(p_values)
def test_a_correction_only_raises_and_holm_raises_more(values):
    for value, some, all_ in zip(values, benjamini_hochberg(values), holm(values), strict=True):
        assert value <= some + 1e-12
        assert some <= all_ + 1e-12
        assert all_ <= min(1.0, len(values) * value) + 1e-12


@given(p_values, st.randoms())
def test_the_order_of_p_values_does_not_matter(values, shuffler):
    order = list(range(len(values)))
    shuffler.shuffle(order)
    for correct in (holm, benjamini_hochberg):
        adjusted = correct(values)
        assert correct([values[i] for i in order]) == [adjusted[i] for i in order]
