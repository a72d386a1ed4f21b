"""The rule by which a search takes one half or the other."""

from __future__ import annotations

import pytest

from training.jobs.narrowing import is_shown, judge, narrowed, next_place
from training.statistics.comparison import Rule, compare
from training.statistics.pairing import ItemScore
from training.statistics.verdicts import Direction

RULE = Rule(margin=1.0, alpha=0.05)


def scores(wrong: int, n: int = 200) -> list[ItemScore]:
    return [ItemScore(str(i), float(i >= wrong)) for i in range(n)]


@pytest.mark.parametrize(
    ("known", "between"),
    [
        ({0: False, 9: True}, (0, 9)),
        ({0: False, 4: False, 9: True}, (4, 9)),
        ({0: False, 4: True, 9: True}, (0, 4)),
        # Broken, mended, broken again: the last time.
        ({0: False, 2: True, 5: False, 7: True, 9: True}, (5, 7)),
    ],
)
def test_it_is_narrowed_to_the_last_break(known, between):
    assert narrowed(known) == between


def test_the_middle_is_next_or_what_is_nearest_to_it():
    assert next_place(0, 8) == 4
    assert next_place(0, 8, {4}) == 3
    assert next_place(0, 8, {3, 4}) == 5
    assert next_place(4, 5) is None
    assert next_place(0, 2, {1}) is None


@pytest.mark.parametrize(("wrong", "broken"), [(10, False), (29, False), (30, False), (31, True)])
def test_a_version_belongs_to_the_nearer_end(wrong, broken):
    found = judge(1, scores(10), scores(wrong), scores(50), RULE)
    assert found.is_broken is broken
    assert found.is_clear


def test_a_version_near_both_ends_is_not_clear():
    assert not judge(1, scores(10), scores(12), scores(14), RULE).is_clear
    assert judge(1, scores(10), scores(16), scores(16), RULE).is_clear


def test_lower_is_better_and_targets_are_read_their_way():
    lower = Rule(margin=1.0, direction=Direction.LOWER)
    assert judge(1, scores(50), scores(40), scores(10), lower).is_broken is False
    assert judge(1, scores(50), scores(20), scores(10), lower).is_broken is True
    target = Rule(margin=1.0, direction=Direction.TARGET, target=0.5)
    assert judge(1, scores(100), scores(120), scores(160), target).is_broken is False
    assert judge(1, scores(100), scores(45), scores(160), target).is_broken is True


def test_only_a_shown_loss_is_searched_for():
    assert is_shown(compare(scores(10), scores(30), RULE))
    assert not is_shown(compare(scores(10), scores(11), RULE))
    assert not is_shown(compare(scores(30), scores(10), RULE))
    assert not is_shown(compare(scores(0, 20), scores(20, 20), RULE)), "too few items"


def test_what_cannot_be_compared_is_not_judged():
    assert judge(1, scores(10), scores(10, n=199), scores(50), RULE) is None
