"""From item scores to a verdict: pairing, directions, methods and what may not be weighed."""

import json
import random
from math import inf, log, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.statistics.comparison import Comparison, Rule, compare
from training.statistics.pairing import ItemScore
from training.statistics.verdicts import (
    Direction,
    Verdict,
    closer_is_better,
    gate_verdict,
    higher_is_better,
    label_of,
    verdict_of,
)


def scores(values, **columns):
    """Item scores with ids from the position; columns hold one value an item."""
    extra = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    extra = extra or [{}] * len(values)
    return [ItemScore(f"item-{i}", v, **extra[i]) for i, v in enumerate(values)]


def binary(gains, losses, n):
    """Base and candidate values with this many gains and losses among n items."""
    same = n - gains - losses
    base = [0.0] * gains + [1.0] * losses + [1.0] * same
    return base, [1.0] * gains + [0.0] * losses + [1.0] * same


def weigh(base, candidate, *, margin=0.02, **rule) -> Comparison:
    return compare(scores(base), scores(candidate), Rule(margin=margin, **rule))


def test_right_and_wrong_items_are_weighed_by_tango():
    found = weigh(*binary(48, 55, 1000))
    assert (found.verdict, found.label, found.method) == (
        "inconclusive", "no_significant_change", "tango",
    )  # fmt: skip
    assert (found.gains, found.losses, found.n) == (48, 55, 1000)
    assert found.delta == pytest.approx(-0.007)
    assert found.lower == pytest.approx(-0.0239224502, abs=1e-6)
    assert found.candidate_score - found.base_score == pytest.approx(-0.007)
    assert found.parameters["items_needed"] == 3769  # (z + z)² · 0.103 / (-0.007 + 0.02)²
    assert found.parameters["provable_margin"] == pytest.approx(0.025235, abs=1e-6)


def test_a_small_real_loss_inside_the_margin_passes_and_says_so():
    found = weigh(*binary(12, 31, 2000))
    assert (found.verdict, found.label) == ("pass", "regressed")


def test_the_order_of_lines_does_not_matter():
    base, candidate = binary(30, 18, 1200)
    shuffled = scores(candidate)
    random.Random(5).shuffle(shuffled)
    assert compare(scores(base), shuffled, Rule(margin=0.01)) == weigh(base, candidate, margin=0.01)


def test_a_lower_is_better_metric_is_the_mirror_of_a_higher_one():
    base, candidate = binary(20, 70, 1000)
    higher = weigh(base, candidate)
    lower = weigh([-v for v in base], [-v for v in candidate], direction=Direction.LOWER)
    assert lower.verdict == higher.verdict == "fail"
    assert lower.label == higher.label == "regressed"
    assert lower.candidate_score == -higher.candidate_score
    assert (lower.gains, lower.losses) == (higher.gains, higher.losses)
    assert lower.delta == pytest.approx(higher.delta)


def test_an_error_rate_swaps_the_bounds():
    base, candidate = binary(30, 18, 1200)
    errors = weigh([1 - v for v in base], [1 - v for v in candidate], direction=Direction.LOWER)
    assert errors.lower == pytest.approx(0.0005174990, abs=1e-6)
    assert (errors.label, errors.gains) == ("improved", 30)
    assert errors.candidate_score < errors.base_score


def test_scores_between_right_and_wrong_take_the_paired_t():
    noise = random.Random(3)
    base = [noise.random() for _ in range(200)]
    found = weigh(base, [value + noise.gauss(0.05, 0.01) for value in base])
    assert (found.method, found.verdict, found.label) == ("paired_t", "pass", "improved")


def test_bits_per_byte_are_weighed_as_a_ratio():
    noise = random.Random(4)
    sizes = [noise.randint(50, 200) for _ in range(150)]
    weights = [log(2) * size for size in sizes]
    base = [weight * 1.7 for weight in weights]
    candidate = [weight * noise.gauss(1.8, 0.01) for weight in weights]
    rule = Rule(margin=0.01, direction=Direction.LOWER, metric="bits_per_byte")
    sides = [
        scores([None] * 150, sums=list(zip(nats, weights, strict=True)))
        for nats in (base, candidate)
    ]
    found = compare(*sides, rule)
    assert (found.method, found.verdict) == ("ratio_t", "fail")
    assert found.base_score == pytest.approx(1.7)
    assert found.delta == pytest.approx(-0.1, abs=0.01)


def test_items_of_one_passage_widen_the_interval():
    base, candidate = binary(30, 30, 400)
    passages = [f"passage-{index // 10}" for index in range(400)]
    rule = Rule(margin=0.02)
    clustered = compare(scores(base, cluster=passages), scores(candidate, cluster=passages), rule)
    assert clustered.method == "clustered_t"
    assert clustered.parameters["clusters"] == 40
    assert clustered.upper - clustered.lower > 2 * (
        weigh(base, candidate).upper - weigh(base, candidate).lower
    )


def test_unchanged_clusters_are_not_taken_for_certainty():
    passages = [f"passage-{index % 20}" for index in range(200)]
    same = scores([1.0] * 200, cluster=passages)
    assert compare(same, same, Rule(margin=0.02)).verdict == "inconclusive"


@pytest.mark.parametrize(
    ("gained", "lost", "verdict", "label"),
    [
        (0, 0, "pass", "no_significant_change"),
        (0, 16, "pass", "improved"),
        (80, 0, "fail", "regressed"),
        (0, 110, "fail", "regressed"),
        (15, 13, "inconclusive", "no_significant_change"),
    ],
)
def test_a_share_is_held_close_to_one_half(gained, lost, verdict, label):
    base = [1.0] * 220 + [0.0] * 180
    candidate = [0.0] * lost + [1.0] * (220 - lost + gained) + [0.0] * (180 - gained)
    found = weigh(base, candidate, margin=0.02, direction=Direction.TARGET, target=0.5)
    assert (found.verdict, found.label) == (verdict, label)
    assert (found.floor, found.ceiling) == (pytest.approx(-0.12), pytest.approx(0.02))


def test_ties_count_half_in_a_share():
    more, less = [-10.2, -8.1, -9.9, -7.0, -12.0], [-10.9, -8.1, -9.0, -7.5, -12.4]
    share = [1.0 if a > b else 0.5 if a == b else 0.0 for a, b in zip(more, less, strict=True)]
    found = weigh(share * 20, share * 20, direction=Direction.TARGET, target=0.5)
    assert found.base_score == pytest.approx(0.7)


@given(st.floats(0, 1), st.floats(-1, 1), st.floats(0, 0.5), st.floats(0.001, 0.2))
def test_the_distance_rule_is_its_own_mirror(base, middle, reach, margin):
    lower, upper = middle - reach, middle + reach
    here, there = closer_is_better(base, 0.5, margin), closer_is_better(1 - base, 0.5, margin)
    if base != 0.5 and abs(here.floor + there.ceiling) < 1e-15:
        assert verdict_of(lower, upper, here) == verdict_of(-upper, -lower, there)
        assert label_of(lower, upper, here) == label_of(-upper, -lower, there)


@given(st.floats(-1, 1), st.floats(0, 0.5), st.floats(0.001, 0.2))
def test_the_verdict_says_what_the_bounds_say(middle, reach, margin):
    lower, upper = middle - reach, middle + reach
    verdict = verdict_of(lower, upper, higher_is_better(margin))
    assert (verdict == "pass") == (lower > -margin)
    assert (verdict == "fail") == (upper <= -margin)
    label = label_of(lower, upper, higher_is_better(margin))
    assert (label == "improved") == (lower > 0)
    assert (label == "regressed") == (upper < 0)


GOOD = scores([1.0] * 120)


@pytest.mark.parametrize(
    ("base", "candidate", "reason"),
    [
        ([], [], "no_items"),
        (GOOD, GOOD[1:], "unmatched_items"),
        (GOOD[1:], GOOD, "unmatched_items"),
        (GOOD, [*GOOD, GOOD[0]], "duplicate_items"),
        (GOOD, [ItemScore("item-0", nan), *GOOD[1:]], "scores_not_finite"),
        ([ItemScore("item-0", inf), *GOOD[1:]], GOOD, "scores_not_finite"),
        (GOOD[:99], GOOD[:99], "too_few_items"),
        (GOOD, [ItemScore("item-0", 1.0, cluster="a"), *GOOD[1:]], "items_differ"),
        (
            [ItemScore("item-0", 1.0, cluster="a"), *GOOD[1:]],
            [ItemScore("item-0", 1.0, cluster="a"), *GOOD[1:]],
            "clusters_incomplete",
        ),
        (
            scores([1.0] * 120, cluster=["a", "b"] * 60),
            scores([1.0] * 120, cluster=["a", "b"] * 60),
            "too_few_clusters",
        ),
    ],
)
def test_what_cannot_be_compared_is_an_error_with_its_reason(base, candidate, reason):
    found = compare(base, candidate, Rule(margin=0.02))
    assert (found.verdict, found.reason) == ("error", reason)
    assert found.label is None
    assert found.delta is None


def test_a_hundred_items_are_enough_to_be_weighed():
    assert compare(GOOD[:100], GOOD[:100], Rule(margin=0.05)).verdict == "pass"


def test_a_result_is_ready_for_json():
    shown = json.loads(json.dumps(weigh(*binary(0, 0, 300), margin=0.01).to_dict()))
    assert shown["verdict"] == "pass"
    assert shown["ceiling"] is None


@pytest.mark.parametrize(
    "values",
    [
        {"margin": 0.0},
        {"margin": inf},
        {"margin": 0.02, "alpha": 0.5},
        {"margin": 0.02, "target": 0.5},
        {"margin": 0.02, "direction": Direction.TARGET},
    ],
)
def test_a_rule_that_decides_nothing_is_refused(values):
    with pytest.raises(ValueError, match=r"margin|target"):
        Rule(**values)


@pytest.mark.parametrize(
    ("verdicts", "whole"),
    [
        ("", "error"),
        ("pass", "pass"),
        ("pass inconclusive", "inconclusive"),
        ("inconclusive fail pass", "fail"),
        ("fail error pass", "error"),
    ],
)
def test_the_gate_is_as_good_as_its_worst_benchmark(verdicts, whole):
    assert gate_verdict([Verdict(each) for each in verdicts.split()]) == whole
