"""Values of metrics from sums: against sacrebleu and scikit-learn, and worked values of bias."""

from math import exp, log

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sacrebleu.metrics import BLEU, CHRF
from sklearn.metrics import f1_score, matthews_corrcoef

from training.statistics.metrics import METRICS, Kind, metric_named, pass_at_k

REFERENCES = [
    "the cat sat on the mat and looked at the dog",
    "it rained all day in the old harbour town",
    "she sells sea shells by the sea shore every summer",
]
ANSWERS = [
    "the cat sat on a mat and looked at the dog",
    "it rained all the day in an old town",
    "she sells shells by the shore in summer",
]
labels = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=40)


def near(value):
    return pytest.approx(value, abs=1e-6)


def class_sums(pairs, classes=3):
    """Per class: true positives, predicted, gold; one row an item."""
    rows = np.zeros((len(pairs), 3 * classes))
    for row, (gold, predicted) in zip(rows, pairs, strict=True):
        row[3 * gold + 2] += 1
        if predicted is not None:
            row[3 * predicted + 1] += 1
            row[3 * gold] += gold == predicted
    return rows


def test_bleu_is_sacrebleu_of_the_whole_corpus():
    bleu = BLEU()
    sums = np.array(bleu._extract_corpus_statistics(ANSWERS, [REFERENCES]))
    assert METRICS["bleu"].value(sums.sum(axis=0)) == near(
        bleu.corpus_score(ANSWERS, [REFERENCES]).score
    )


@pytest.mark.parametrize(
    "answers",
    [
        ["the dog", "a town", "sea"],  # no 4-gram at all: 0
        ["", "", ""],
        ["the cat sat here today again", "rain", "she sells many things"],  # no 4-gram matches
        ["zzz yyy xxx www vvv"] * 3,
        REFERENCES,
    ],
)
def test_bleu_has_the_edges_of_sacrebleu(answers):
    bleu = BLEU()
    sums = np.array(bleu._extract_corpus_statistics(answers, [REFERENCES]), dtype=float)
    expected = bleu.corpus_score(answers, [REFERENCES]).score
    assert METRICS["bleu"].value(sums.sum(axis=0)) == near(expected)


@pytest.mark.parametrize("answers", [ANSWERS, ["", "x", ""], ["", "", ""], REFERENCES])
def test_chrf_is_sacrebleu_of_the_whole_corpus(answers):
    chrf = CHRF()
    sums = np.array(chrf._extract_corpus_statistics(answers, [REFERENCES]), dtype=float)
    expected = chrf.corpus_score(answers, [REFERENCES]).score
    assert METRICS["chrf"].value(sums.sum(axis=0)) == near(expected)


@settings(max_examples=30, deadline=None)
@given(labels)
def test_macro_f1_is_that_of_scikit_learn(pairs):
    gold, predicted = zip(*pairs, strict=True)
    found = METRICS["macro_f1"].value(class_sums(pairs).sum(axis=0))
    assert found == near(f1_score(gold, predicted, average="macro", zero_division=0.0))


@settings(max_examples=30, deadline=None)
@given(labels)
def test_matthews_correlation_is_that_of_scikit_learn(pairs):
    gold, predicted = zip(*pairs, strict=True)
    assume(len(set(gold + predicted)) > 1)
    found = METRICS["mcc"].value(class_sums(pairs).sum(axis=0))
    assert found == near(matthews_corrcoef(gold, predicted))


def test_an_item_without_a_prediction_counts_against_the_correlation():
    pairs = [(0, 0)] * 5 + [(1, 1)] * 5 + [(0, None)] * 5
    found = METRICS["mcc"].value(class_sums(pairs).sum(axis=0))
    expected = matthews_corrcoef([g for g, _p in pairs], [2 if p is None else p for _g, p in pairs])
    assert found == near(expected)


def test_macro_f1_of_one_class_is_its_f1():
    gold, answer = [1, 1, 0, 0], [1, 1, 0, 1]
    sums = [[a * g, a, g] for g, a in zip(gold, answer, strict=True)]
    assert METRICS["macro_f1"].value(np.sum(sums, axis=0)) == near(0.8)


def test_bits_per_byte_have_their_worked_value():
    sums = [sum([120.5, 80.2, 200.1, 55.0]), log(2) * 380]
    assert METRICS["bits_per_byte"].value(np.array(sums)) == near(1.7304747360)


def test_perplexity_is_the_exponential_of_the_loss_and_never_overflows():
    metric = METRICS["word_perplexity"]
    assert metric.value(np.array([30.0, 10.0])) == near(exp(3.0))
    assert np.isfinite(metric.value(np.array([1e9, 1.0])))


@pytest.mark.parametrize(
    ("biased", "answers", "bias"), [(30, 50, 0.2), (0, 20, -1.0), (0, 0, 0.0), (20, 20, 1.0)]
)
def test_bbq_bias_has_its_worked_values(biased, answers, bias):
    assert METRICS["bbq_bias_disambig"].value(np.array([biased, answers])) == near(bias)


def test_bbq_bias_of_ambiguous_items_is_scaled_by_their_errors():
    assert METRICS["bbq_bias_ambig"].value(np.array([80, 100, 12, 20])) == near(0.04)
    assert METRICS["bbq_bias_ambig"].value(np.zeros(4)) == 0.0


@pytest.mark.parametrize(
    ("samples", "correct", "k", "share"),
    [(10, 3, 1, 0.3), (10, 3, 5, 0.9166666667), (5, 0, 3, 0.0), (5, 4, 2, 1.0)],
)
def test_pass_at_k_has_its_worked_values(samples, correct, k, share):
    assert pass_at_k(samples, correct, k) == near(share)


@pytest.mark.parametrize(("samples", "correct", "k"), [(3, 1, 4), (3, 4, 1), (3, 1, 0), (3, -1, 1)])
def test_pass_at_k_of_samples_that_were_not_drawn_is_refused(samples, correct, k):
    with pytest.raises(ValueError, match="pass@k"):
        pass_at_k(samples, correct, k)


@given(st.integers(1, 30), st.data())
def test_pass_at_k_rises_with_k_and_with_right_samples(samples, data):
    correct = data.draw(st.integers(0, samples))
    chances = [pass_at_k(samples, correct, k) for k in range(1, samples + 1)]
    assert chances == sorted(chances)
    assert chances[0] == pytest.approx(correct / samples)


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_takes_one_sum_or_many_alike(name):
    metric = METRICS[name]
    width = metric.width or 9
    rows = np.random.default_rng(1).integers(1, 9, size=(5, width)).astype(float)
    if name == "bleu":
        rows[:, 6:] = rows[:, 2:6] + 1
    values = metric.value(rows)
    assert values.shape == (5,)
    assert [metric.value(row) for row in rows] == pytest.approx(values)


def test_kinds_units_and_directions_are_those_of_the_field():
    assert METRICS["acc"].kind is Kind.MEAN
    assert METRICS["acc"].binary
    assert METRICS["bits_per_byte"].kind is Kind.RATIO
    lower = {name for name, metric in METRICS.items() if not metric.higher_is_better}
    assert lower == {
        "bits_per_byte", "byte_perplexity", "word_perplexity", "perplexity", "toxicity", "brier",
    }  # fmt: skip
    targets = {name: m.target for name, m in METRICS.items() if m.target is not None}
    assert targets == {"pct_stereotype": 0.5, "bbq_bias_ambig": 0.0, "bbq_bias_disambig": 0.0}


def test_an_unknown_metric_is_refused():
    with pytest.raises(ValueError, match="no metric vibes"):
        metric_named("vibes")


def test_a_vector_of_the_wrong_length_is_not_accepted():
    assert METRICS["bleu"].accepts(10)
    assert not METRICS["bleu"].accepts(9)
    assert METRICS["macro_f1"].accepts(6)
    assert not METRICS["macro_f1"].accepts(7)
    assert not METRICS["macro_f1"].accepts(0)
