"""The verdict as one sentence, in both languages."""

from __future__ import annotations

import pytest
from django.utils.translation import override

from training.jobs.sentences import detail_of, sentence_of


def result(name="spam", verdict="pass", **more):
    facts = {
        "label_text": name,
        "verdict": verdict,
        "label": "no_significant_change",
        "delta": 0.0,
        "lower": -0.01,
        "upper": 0.01,
        "margin": 0.05,
        "alpha": 0.05,
        "target": None,
        "n": 200,
    }
    return facts | more


BETTER = result(label="improved", delta=0.45, lower=0.372, upper=0.53)
GUARDS = [result("BLiMP"), result("WinoBias")]
FALLEN = result("BLiMP", "fail", label="regressed", delta=-0.11, lower=-0.15, upper=-0.07)
CASES = [
    (
        "pass",
        [BETTER, *GUARDS],
        "Better on spam by 45 points (at least 37.2), no worse than allowed on 2 guards.",
    ),
    ("pass", GUARDS, "No worse than allowed on 2 benchmarks."),
    ("fail", [BETTER, FALLEN], "Refused: BLiMP fell by 11 points, allowed 5."),
    (
        "blocked",
        [result("BLiMP", "inconclusive", lower=-0.08, parameters={"items_needed": 900})],
        "Not shown to be safe: BLiMP may be down by 8 points, allowed 5 "
        "(about 900 items would decide).",
    ),
    (
        "fail",
        [result("Songci", "fail", delta=-0.0451, unit="bits", margin=0.01, direction="lower")],
        "Refused: Songci got worse by 0.0451 bits per byte, allowed 0.01.",
    ),
    (
        "error",
        [result("BLiMP", "error", reason="scores_not_finite")],
        "No verdict. BLiMP: scores are not numbers.",
    ),
]


@pytest.mark.parametrize(("verdict", "results", "sentence"), CASES)
def test_every_verdict_is_one_sentence(verdict, results, sentence):
    with override("en"):
        assert sentence_of(verdict, results) == sentence


@pytest.mark.parametrize(("verdict", "results", "sentence"), CASES)
def test_every_verdict_has_a_chinese_sentence_with_the_same_numbers(verdict, results, sentence):
    with override("zh-hans"):
        chinese = sentence_of(verdict, results)
    assert chinese.endswith("。")
    assert not any(word in chinese for word in ("Better", "worse", "Refused", "shown", "verdict"))
    for number in ("45", "37.2", "11"):
        assert (number in chinese) == (number in sentence)


def test_a_small_loss_inside_the_margin_is_said():
    with override("en"):
        told = sentence_of("pass", [BETTER, result("BLiMP", label="regressed")])
    assert "fell, but within the margin: BLiMP" in told


def test_what_moves_away_from_its_target_is_refused_in_its_own_words():
    moved = result("WinoBias", "fail", target=0.5, delta=0.09)
    with override("en"):
        told = sentence_of("fail", [moved])
    assert told == "Refused: WinoBias moved 9 points away from 50, allowed 5."


def test_the_detail_names_items_and_level():
    with override("en"):
        assert detail_of([BETTER, *GUARDS]) == "Paired on 600 items of 3 benchmarks, one-sided 95 %"
        assert sentence_of("pass", [], {"reason": "no_model_change"}).startswith(
            "No model file changed"
        )
