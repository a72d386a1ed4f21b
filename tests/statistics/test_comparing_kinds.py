"""compare() on every kind of metric: directions, relative margins, looks, what it refuses."""

import json
import random
import time
from math import log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.statistics.comparison import Rule, compare
from training.statistics.pairing import ItemScore
from training.statistics.verdicts import Direction, Outcome, Verdict, gate_outcome

LOWER = Direction.LOWER


def vectors(rows, clusters=None):
    names = clusters or [None] * len(rows)
    return [
        ItemScore(f"item-{i:05}", None, cluster=name, sums=tuple(row))
        for i, (row, name) in enumerate(zip(rows, names, strict=True))
    ]


def texts(n, rate, noise, seed):
    """Nats and ln 2 times bytes of n texts; sizes do not depend on the seed."""
    sizes = np.random.default_rng(0).integers(50, 400, n) * log(2)
    wobble = np.random.default_rng(1).normal(1.0, 0.2, n)
    own = np.random.default_rng(seed).normal(1.0, noise, n)
    return np.column_stack((sizes * rate * wobble * own, sizes))


def labelled(n, skill, seed, classes=3):
    gold = np.random.default_rng(9).integers(0, classes, n)
    luck = np.random.default_rng(seed)
    answer = np.where(luck.random(n) < skill, gold, luck.integers(0, classes, n))
    rows = np.zeros((n, 3 * classes))
    places = np.arange(n)
    rows[places, 3 * gold + 2] += 1
    rows[places, 3 * answer + 1] += 1
    rows[places[gold == answer], 3 * gold[gold == answer]] += 1
    return rows


BPB = {"metric": "bits_per_byte", "direction": LOWER}


def test_the_worked_ratio_is_weighed_with_its_bounds_swapped():
    sizes = [log(2) * size for size in (100, 70, 160, 50)]
    base, candidate = [120.5, 80.2, 200.1, 55.0], [121.0, 79.5, 203.4, 54.8]
    rule = Rule(0.05, **BPB)
    many = [(base * 25, sizes * 25), (candidate * 25, sizes * 25)]
    found = compare(*(vectors(np.column_stack(side)) for side in many), rule)
    assert found.base_score == pytest.approx(1.7304747360, abs=1e-6)
    assert found.candidate_score == pytest.approx(1.7414847770, abs=1e-6)
    assert found.delta == pytest.approx(-0.0110100411, abs=1e-6)
    # 25 copies: the error shrinks by 5, and n / (n - 1) goes from 4/3 to 100/99.
    error = 0.0109621823 / 5 * (100 / 99 * 3 / 4) ** 0.5
    assert found.parameters["standard_error"] == pytest.approx(error, abs=1e-6)


def test_half_a_percent_of_the_base_is_the_margin():
    sides = vectors(texts(400, 1.5, 0.0, 2)), vectors(texts(400, 1.5 * 1.002, 0.01, 3))
    found = compare(*sides, Rule(0.005, relative_margin=True, **BPB))
    assert found.margin == pytest.approx(0.005 * found.base_score)
    assert found.floor == pytest.approx(-found.margin)
    assert found.parameters["relative_margin"] == 0.005
    assert found == compare(*sides, Rule(found.margin, **BPB)) or found.verdict == "pass"


def test_a_relative_margin_of_nothing_is_an_error():
    still = [ItemScore(f"item-{i}", 0.0) for i in range(120)]
    found = compare(still, still, Rule(0.01, relative_margin=True))
    assert (found.verdict, found.reason) == ("error", "margin_vanishes")


def test_texts_in_clusters_are_weighed_by_cluster():
    sides = texts(300, 1.5, 0.0, 2), texts(300, 1.5, 0.02, 3)
    books = [f"book-{i // 10}" for i in range(300)]
    alone = compare(*map(vectors, sides), Rule(0.05, **BPB))
    found = compare(*(vectors(side, books) for side in sides), Rule(0.05, **BPB))
    assert (alone.method, found.method) == ("ratio_t", "clustered_ratio_t")
    assert found.delta == pytest.approx(alone.delta)
    assert found.parameters["clusters"] == 30


def test_identical_texts_are_no_proof_of_a_tiny_margin_by_a_few():
    few, many = vectors(texts(100, 1.5, 0.0, 2)), vectors(texts(1000, 1.5, 0.0, 2))
    rule = Rule(0.005, relative_margin=True, **BPB)
    assert compare(few, few, rule).verdict == "inconclusive"
    assert compare(many, many, rule).verdict == "pass"


def test_a_corpus_metric_is_resampled_and_keeps_its_seed():
    sides = vectors(labelled(600, 0.8, 1)), vectors(labelled(600, 0.4, 2))
    found = compare(*sides, Rule(0.02, metric="macro_f1"), seed=11)
    assert (found.method, found.verdict, found.label) == ("bootstrap", "fail", "regressed")
    assert found.parameters["seed"] == 11
    assert found.parameters["replicates"] >= 10_000
    assert found.parameters["p_regressed"] == pytest.approx(1 / 10_001)
    assert (found.gains, found.losses) == (None, None)
    assert json.loads(json.dumps(found.to_dict()))["metric"] == "macro_f1"


def test_a_lower_corpus_metric_turns_its_bounds():
    sides = vectors(texts(300, 1.5, 0.0, 2)), vectors(texts(300, 1.6, 0.02, 3))
    found = compare(*sides, Rule(0.1, metric="word_perplexity", direction=LOWER))
    assert found.candidate_score > found.base_score
    assert found.upper < 0.0
    assert found.label == "regressed"


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [(0.5, 0.5, "pass"), (0.7, 0.5, "pass"), (0.5, 0.95, "fail"), (0.6, 0.7, "inconclusive")],
)
def test_a_bias_of_corpus_kind_is_held_close_to_zero(before, after, verdict):
    random.seed(3)
    spots = random.sample(range(600), 600)
    sides = [
        vectors(
            [[float(spots[i] < share * 600), 1.0] for i in range(600)],
            [f"template-{i % 30}" for i in range(600)],
        )
        for share in (before, after)
    ]
    rule = Rule(0.2, direction=Direction.TARGET, target=0.0, metric="bbq_bias_disambig")
    found = compare(*sides, rule)
    assert found.base_score == pytest.approx(2 * before - 1)
    assert found.method.startswith("clustered_bootstrap")
    assert found.ceiling == pytest.approx(0.2)
    assert found.floor == pytest.approx(-(2 * found.base_score + 0.2))
    assert found.verdict == verdict


def test_scores_between_right_and_wrong_that_never_change_are_no_certainty():
    values = [ItemScore(f"item-{i}", 0.25 + 0.5 * (i % 2)) for i in range(100)]
    found = compare(values, values, Rule(0.02, metric="f1"))
    assert (found.verdict, found.method) == ("inconclusive", "paired_t_few_changes")
    assert found.parameters["items_needed"] > 100


def test_a_resampled_metric_that_never_changes_is_no_certainty():
    sides = vectors(labelled(100, 0.8, 1))
    found = compare(sides, sides, Rule(0.02, metric="macro_f1"))
    assert (found.verdict, found.delta) == ("inconclusive", 0.0)
    assert found.lower == pytest.approx(-0.0263427, abs=1e-6)


def test_enough_unchanged_items_pass_under_every_method():
    scores = [ItemScore(f"item-{i}", 0.5) for i in range(400)]
    assert compare(scores, scores, Rule(0.02, metric="f1")).verdict == "pass"
    sums = vectors(labelled(400, 0.8, 1))
    assert compare(sums, sums, Rule(0.02, metric="macro_f1")).verdict == "pass"


GOOD = vectors(labelled(120, 0.8, 1))


@pytest.mark.parametrize(
    ("candidate", "reason"),
    [
        ([ItemScore("item-00000", 1.0), *GOOD[1:]], "sums_malformed"),
        ([ItemScore("item-00000", None, sums=(1.0, 2.0)), *GOOD[1:]], "sums_malformed"),
        ([ItemScore("item-00000", None, sums=(float("nan"),) * 9), *GOOD[1:]], "scores_not_finite"),
        (vectors(labelled(120, 0.8, 1)[:, :6]), "items_differ"),
        (vectors(np.roll(labelled(120, 0.8, 1), 3, axis=1)), "items_differ"),
        (GOOD[1:], "unmatched_items"),
    ],
)
def test_vectors_that_cannot_be_compared_are_an_error_with_its_reason(candidate, reason):
    found = compare(GOOD, candidate, Rule(0.02, metric="macro_f1"))
    assert (found.verdict, found.reason) == ("error", reason)
    assert found.delta is None


def test_a_text_without_bytes_is_no_text():
    rows = texts(120, 1.5, 0.0, 2)
    rows[5, 1] = 0.0
    found = compare(vectors(rows), vectors(rows), Rule(0.02, **BPB))
    assert (found.verdict, found.reason) == ("error", "scores_not_finite")


def test_an_item_without_a_score_is_an_error_for_a_mean():
    scores = [ItemScore(f"item-{i}", None if i == 3 else 1.0) for i in range(120)]
    assert compare(scores, scores, Rule(0.02)).reason == "scores_not_finite"


def test_too_few_items_are_an_error_only_at_the_last_look():
    scores = [ItemScore(f"item-{i}", 1.0) for i in range(60)]
    early = compare(scores, scores, Rule(0.02, alpha=0.0007, final=False))
    assert (early.verdict, early.reason) == ("inconclusive", "too_few_items")
    assert compare(scores, scores, Rule(0.02)).verdict == "error"


def test_broken_items_are_an_error_at_any_look():
    scores = [ItemScore(f"item-{i}", float("nan")) for i in range(60)]
    assert compare(scores, scores, Rule(0.02, final=False)).verdict == "error"


@pytest.mark.parametrize(
    "values",
    [
        {"metric": "vibes"},
        {"relative_margin": True, "direction": Direction.TARGET, "target": 0.5},
    ],
)
def test_a_rule_about_nothing_is_refused(values):
    with pytest.raises(ValueError, match=r"no metric|relative"):
        Rule(0.02, **values)


@settings(max_examples=5, deadline=None)
@given(st.permutations(range(150)), st.sampled_from(["macro_f1", "mcc"]))
def test_the_order_of_items_does_not_matter(order, metric):
    base, candidate = vectors(labelled(150, 0.8, 1)), vectors(labelled(150, 0.7, 2))
    rule = Rule(0.02, metric=metric)
    shuffled = [candidate[place] for place in order]
    assert compare(base, shuffled, rule) == compare(base, candidate, rule)


def test_twenty_runs_of_a_model_against_itself_never_fail():
    luck = np.random.default_rng(5)
    for _ in range(20):
        # Another batch size: now and then a tie falls the other way.
        right = luck.integers(0, 2, 300).astype(float)
        again = np.where(luck.random(300) < 0.01, 1.0 - right, right)
        sides = [[ItemScore(f"i{i}", x) for i, x in enumerate(s.tolist())] for s in (right, again)]
        for metric in ("acc", "f1"):
            found = compare(*sides, Rule(0.05, metric=metric))
            assert found.verdict in ("pass", "inconclusive")


@pytest.mark.parametrize("metric", ["bits_per_byte", "word_perplexity", "macro_f1", "bleu"])
def test_the_same_sums_on_both_sides_are_no_change(metric):
    rows = {
        "bleu": np.random.default_rng(5).integers(3, 20, (300, 10)),
        "macro_f1": labelled(300, 0.7, 4),
    }.get(metric, texts(300, 1.5, 0.1, 4))
    found = compare(vectors(rows), vectors(rows), Rule(1.0, metric=metric))
    assert (found.delta, found.verdict) == (0.0, "pass")
    assert found.label == "no_significant_change"
    assert found.lower == pytest.approx(-found.upper)


@pytest.mark.parametrize(
    ("verdicts", "last", "outcome"),
    [
        ("pass inconclusive", False, Outcome.RUN_MORE),
        ("pass inconclusive", True, Outcome.BLOCKED),
        ("inconclusive fail", True, Outcome.FAIL),
        ("pass pass", False, Outcome.PASS),
        ("pass error", True, Outcome.ERROR),
        ("", True, Outcome.ERROR),
    ],
)
def test_what_a_gate_does_after_a_look(verdicts, last, outcome):
    found = gate_outcome([Verdict(each) for each in verdicts.split()], last_look=last)
    assert found is outcome


def test_fifty_thousand_items_take_well_under_a_second():
    luck = np.random.default_rng(6)
    base = luck.integers(0, 2, 50_000).astype(float)
    candidate = np.where(luck.random(50_000) < 0.1, 1.0 - base, base)
    sides = [[ItemScore(f"{i:08}", x) for i, x in enumerate(s.tolist())] for s in (base, candidate)]
    start = time.process_time()
    assert compare(*sides, Rule(0.05)).verdict == "pass"
    assert time.process_time() - start < 2.0
