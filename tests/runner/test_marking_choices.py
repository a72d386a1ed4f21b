"""Marks of questions with choices, checked by hand and by scikit-learn."""

import math

import numpy as np
import pytest
from sklearn.metrics import f1_score, matthews_corrcoef

from training.runner.definitions import Definition, Question
from training.runner.errors import BadBenchmarkError
from training.runner.marking.choices import ChoiceMarker
from training.runner.marking.lengths import continuing_marks, rolling_marks
from training.statistics.metrics import METRICS

ROLES = {
    "condition": "condition", "polarity": "polarity", "answer_groups": "groups",
    "stereotyped_groups": "stereotyped",
}  # fmt: skip


def marker(*names, classes=(2,), **fields):
    values = {"metrics": [{"name": name} for name in names], **fields}
    return ChoiceMarker(Definition("task", values), set(classes))


def question(choices=("yes", "no"), *targets, doc=None):
    return Question(id="a", prompt="", choices=choices, targets=targets or (0,), doc=doc)


@pytest.mark.parametrize(("numbers", "acc"), [([-3, -4], 1.0), ([-4, -3], 0.0), ([-3, -3], 0.0)])
def test_the_likeliest_choice_wins_and_a_tie_is_wrong(numbers, acc):
    assert marker("acc")(question(), numbers).metrics == {"acc": acc}


def test_length_is_counted_in_characters_or_in_bytes():
    asked = question(("好吧", "nope"))  # 2 and 4 characters, 6 and 4 bytes
    found = marker("acc", "acc_norm", "acc_bytes")(asked, [-6.0, -6.2]).metrics
    assert found == {"acc": 1.0, "acc_norm": 0.0, "acc_bytes": 1.0}
    tied = marker("acc_norm", "acc_bytes")(asked, [-3.0, -6.0]).metrics
    assert tied == {"acc_norm": 0.0, "acc_bytes": 1.0}


def test_one_of_several_right_choices_is_right():
    asked = question(("a", "b", "c"), 0, 2)
    mark = marker("acc")
    assert [mark(asked, n).metrics["acc"] for n in ([0, 1, 2], [0, 2, 1], [2, 1, 2])] == [1, 0, 0]


def test_brier_is_the_squared_distance_to_the_truth():
    numbers = [math.log(0.7), math.log(0.2), math.log(0.1)]
    found = marker("brier")(question(("a", "b", "c"), 1), numbers).metrics["brier"]
    assert found == pytest.approx(0.49 + 0.64 + 0.01)


def test_crows_pairs_counts_a_tie_as_half():
    more = [-10.2, -8.1, -9.9, -7, -12]
    less = [-10.9, -8.1, -9, -7.5, -12.4]
    mark = marker("pct_stereotype")
    scores = [
        mark(question(), pair).metrics["pct_stereotype"] for pair in zip(more, less, strict=True)
    ]
    assert np.mean(scores) == pytest.approx(0.7)


def test_classes_give_the_macro_f1_and_the_correlation_of_scikit_learn():
    generator = np.random.default_rng(1)
    gold = generator.integers(0, 3, 60)
    numbers = generator.normal(size=(60, 3)) + 1.5 * np.eye(3)[gold]
    mark = marker("macro_f1", "mcc", classes=(3,))
    found = [
        mark(question(("a", "b", "c"), g), row.tolist())
        for g, row in zip(gold, numbers, strict=True)
    ]
    pred = numbers.argmax(axis=1)
    for name, want in (
        ("macro_f1", f1_score(gold, pred, average="macro")),
        ("mcc", matthews_corrcoef(gold, pred)),
    ):
        sums = np.sum([each.sums[name] for each in found], axis=0)
        assert METRICS[name].value(sums) == pytest.approx(want)


def test_a_tie_answers_no_class():
    assert marker("macro_f1")(question(), [1.0, 1.0]).sums == {"macro_f1": [0, 0, 1, 0, 0, 0]}


def bias(condition, polarity, answer, target=2):
    doc = {
        "condition": condition, "polarity": polarity, "stereotyped": ["old"],
        "groups": ["old", "nonOld", "unknown"],
    }  # fmt: skip
    numbers = [float(place == answer) for place in range(3)]
    asked = question(("The old", "The young", "Cannot say"), target, doc=doc)
    return marker("bbq_bias_ambig", "bbq_bias_disambig", classes=(3,), roles=ROLES)(asked, numbers)


@pytest.mark.parametrize(
    ("condition", "polarity", "answer", "ambig", "disambig"),
    [
        ("ambig", "neg", 0, [0, 1, 1, 1], [0, 0]),
        ("ambig", "nonneg", 0, [0, 1, 0, 1], [0, 0]),
        ("ambig", "neg", 2, [1, 1, 0, 0], [0, 0]),
        ("disambig", "neg", 1, [0, 0, 0, 0], [0, 1]),
        ("disambig", "nonneg", 1, [0, 0, 0, 0], [1, 1]),
        ("disambig", "nonneg", 2, [0, 0, 0, 0], [0, 0]),
    ],
)
def test_bias_counts_answers_that_follow_the_stereotype(
    condition, polarity, answer, ambig, disambig
):
    sums = bias(condition, polarity, answer).sums
    assert sums == {"bbq_bias_ambig": ambig, "bbq_bias_disambig": disambig}


def test_bias_values_are_those_of_the_paper():
    biased = [bias("disambig", "neg", 0).sums["bbq_bias_disambig"]] * 30
    other = [bias("disambig", "neg", 1).sums["bbq_bias_disambig"]] * 20
    value = METRICS["bbq_bias_disambig"].value
    assert value(np.sum(biased + other, axis=0)) == pytest.approx(0.2)
    assert value(np.sum(other, axis=0)) == -1.0


def test_a_group_may_be_named_in_the_answer_alone():
    doc = {
        "condition": "ambig", "polarity": "neg", "stereotyped": ["Irish"],
        "groups": ["Europe", "unknown", "Europe"],
    }  # fmt: skip
    asked = question(("The Danish speaker", "Unclear", "The Irish speaker"), 1, doc=doc)
    mark = marker("bbq_bias_ambig", classes=(3,), roles=ROLES)
    assert mark(asked, [0.0, 0.0, 1.0]).sums["bbq_bias_ambig"] == [0, 1, 1, 1]
    asked = question(("The Danish speaker", "Unclear", "Another"), 1, doc=doc)
    with pytest.raises(BadBenchmarkError, match="one answer of the stereotyped group"):
        mark(asked, [0.0, 0.0, 1.0])


@pytest.mark.parametrize(
    ("names", "fields", "said"),
    [
        (["bleu"], {}, "use one of acc"),
        (["macro_f1"], {"classes": (2, 3)}, "no classes to count"),
        (["bbq_bias_ambig"], {}, "name it in roles"),
    ],
)
def test_metrics_that_do_not_fit_are_refused(names, fields, said):
    with pytest.raises(BadBenchmarkError, match=said):
        marker(*names, **fields)


def test_lengths_are_those_of_the_text_whatever_the_tokenizer():
    found = rolling_marks(["bits_per_byte", "byte_perplexity", "word_perplexity"], 12.0, "好 ab")
    assert found.sums["bits_per_byte"] == [12.0, pytest.approx(6 * math.log(2))]
    assert found.sums["byte_perplexity"] == [12.0, 6.0]
    assert found.sums["word_perplexity"] == [12.0, 2.0]
    for name, sums in found.sums.items():
        assert METRICS[name].value(np.array(sums)) == pytest.approx(found.metrics[name])


def test_an_empty_text_has_no_rate():
    assert rolling_marks(["bits_per_byte"], 0.0, "").metrics == {"bits_per_byte": None}


def test_a_continuation_is_right_when_it_is_what_the_model_would_say():
    found = continuing_marks(["acc", "perplexity"], 2.0, greedy=True)
    assert found.metrics == {"acc": 1.0, "perplexity": pytest.approx(math.exp(2))}
    assert found.sums == {"perplexity": [2.0, 1.0]}
    assert math.isfinite(continuing_marks(["perplexity"], 1e6, greedy=False).metrics["perplexity"])
