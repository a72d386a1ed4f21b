"""Rank groups: models that the items cannot tell apart share one; fast, and with Holm."""

import time
from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from training.statistics.binary import mcnemar
from training.statistics.multiplicity import holm
from training.statistics.ranking import RankGroup, rank_groups
from training.statistics.verdicts import Direction


def board(rows, name="m"):
    """Scores by model and item from a matrix [M, n]."""
    return {
        f"{name}{number:02}": {f"i{i:05}": float(x) for i, x in enumerate(row)}
        for number, row in enumerate(rows)
    }


def skilled(skills, n, seed=0):
    """Right and wrong answers [M, n] to items of shared difficulty."""
    random = np.random.default_rng(seed)
    hard = random.normal(size=n)
    chance = 1 / (1 + np.exp(hard[np.newaxis] - np.asarray(skills)[:, np.newaxis]))
    return (random.random((len(skills), n)) < chance).astype(float)


def test_models_far_apart_have_ranks_of_their_own():
    found = rank_groups(board(skilled([3.0, 0.0, -3.0], 500)))
    assert [group.models for group in found] == [("m00",), ("m01",), ("m02",)]
    assert [(group.rank_low, group.rank_high) for group in found] == [(1, 1), (2, 2), (3, 3)]


def test_models_that_answer_alike_share_a_group():
    rows = skilled([1.0], 400)
    found = rank_groups(board(np.repeat(rows, 3, axis=0)))
    assert found == [RankGroup(("m00", "m01", "m02"), 1, 3)]
    assert found[0].to_dict() == {"models": ["m00", "m01", "m02"], "rank_low": 1, "rank_high": 3}


def test_graded_twins_are_never_told_apart_by_rounding():
    rows = np.random.default_rng(1).random((1, 700)) * 0.1 + 0.3
    assert len(rank_groups(board(np.repeat(rows, 6, axis=0)), metric="f1")) == 1


def test_pairs_are_tested_exactly_and_corrected():
    rows = skilled([1.0, 0.7, 0.5, 0.1], 300, seed=2)
    pairs = list(combinations(range(4), 2))
    p_values = holm(
        [
            mcnemar(
                int((rows[a] > rows[b]).sum()), int((rows[a] < rows[b]).sum())
            ).two_sided
            for a, b in pairs
        ]
    )  # fmt: skip
    worse = dict.fromkeys(range(4), 0)
    for (a, b), p in zip(pairs, p_values, strict=True):
        if p <= 0.05:
            worse[a if rows[a].mean() < rows[b].mean() else b] += 1
    for group in rank_groups(board(rows)):
        lows = [1 + worse[int(name[1:])] for name in group.models]
        assert group.rank_low == min(lows)


def test_graded_scores_take_the_paired_t_test():
    random = np.random.default_rng(3)
    shared = random.random(60)
    rows = [shared, shared + random.normal(0.02, 0.05, 60)]
    p_value = stats.ttest_rel(*rows).pvalue
    for alpha in (p_value * 1.01, p_value * 0.99):
        found = rank_groups(board(rows), alpha, metric="f1")
        assert len(found) == (2 if alpha > p_value else 1)


def test_items_of_one_cluster_count_as_one():
    random = np.random.default_rng(4)
    luck = np.repeat(random.normal(0.15, 0.5, 30), 20)
    scores = board([np.zeros(600), luck + random.normal(0, 0.1, 600)])
    clusters = {f"i{i:05}": i // 20 for i in range(600)}
    assert len(rank_groups(scores, metric="f1")) == 2
    assert len(rank_groups(scores, metric="f1", clusters=clusters)) == 1


def test_lower_is_better_turns_the_board():
    rows = skilled([2.0, 0.0], 400)
    best_first = [group.models for group in rank_groups(board(rows))]
    worst = rank_groups(board(rows), direction=Direction.LOWER)
    assert [group.models for group in worst] == best_first[::-1]


def test_the_share_nearest_to_the_target_is_first():
    random = np.random.default_rng(5)
    rows = [(random.random(800) < share).astype(float) for share in (0.9, 0.5, 0.2)]
    found = rank_groups(
        board(rows), metric="pct_stereotype", direction=Direction.TARGET, target=0.5
    )
    assert [group.models for group in found] == [("m01",), ("m02",), ("m00",)]


def test_sums_are_ranked_by_the_value_they_make():
    random = np.random.default_rng(6)
    sizes = random.integers(50, 300, 300) * np.log(2)
    nats = sizes * 1.2 * random.normal(1, 0.2, 300)
    scores = {
        name: {
            f"i{i}": (float(x), float(w))
            for i, (x, w) in enumerate(zip(nats * factor, sizes, strict=True))
        }
        for name, factor in (("small", 1.1), ("large", 1.0), ("twin", 1.0))
    }
    found = rank_groups(scores, metric="bits_per_byte", direction=Direction.LOWER)
    assert [group.models for group in found] == [("large", "twin"), ("small",)]


def test_a_pair_is_compared_on_the_items_both_have():
    rows = skilled([2.0, 0.0], 400)
    scores = board(rows)
    easy_only = {f"x{i}": 1.0 for i in range(400)}
    scores["m01"] = scores["m01"] | easy_only  # looks better on items that m00 never saw
    found = {group.models: group for group in rank_groups(scores)}
    assert found[("m00",)].rank_low == 1
    assert found[("m01",)].rank_low == 2


def test_models_that_share_no_item_are_not_told_apart():
    scores = {"a": {f"a{i}": 1.0 for i in range(200)}, "b": {f"b{i}": 0.0 for i in range(200)}}
    assert [(g.rank_low, g.rank_high) for g in rank_groups(scores)] == [(1, 2)]
    assert rank_groups({"a": {}, "b": {"x": 1.0}}) == [RankGroup(("b", "a"), 1, 2)]


def test_two_items_that_agree_prove_nothing():
    assert len(rank_groups(board([[0.1, 0.2], [0.3, 0.4]]), metric="f1")) == 1
    assert len(rank_groups(board([[0.25] * 40, [0.5] * 40]), metric="f1")) == 2


def test_an_empty_board_has_no_groups():
    assert rank_groups({}) == []
    assert rank_groups({"only": {"i": 1.0}}) == [RankGroup(("only",), 1, 1)]


def test_scores_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="not finite"):
        rank_groups({"a": {"i": float("nan")}, "b": {"i": 1.0}})


def test_equal_models_are_told_apart_no_more_often_than_alpha():
    splits = 0
    for seed in range(150):
        splits += len(rank_groups(board(skilled([0.5] * 6, 200, seed=seed)))) > 1
    assert splits / 150 <= 0.05 + 4 * (0.05 * 0.95 / 150) ** 0.5


def test_fifty_models_on_two_thousand_items_are_ranked_in_a_moment():
    scores = board(skilled(np.linspace(-1, 1, 50), 2000))
    start = time.process_time()
    found = rank_groups(scores)
    assert time.process_time() - start < 5.0
    assert sorted(m for group in found for m in group.models) == sorted(scores)
    assert [g.rank_low for g in found] == sorted(g.rank_low for g in found)
