"""The blind desk: votes in clusters, ties, and agreement that is no certainty."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.statistics.preference import Vote, preference_verdict, win_rate

ballots = st.lists(
    st.tuples(st.integers(0, 15), st.sampled_from([0.0, 0.5, 1.0])), min_size=4, max_size=60
).filter(lambda drawn: len({item for item, _score in drawn}) > 1)


def votes(pairs):
    return [Vote(f"item-{item}", score) for item, score in pairs]


def test_ties_count_half():
    found = win_rate(votes(enumerate([1.0, 0.5, 0.0, 0.5, 1.0, 0.5])))
    assert found.delta == pytest.approx(3.5 / 6)


def test_everyone_for_the_candidate_has_wilsons_bound():
    found = win_rate(votes(enumerate([1.0] * 20)))
    square = 1.644853627**2
    assert found.lower == pytest.approx(20 / (20 + square), abs=1e-6)
    assert found.upper == 1.0


def test_ties_throughout_are_no_certainty():
    found = win_rate(votes(enumerate([0.5] * 20)))
    assert found.lower < 0.45 < 0.55 < found.upper


def test_votes_on_one_item_are_one_cluster():
    single = [(item, float(item % 3 > 0)) for item in range(30)]
    found, repeated = win_rate(votes(single)), win_rate(votes(single * 5))
    assert repeated.delta == pytest.approx(found.delta)
    assert repeated.upper - repeated.lower == pytest.approx(found.upper - found.lower)


@given(ballots)
def test_swapping_the_sides_mirrors_the_bounds(drawn):
    there, back = win_rate(votes(drawn)), win_rate(votes((i, 1.0 - s) for i, s in drawn))
    assert there.lower == pytest.approx(1.0 - back.upper, abs=1e-9)
    assert 0.0 <= there.lower <= there.delta <= there.upper <= 1.0


def test_the_bound_holds_as_often_as_it_says():
    luck = np.random.default_rng(1)
    held = sum(
        win_rate(votes(enumerate(luck.choice([0.0, 0.5, 1.0], 60, p=[0.3, 0.2, 0.5])))).lower < 0.6
        for _ in range(600)
    )
    assert held / 600 == pytest.approx(0.95, abs=4 * (0.05 * 0.95 / 600) ** 0.5)


@pytest.mark.parametrize(
    ("scores", "verdict"),
    [
        ([1.0] * 40 + [0.0] * 20, "pass"),
        ([1.0] * 10 + [0.0] * 50, "fail"),
        ([1.0, 0.0] * 15, "inconclusive"),
        ([1.0] * 9, "inconclusive"),
        ([], "inconclusive"),
    ],
)
def test_the_desk_as_a_requirement(scores, verdict):
    assert preference_verdict(votes(enumerate(scores)), margin=0.1) == verdict


def test_votes_that_are_none_are_refused():
    with pytest.raises(ValueError, match="vote"):
        win_rate([Vote("a", 2.0), Vote("b", 1.0)])
    with pytest.raises(ValueError, match="two items"):
        win_rate([Vote("a", 1.0), Vote("a", 0.0)])
