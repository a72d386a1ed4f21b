"""A verdict over 50 000 items in the hub of this process's environment, through the hub's own code.

`python -m bench.gate.verdict_data` prints the address of the pull request and some item ids. The
answers are scripted; everything behind the runner is real: specs, looks, statistics, stored items,
texts and the comparison that the pages read.
"""

from __future__ import annotations

import json
import os
import random
from typing import Any

CHOICE_ITEMS, TEXT_ITEMS = 40_000, 10_000
GROUPS = 57
WORDS = 45


def main() -> None:
    from hub.supervisor import Services

    os.environ["DJANGO_SETTINGS_MODULE"] = "hub.config.settings"
    os.environ.update(Services.of_environment().environment())
    import django

    django.setup()
    print(json.dumps(build()))  # noqa: T201 - what the caller reads


def build() -> dict[str, Any]:
    """Weigh it; the address and what filters can look for."""
    from hub.models import Access
    from tests.factories import actor, make_organization
    from tests.training.acting import Act, set_stage
    from training.actions import submitting
    from training.actions.examples import Query, find_examples

    submitting.ring = lambda *_asked: None  # type: ignore[assignment]  # no worker takes it from us
    exam = Act("exam", _questions(), _picks, rule="margin: 0.02")
    summary = Act("summary", _texts(), _writes, text=_SUMMARY, rule="margin: 0.1")
    namespace = make_organization("verdicts")
    stage = set_stage(exam, summary, namespace=namespace, gate="looks: 1\n", name="large")
    record = stage.play()
    stage.model.access = Access.READ
    found = find_examples(stage.model, record, actor(), Query(direction="same"), count=20)
    return {
        "url": stage.url,
        "verdict": record.verdict,
        "items": sum(result["n"] for result in record.results),
        "ids": [example.item for example in found.examples],
    }


_SUMMARY = """\
task: NAME
test_split: NAME
output_type: generate_until
doc_to_text: "{{question}}"
doc_to_target: "{{answer}}"
metric_list: [{metric: rougeL}]
weighbridge: {group_by: kindMORE}
"""
_VOCABULARY = [f"{a}{b}{c}" for a in "bdfgklmnprst" for b in "aeiou" for c in ("n", "r", "l", "st")]


def _words(seed: int, count: int) -> str:
    return " ".join(random.Random(seed).choices(_VOCABULARY, k=count))  # noqa: S311


def _questions() -> list[dict[str, Any]]:
    """Four choices each, as long as those of a school exam."""
    return [
        {
            "number": number,
            "question": f"{_words(number, WORDS + number % 90)}?",
            "choices": [f"{_words(number * 5 + k, 6)} {k}" for k in range(4)],
            "label": number % 4,
            "kind": f"subject {number % GROUPS}",
        }
        for number in range(CHOICE_ITEMS)
    ]


def _picks(side: str, doc: dict[str, Any]) -> dict[str, Any]:
    """Three of four are right; one in twenty differs between the sides."""
    chance = random.Random(doc["number"])  # noqa: S311
    right = chance.random() < 0.75
    if chance.random() < 0.05 and side == "candidate":
        right = not right
    picked = doc["label"] if right else (doc["label"] + 1) % 4
    likelihoods = [-3.0 - chance.random() for _ in range(4)]
    likelihoods[picked] = -1.5 - chance.random()
    return {
        "metrics": {"acc": float(right)}, "pred": picked, "target": doc["label"],
        "loglikelihoods": likelihoods,
    }  # fmt: skip


def _texts() -> list[dict[str, Any]]:
    return [
        {
            "number": number,
            "question": f"Say it shorter: {_words(number, 80)}",
            "answer": _words(number + 1, 30),
            "kind": f"source {number % 9}",
        }
        for number in range(TEXT_ITEMS)
    ]


def _writes(side: str, doc: dict[str, Any]) -> dict[str, Any]:
    chance = random.Random(f"{side}{doc['number']}")  # noqa: S311
    said = " ".join(w if chance.random() < 0.8 else "uh" for w in doc["answer"].split())
    return {"metrics": {"rougeL": chance.random()}, "output": said, "extracted": said}


if __name__ == "__main__":
    main()
