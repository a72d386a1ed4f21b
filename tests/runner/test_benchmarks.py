"""Benchmarks as files: read like lm-evaluation-harness reads them, or refused with a reason."""

import pytest

from tests.runner.conftest import write_rows
from training.runner.benchmarks import read_benchmark
from training.runner.definitions import Question
from training.runner.errors import BadBenchmarkError
from training.runner.job import Benchmark

SPAM = {
    "output_type": "multiple_choice", "doc_to_text": "Message: {{text}}\nAnswer:",
    "doc_to_choice": ["ham", "spam"], "doc_to_target": "{{label}}",
}  # fmt: skip
DOC = {"text": "Hi", "label": "spam"}
ITEM = {"id": "a", "doc": DOC, "chunk": 3}


def read(tmp_path, definition, *items):
    path = write_rows(tmp_path / "items.jsonl", list(items))
    benchmark = Benchmark(name="sms", items=str(path), definition=definition)
    return read_benchmark(benchmark).questions


def test_an_item_becomes_prompt_choices_and_target(tmp_path):
    assert read(tmp_path, SPAM, ITEM) == [
        Question(
            id="a",
            prompt="Message: Hi\nAnswer:",
            choices=("ham", "spam"),
            targets=(1,),
            expected=("spam",),
            chunk=3,
            doc=DOC,
        )
    ]


@pytest.mark.parametrize(
    ("choices", "target", "doc", "expected"),
    [
        ("{{[good, bad]}}", 0, {"good": "It's", "bad": 'He "is"'}, (("It's", 'He "is"'), 0)),
        ("options", "answer", {"options": ["x", "y"], "answer": 1}, (("x", "y"), 1)),
        ("options", "{{answer}}", {"options": ["x", "y"], "answer": 1}, (("x", "y"), 1)),
        (["x", "y"], "answer", {"answer": "y"}, (("x", "y"), 1)),
    ],
)
def test_choices_and_target_take_every_declarative_form(tmp_path, choices, target, doc, expected):
    definition = {"doc_to_choice": choices, "doc_to_target": target}
    (question,) = read(tmp_path, definition, {"id": "a", "doc": doc})
    assert (question.choices, question.target) == expected


@pytest.mark.parametrize(
    ("change", "items", "said"),
    [
        ({"process_docs": "!function x"}, [ITEM], "field process_docs"),
        ({"output_type": "greedy_until"}, [ITEM], "use one of .*multiple_choice"),
        ({"doc_to_text": "{{body}}"}, [ITEM], "'body' is undefined"),
        ({"doc_to_choice": "{{text}}"}, [ITEM], "no list of 2 to 64 choices"),
        ({"doc_to_choice": ["only"]}, [ITEM], "no list of 2 to 64 choices"),
        ({"doc_to_target": "text"}, [ITEM], "none of its choices"),
        ({"doc_to_target": 2}, [ITEM], "none of its choices"),
        ({}, [ITEM, ITEM], "the id a twice"),
        ({}, [{"id": 3, "doc": {}}], "lacks its id"),
        ({}, [], "has no items"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_a_reason(tmp_path, change, items, said):
    with pytest.raises(BadBenchmarkError, match=said):
        read(tmp_path, SPAM | change, *items)


@pytest.mark.parametrize("line", ["{", "[1]", "x" * (2 << 20), "[" * 100_000])
def test_a_broken_line_is_named(tmp_path, line):
    path = tmp_path / "items.jsonl"
    path.write_text(line)
    with pytest.raises(BadBenchmarkError, match=r"items\.jsonl"):
        read_benchmark(Benchmark(name="sms", items=str(path), definition=SPAM))
