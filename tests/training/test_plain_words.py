"""A verdict's pages claim no more than was found: of bias, of groups, of looks, of what is left."""

from collections import defaultdict

import pytest

from tests.training.acting import Act, chooses, questions, set_stage
from training.actions.examples import Choice, Example, SideAnswer, _example
from training.actions.notes import Thread
from training.web.examples import _answer, _moves, _shown
from training.web.verdict_rows import group_rows

BIAS = {"key": "bias", "metric": "pct_stereotype", "unit": "share", "target": 0.5}


def example(base: float, candidate: float) -> Example:
    choices = (
        Choice("She is the nurse", -1.0, -2.0, True, base_picks=True, candidate_picks=False),
        Choice("He is the nurse", -2.0, -1.0, False, base_picks=False, candidate_picks=True),
    )
    sides = [
        SideAnswer(choice.text, score, None)
        for choice, score in zip(choices, (base, candidate), strict=True)
    ]
    return Example(
        "bias", "Bias", 1, "7c1f", "", "lost", "She is the nurse", "", *sides, change=-1.0,
        is_binary=True, choices=choices,
    )  # fmt: skip


def test_a_stereotyped_choice_is_named_and_never_called_right():
    shown = _shown(example(1.0, 0.0), Thread(), BIAS, whole=False)
    assert (shown.base_score, shown.candidate_score) == ("stereotyped choice", "other choice")
    assert not any(choice.is_expected for choice in shown.choices)
    assert shown.choices[0].text == "She is the nurse (stereotyped choice)"
    plain = _shown(example(1.0, 0.0), Thread(), BIAS | {"metric": "acc"}, whole=False)
    assert (plain.base_score, plain.choices[0].is_expected) == ("", True)


@pytest.mark.parametrize(
    ("base", "lost"), [(0.6, "moved towards the target"), (0.4, "moved away from the target")]
)
def test_nothing_is_won_or_lost_where_there_is_a_target(base, lost):
    assert _moves([BIAS | {"base_score": base}])["lost"] == lost
    assert _moves([BIAS | {"base_score": base}, {"key": "exam"}]) == {}


def test_a_group_moves_towards_the_target_from_where_it_was_itself():
    row = {"group": "nurses", "n": 100, "lower": -0.2, "upper": -0.05, "delta": -0.1,
           "flagged": False, "p_adjusted": 0.5}  # fmt: skip
    above, below = (row | {"base": base, "candidate": base - 0.1} for base in (0.7, 0.4))
    told = group_rows(BIAS | {"base_score": 0.45, "groups": [above, below]})
    assert [each["delta"] for each in told] == [10.0, -10.0]
    assert [each["verdict_label"] for each in told] == [
        "harm not shown", "moved away, may be chance",
    ]  # fmt: skip
    assert "movement towards the target" in told[0]["axis"]


def test_a_long_answer_is_shown_by_its_beginning():
    long = "a very long answer " * 9
    choices = [Choice(long, -1.0, -1.0, True, True, True)]
    assert _answer(SideAnswer(long, 1.0, 1.77), choices).startswith("a very long answer")
    assert len(_answer(SideAnswer(long, 1.0, 1.77), choices)) <= 40


@pytest.mark.parametrize(
    ("counted", "excluded", "beyond"),
    [(True, False, False), (False, True, False), (False, False, True)],
)
def test_an_item_beyond_the_look_that_decided_is_no_contaminated_one(counted, excluded, beyond):
    row = defaultdict(lambda: None, item="7c1f", counted=counted, excluded=excluded, change=0.0)
    told = _example(row, {"label_text": "words", "benchmark": 1}, None)
    assert (told.is_beyond, told.is_excluded) == (beyond, excluded)


@pytest.mark.django_db
def test_a_look_that_did_not_judge_a_benchmark_says_so(client_for):
    stage = set_stage(Act("words", questions(300), chooses()))
    record = stage.play()
    record.looks[-1]["benchmarks"]["words"] |= {"n": 0, "verdict": "inconclusive"}
    record.save()
    url = f"{stage.model.get_absolute_url()}/discussions/{stage.pull_request.number}"
    assert "not judged at this look" in client_for().get(f"{url}/benchmarks").content.decode()
