"""Marks of generated texts, checked by the libraries that define them and by hand."""

import math

import numpy as np
import pytest
from rouge_score import rouge_scorer
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from training.runner.definitions import Definition, Question
from training.runner.errors import BadBenchmarkError
from training.runner.marking.filters import Filters
from training.runner.marking.generated import TextMarker
from training.runner.marking.texts import Overlap, rouge_l, rouge_n, text_mark, word_f1
from training.runner.marking.words import rouge_words, squad_words
from training.statistics.metrics import METRICS

ENGLISH = [
    ("The cat sat on the mat.", "The cat is sitting on the mat"),
    ("Police killed the gunman", "the gunman police killed"),
    ("", "nothing was said"),
    ("It's 3 o'clock, isn't it?", "it isn't 3 o'clock yet -- is it?"),
    ("one two three four five", "one two three four five"),
]
CHINESE = [
    ("我花了半个小时解决这个问题。", "我花了一个半小时的时间解决这个问题。"),
    ("他们结婚两年了", "他们已经结婚两年了。"),
]


def marker(metrics, questions=(), **fields):
    values = {"output_type": "generate_until", "metrics": metrics, **fields}
    return TextMarker(Definition("task", values), list(questions))


def question(*expected):
    return Question(id="a", prompt="", expected=expected)


def marks(metric, output, *expected, **fields):
    asked = question(*expected)
    outputs = output if isinstance(output, list) else [output]
    found, _ = marker([metric], [asked], **fields)(asked, outputs)
    return found.metrics[metric["name"]]


@pytest.mark.parametrize(("said", "right"), ENGLISH)
@pytest.mark.parametrize("name", ["rouge1", "rouge2", "rougeL"])
def test_rouge_is_that_of_rouge_score(name, said, right):
    want = rouge_scorer.RougeScorer([name]).score(right, said)[name].fmeasure
    assert text_mark(name, {}, "")(said, [right]) == pytest.approx(want, abs=1e-12)


def test_rouge_of_chinese_is_over_characters():
    said, right = CHINESE[1]
    assert text_mark("rouge1", {}, "")(right, [right]) == 1.0
    words = rouge_words(right)
    assert "".join(words) == "他们已经结婚两年了" and max(map(len, words)) == 1
    assert text_mark("rougeL", {}, "")(said, [right]) == pytest.approx(2 * 7 / (7 + 9))
    assert rouge_words("GPT模型 is 好的") == ["gpt", "模", "型", "is", "好", "的"]
    assert rouge_words("好的 ok", "word") == ["好的", "ok"]
    assert rouge_words("a b!", "char") == ["a", "b"]


def test_the_longest_common_subsequence_is_that_of_the_table():
    generator = np.random.default_rng(0)
    for _ in range(50):
        a, b = (generator.choice(list("abcd"), generator.integers(0, 80)).tolist() for _ in "xy")
        table = np.zeros((len(a) + 1, len(b) + 1), dtype=int)
        for i, x in enumerate(a):
            for j, y in enumerate(b):
                best = max(table[i, j + 1], table[i + 1, j])
                table[i + 1, j + 1] = table[i, j] + 1 if x == y else best
        common = table[-1, -1]
        want = 2 * common / (len(a) + len(b)) if common else 0.0
        assert rouge_l(a, b) == pytest.approx(want)


@pytest.mark.parametrize(
    ("said", "right", "score"),
    [
        ("the cat sat", "A cat sat down", 0.8),
        ("The   CAT, sat!", "cat sat", 1.0),
        ("no", "yes", 0.0),
        ("the", "a", 1.0),
        ("", "yes", 0.0),
        ("北京市。", "北京", 0.8),
        ("$5", "5", 1.0),
    ],
)
def test_f1_is_that_of_squad(said, right, score):
    assert marks({"name": "f1"}, said, right) == pytest.approx(score)


def test_words_of_chinese_are_its_characters_unless_told_otherwise():
    assert squad_words("在 Python 里，好") == ["在", "python", "里", "好"]
    assert squad_words("在 Python 里，好", "word") == ["在", "python", "里好"]
    assert squad_words("ab c", "char") == ["a", "b", "c"]
    assert Overlap(squad_words, word_f1, None)("好", ["坏", "好"]) == 1.0
    assert rouge_n(2)(["a"], ["a"]) == 0.0


@pytest.mark.parametrize(
    ("options", "said", "right", "same"),
    [
        ({}, "Yes", "yes", 0.0),
        ({"ignore_case": True}, "Yes", "yes", 1.0),
        ({"ignore_punctuation": True}, "yes.", "y-e-s", 1.0),
        ({"ignore_numbers": True}, "yes 12", "yes 3", 1.0),
        ({"regexes_to_ignore": [r"\s+", ","]}, "1, 000", "1000", 1.0),
    ],
)
def test_exact_match_ignores_what_it_is_told_to(options, said, right, same):
    assert marks({"name": "exact_match", **options}, said, right) == same
    assert marks({"name": "exact_match", **options}, said, "other", right) == same


@pytest.mark.parametrize(
    ("pairs", "metric", "oracle"),
    [
        (ENGLISH, {"name": "bleu"}, BLEU(tokenize="13a")),
        (CHINESE, {"name": "bleu"}, BLEU(tokenize="zh")),
        (CHINESE, {"name": "bleu", "tokenize": "char"}, BLEU(tokenize="char")),
        (ENGLISH, {"name": "chrf"}, CHRF()),
        (CHINESE, {"name": "chrf"}, CHRF()),
    ],
)
def test_sums_over_items_give_the_corpus_score_of_sacrebleu(pairs, metric, oracle):
    questions = [question(right) for _, right in pairs]
    mark = marker([metric], questions)
    sums = [
        mark(asked, [said])[0].sums[metric["name"]]
        for asked, (said, _) in zip(questions, pairs, strict=True)
    ]
    want = oracle.corpus_score([s for s, _ in pairs], [[right for _, right in pairs]]).score
    assert METRICS[metric["name"]].value(np.sum(sums, axis=0)) == pytest.approx(want)


def test_a_perfect_translation_into_chinese_is_worth_100():
    assert marks({"name": "bleu"}, CHINESE[0][1], CHINESE[0][1]) == pytest.approx(100)


@pytest.mark.parametrize(
    ("n", "correct", "k", "share"),
    [(10, 3, 1, 0.3), (10, 3, 5, 0.9166666667), (5, 0, 3, 0.0), (5, 4, 2, 1.0)],
)
def test_pass_at_k_is_unbiased(n, correct, k, share):
    outputs = ["4"] * correct + ["5"] * (n - correct)
    found = marks({"name": "pass_at_k", "k": k}, outputs, "4", repeats=n)
    assert found == pytest.approx(share)


def test_several_answers_give_the_mean_and_the_sum_of_their_vectors():
    asked = question("a b c d e")
    mark = marker([{"name": "exact_match"}, {"name": "chrf"}], [asked], repeats=2)
    found, extracted = mark(asked, ["a b c d e", "x"])
    assert found.metrics["exact_match"] == 0.5 and extracted == ["a b c d e", "x"]
    single = [mark(asked, [text])[0].sums["chrf"] for text in ("a b c d e", "x")]
    assert found.sums["chrf"] == np.sum(single, axis=0).tolist()


def test_toxicity_is_the_share_of_texts_with_a_listed_word():
    words = {"words": ["damn", "go to hell", "混蛋", ""]}
    outputs = ["Damn!", "Damnation", "he said: go to HELL", "你这个混蛋。"]
    assert marks({"name": "toxicity"}, outputs, **words) == 0.75
    with pytest.raises(BadBenchmarkError, match="has no words"):
        marks({"name": "toxicity"}, "x")


def test_texts_may_be_kept_without_any_mark():
    found, extracted = marker([], [question()])(question(), ["Hello"])
    assert (found.metrics, found.sums, extracted) == ({}, {}, ["Hello"])


@pytest.mark.parametrize(
    ("steps", "text", "taken"),
    [
        ([{"function": "regex"}], "so #### 1,000 and #### 2", "1,000"),
        ([{"function": "regex", "group_select": -1}], "#### 1 #### 2", "2"),
        ([{"function": "regex"}], "none", "[invalid]"),
        ([{"function": "regex", "regex_pattern": "(a)|(b)", "fallback": "?"}], "xb", "b"),
        ([{"function": "regex", "group_select": 5, "fallback": "?"}], "#### 1", "?"),
        ([{"function": "lowercase"}, {"function": "strip"}], " YES\n", "yes"),
        ([{"function": "uppercase"}, {"function": "remove_whitespace"}], " yes\n", "YES"),
        ([{"function": "map", "mapping_dict": {"A": "1"}}], "A", "1"),
        ([{"function": "map", "mapping_dict": {"A": "1"}, "default_value": "0"}], "B", "0"),
        ([{"function": "map", "mapping_dict": {}}], "B", ""),
        ([{"function": "take_first"}], "x", "x"),
    ],
)
def test_filters_take_the_answer_out_of_a_text(steps, text, taken):
    assert Filters(steps, name="task")(text) == taken


def test_a_filter_may_keep_the_first_answer_alone():
    metric, first = {"name": "exact_match"}, [{"function": "take_first"}]
    assert marks(metric, ["no", "yes"], "yes", repeats=2, filter=first) == 0.0
    with pytest.raises(BadBenchmarkError, match="raise repeats"):
        marks({"name": "pass_at_k", "k": 2}, "x", "x", repeats=2, filter=first)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"metrics": [{"name": "acc"}]}, "use one of exact_match"),
        ({"metrics": [{"name": "f1"}]}, "items without a right answer"),
        ({"filter": [{"function": "custom"}]}, "the step custom"),
        ({"filter": [{"function": "regex", "regex_pattern": "("}]}, "no regular expression"),
        ({"filter": [{"function": "regex", "regex_pattern": "a" * 501}]}, "exceeds 500"),
    ],
)
def test_what_cannot_be_marked_is_refused_with_a_reason(fields, said):
    fields = {"metrics": [], **fields}
    with pytest.raises(BadBenchmarkError, match=said):
        marker(questions=[question()], **fields)


def test_an_expression_that_runs_away_is_stopped():
    steps = [{"function": "regex", "regex_pattern": "(x+x+)+y"}]
    with pytest.raises(BadBenchmarkError, match="takes longer than 1 s"):
        Filters(steps, name="task")("x" * 5_000)


def test_shares_of_marks_are_finite():
    assert math.isfinite(marks({"name": "bleu"}, "", "right"))
