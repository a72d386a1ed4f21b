"""The fairness table: every group by itself, and flags that stand the number of groups."""

import json

import numpy as np
import pytest

from training.statistics.binary import mcnemar, tango_interval
from training.statistics.comparison import Rule
from training.statistics.groups import by_group
from training.statistics.multiplicity import benjamini_hochberg
from training.statistics.pairing import ItemScore, PairingError
from training.statistics.verdicts import Direction

RULE = Rule(0.02)


def table(counts):
    """Scores of both sides and the groups: (gains, losses, unchanged) by group."""
    base, candidate, groups = [], [], {}
    for name, (gains, losses, same) in counts.items():
        values = [(0.0, 1.0)] * gains + [(1.0, 0.0)] * losses + [(1.0, 1.0)] * same
        for number, (before, after) in enumerate(values):
            item_id = f"{name}-{number}"
            base.append(ItemScore(item_id, before))
            candidate.append(ItemScore(item_id, after))
            groups[item_id] = name
    return base, candidate, groups


COUNTS = {"zh": (2, 18, 80), "en": (6, 5, 89), "fr": (3, 4, 23), "de": (0, 0, 40)}


def test_every_group_has_the_interval_of_its_own_items():
    rows = by_group(*table(COUNTS), RULE)
    assert [row.group for row in rows] == ["de", "en", "fr", "zh"]
    for row in rows:
        gains, losses, same = COUNTS[row.group]
        expected = tango_interval(gains, losses, gains + losses + same, alpha=0.05)
        assert (row.lower, row.upper) == (expected.lower, expected.upper)
        assert row.p_value == mcnemar(gains, losses).harm
        assert row.n == gains + losses + same


def test_the_group_that_got_worse_is_flagged_and_no_other():
    rows = by_group(*table(COUNTS), RULE)
    assert [row.group for row in rows if row.flagged] == ["zh"]
    assert [row.p_adjusted for row in rows] == benjamini_hochberg([row.p_value for row in rows])
    assert json.loads(json.dumps(rows[0].to_dict()))["group"] == "de"


def test_a_group_that_got_better_is_not_flagged():
    better = {"up": (30, 0, 70), "still": (1, 1, 98)}
    assert not any(row.flagged for row in by_group(*table(better), RULE))


def test_one_slight_loss_among_many_groups_is_not_flagged():
    many = {f"group-{i}": (2, 2, 30) for i in range(20)} | {"unlucky": (1, 7, 30)}
    rows = {row.group: row for row in by_group(*table(many), RULE)}
    assert rows["unlucky"].p_value < 0.05 < rows["unlucky"].p_adjusted
    assert not rows["unlucky"].flagged


def test_lower_is_better_flags_the_rise():
    base, candidate, groups = table({"a": (30, 2, 68), "b": (2, 30, 68)})
    rows = by_group(base, candidate, groups, Rule(0.02, direction=Direction.LOWER))
    assert [(row.group, row.flagged) for row in rows] == [("a", True), ("b", False)]


def test_a_share_is_flagged_where_it_moves_away_from_its_target():
    base, candidate, groups = table({"away": (25, 0, 60), "to": (0, 25, 60)})
    rule = Rule(0.02, direction=Direction.TARGET, target=0.5)
    rows = by_group(base, candidate, groups, rule)
    assert [(row.group, row.flagged) for row in rows] == [("away", True), ("to", False)]
    assert rows[0].delta > 0.0 > rows[1].delta


def test_a_group_of_one_graded_item_has_no_bounds():
    base = [ItemScore("x", 0.25), *(ItemScore(f"y{i}", 0.5) for i in range(20))]
    candidate = [ItemScore("x", 0.75), *(ItemScore(f"y{i}", 0.25 + i / 40) for i in range(20))]
    groups = {score.item_id: score.item_id[0] for score in base}
    one, many = by_group(base, candidate, groups, Rule(0.02, metric="f1"))
    assert (one.n, one.delta, one.lower, one.p_value, one.flagged) == (1, 0.5, None, None, False)
    assert many.lower < many.delta < many.upper


def test_items_without_a_group_are_left_out():
    base, candidate, groups = table({"a": (5, 5, 40), "b": (5, 5, 40)})
    rows = by_group(base, candidate, {k: g for k, g in groups.items() if g == "a"}, RULE)
    assert [(row.group, row.n) for row in rows] == [("a", 50)]


def test_sums_of_a_group_make_the_value_of_the_group():
    luck = np.random.default_rng(1)
    rows = luck.integers(1, 9, (60, 2)).astype(float)
    base = [ItemScore(f"i{i:02}", None, sums=tuple(row)) for i, row in enumerate(rows)]
    worse = [ItemScore(s.item_id, None, sums=(s.sums[0] * 1.5, s.sums[1])) for s in base]
    groups = {s.item_id: "even" if i % 2 == 0 else "odd" for i, s in enumerate(base)}
    for metric, method in (("bits_per_byte", True), ("perplexity", True)):
        rule = Rule(0.02, metric=metric, direction=Direction.LOWER)
        even, odd = by_group(base, worse, groups, rule)
        assert (even.flagged, odd.flagged) == (method, method)
    assert even.base == pytest.approx(np.exp(rows[::2, 0].sum() / rows[::2, 1].sum()))


def test_clusters_stay_whole_inside_a_group():
    luck = np.random.default_rng(2)
    sides = []
    for shift in (0.0, 0.3):
        values = luck.random(80) + shift
        sides.append([ItemScore(f"i{i:02}", v, cluster=f"c{i // 4}") for i, v in enumerate(values)])
    groups = {s.item_id: "first" if i < 40 else "second" for i, s in enumerate(sides[0])}
    rows = by_group(*sides, groups, Rule(0.02, metric="f1"))
    assert [row.n for row in rows] == [40, 40]
    assert all(row.lower > 0 for row in rows)


def test_groups_of_items_that_do_not_match_are_refused():
    base, candidate, groups = table({"a": (5, 5, 40)})
    with pytest.raises(PairingError):
        by_group(base, candidate[1:], groups, RULE)


def test_no_groups_make_no_rows():
    base, candidate, _groups = table({"a": (5, 5, 40)})
    assert by_group(base, candidate, {}, RULE) == []
