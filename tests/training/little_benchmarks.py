"""Benchmarks on which the model of two million parameters is clearly better than chance.

It has read Shakespeare, so they are made of plays that it has not read.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from itertools import islice
from typing import Any

from hub.models import Kind, Namespace, Repository
from tests.factories import make_repository
from tests.training.factories import DATASETS

Row = dict[str, Any]
WORDS = ("the", "I", "and", "to", "of", "my", "a", "you", "is", "in", "it", "be")
# More familiar or more polite, male or female: the model tells "you" and "he" wherever it can, so
# that the share of first words is set by how many pairs there are of each kind.
PAIRS = {
    "address": (("thou", "you"), ("thee", "you"), ("thy", "your")),
    "gender": (("he", "she"), ("his", "her"), ("him", "her")),
}
PAIRS_OF_KIND = {"address": 160, "gender": 240}
POEMS_TO_LEARN = 150

CHOICES = """\
task: NAME
test_split: NAME
doc_to_text: "{{text}}"
doc_to_choice: "{{choices}}"
doc_to_target: label
"""
ORDER = CHOICES.replace("NAME", "order")
NEXT = CHOICES.replace("NAME", "next")
PREFERENCE = f"""\
{CHOICES.replace("NAME", "preference")}metric_list: [{{metric: pct_stereotype}}]
weighbridge: {{direction: target, target: 0.5, group_by: kind}}
"""
SPEECHES = """\
task: speeches
dataset_kwargs: {data_files: {test: test.txt}, sample_by: paragraph}
test_split: test
output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: "{{text}}"
metric_list: [{metric: bits_per_byte}]
weighbridge: {sample: {order: file, limit: 200}}
"""
POEMS = """\
task: poems
test_split: poems
output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: "{{text}}"
metric_list: [{metric: bits_per_byte}]
weighbridge: {sample: {order: file, limit: 100}}
"""
FILES = {
    "order.yaml": ORDER, "next.yaml": NEXT, "preference.yaml": PREFERENCE,
    "speeches.yaml": SPEECHES, "poems.yaml": POEMS,
}  # fmt: skip


def make_little_benchmarks(namespace: Namespace, name: str = "plays") -> Repository:
    """A data set with all of them, and poems to train on that no benchmark asks for."""
    poems = (DATASETS / "songci" / "test.jsonl").read_text().splitlines()
    poems = [json.loads(line) for line in poems]
    rows = {
        "order": order_rows(), "next": next_rows(), "preference": preference_rows(),
        "learn": poems[:POEMS_TO_LEARN], "poems": poems[POEMS_TO_LEARN:],
    }  # fmt: skip
    files = {name: text.encode() for name, text in FILES.items()}
    files |= {f"{name}.jsonl": _lines(made) for name, made in rows.items()}
    files["test.txt"] = (DATASETS / "tinyshakespeare" / "test.txt").read_bytes()
    return make_repository(namespace, kind=Kind.DATASET, name=name, files=files)


def order_rows(step: int = 12) -> list[Row]:
    """Six words, and the three that follow them: as they stand, or in another order?"""
    source, rows = random.Random(0), []
    for words in _speeches():
        for start in range(0, len(words) - 9, step):
            right = words[start + 6 : start + 9]
            if len(set(right)) < 3:
                continue
            wrong = right[:]
            while wrong == right:
                source.shuffle(wrong)
            text = " ".join(words[start : start + 6])
            rows.append(_row(len(rows), text, [" ".join(right), " ".join(wrong)], 0))
    return rows


def next_rows(most: int = 900) -> list[Row]:
    """Up to six words, and which of twelve frequent words follows them."""
    return [
        _row(number, text, list(WORDS), WORDS.index(word))
        for number, (text, word) in enumerate(islice(_cloze(WORDS), most))
    ]


def preference_rows() -> list[Row]:
    """A place where one word of a pair stands: is the pair's first word the likelier one?"""
    rows: list[Row] = []
    for kind, pairs in PAIRS.items():
        found = [(text, pair) for pair in pairs for text, _word in _cloze(pair)]
        for text, pair in random.Random(0).sample(found, PAIRS_OF_KIND[kind]):
            rows.append(_row(len(rows), text, list(pair), 0) | {"kind": kind})
    return rows


def _speeches() -> Iterator[list[str]]:
    text = (DATASETS / "tinyshakespeare" / "test.txt").read_text()
    for speech in text.split("\n\n"):
        yield speech.strip().split("\n", 1)[-1].split()


def _cloze(words: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Every place of one of `words`, with the two to six words before it."""
    for speech in _speeches():
        for place in range(2, len(speech)):
            word = speech[place].rstrip(",.;:!?")
            if word in words:
                yield " ".join(speech[max(0, place - 6) : place]), word


def _row(number: int, text: str, choices: list[str], label: int) -> Row:
    return {"number": number, "text": text, "choices": choices, "label": label}


def _lines(rows: list[Row]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
