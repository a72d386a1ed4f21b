"""What the command line of lm-evaluation-harness writes today is accepted, whatever its shape."""

from __future__ import annotations

import json

import pytest

from hub.models import Access, Kind
from tests.factories import actor, commit_files, make_member, make_organization, make_repository
from tests.runner.harness import ask_harness, write_task
from tests.training.factories import TINY, commit, large
from training.actions.reporting import report_evaluation
from training.models import Evaluation

pytestmark = pytest.mark.django_db
COUNT = 12
WORDS = ("king", "crown", "night", "heart", "sword", "grief", "love", "wind", "sea", "hand", "eye")


def spread(number: int) -> str:
    return f"{WORDS[number % 11]} and {WORDS[number * 7 % 11]}"


def choosing(text: str, choices: object, target: object, *metrics: str) -> dict[str, object]:
    return {
        "output_type": "multiple_choice", "doc_to_text": text, "doc_to_choice": choices,
        "doc_to_target": target, "metrics": [{"name": name} for name in metrics],
    }  # fmt: skip


def row(number: int) -> dict[str, object]:
    right = number % 2
    return {
        "q": f"The {spread(number)} of", "label": ["ham", "spam"][right], "place": right,
        "text_place": str(right), "choices": [spread(number), spread(number + 3)],
        "same": ["my lord"] * 2, "both": [0, 1],
        "prompts": [f"The {spread(number)} is", f"A {spread(number + 5)} is"], "end": "with me.",
    }  # fmt: skip


TASKS = {
    "labels": choosing("{{q}}", ["ham", "spam"], "{{label}}", "acc", "acc_norm"),
    "column": choosing("{{q}}", ["ham", "spam"], "label", "acc", "acc_bytes"),
    "places": choosing("{{q}}", "choices", "place", "acc", "acc_norm"),
    "texts": choosing("{{q}}", "{{choices}}", "{{text_place}}", "acc", "acc_norm"),
    "computed": choosing("{{q}}", "{{choices}}", "{{1 - place}}", "acc", "acc_norm"),
    "several": choosing("{{q}}", "choices", "both", "acc"),
    "ties": choosing("{{q}}", "same", "place", "acc"),
    "gaps": choosing("place", "prompts", "{{end}}", "acc"),
    "ends": {
        "output_type": "loglikelihood", "doc_to_text": "{{q}}", "doc_to_target": "{{end}}",
        "metrics": [{"name": "acc"}, {"name": "perplexity"}],
    },
    "whole": {
        "output_type": "loglikelihood_rolling", "doc_to_text": "", "doc_to_target": "{{q}} {{end}}",
        "metrics": [{"name": "bits_per_byte"}, {"name": "word_perplexity"}],
    },
}  # fmt: skip


@pytest.fixture
def model():
    namespace = make_organization()
    repository = make_repository(namespace, name="tiny")
    commit(
        repository,
        [large(repository, "model.safetensors", (TINY / "model.safetensors").read_bytes())],
    )
    repository.access = Access.WRITE
    return repository


def test_every_shape_of_an_honest_file_is_accepted(model, tmp_path):
    rows = [row(number) for number in range(COUNT)]
    folder = tmp_path / "harness"
    for name, definition in TASKS.items():
        write_task(folder, name, definition, rows)
    ask_harness(folder, TINY, list(TASKS))
    files = {"rows.jsonl": "".join(json.dumps(each) + "\n" for each in rows).encode()}
    for name, definition in TASKS.items():
        task = {key: value for key, value in definition.items() if key != "metrics"}
        task |= {"task": name, "test_split": "rows", "weighbridge": {"sample": {"order": "file"}}}
        task["metric_list"] = [{"metric": metric["name"]} for metric in definition["metrics"]]
        files[f"{name}.yaml"] = json.dumps(task).encode()
    data = make_repository(model.namespace, kind=Kind.DATASET, name="shapes")
    commit_files(data, files)
    (results,) = (folder / "out").rglob("results_*.json")
    person = actor(make_member(model.namespace, access=Access.WRITE))
    for name in TASKS:
        (samples,) = (folder / "out").rglob(f"samples_{name}_*.jsonl")
        with samples.open("rb") as stream:
            report_evaluation(
                model, person, benchmark=f"{data.repo_id}:{name}.yaml",
                results=results.read_bytes(), samples=stream, task=name,
            )  # fmt: skip
    kept = {each.benchmark.task: each for each in Evaluation.objects.select_related("benchmark")}
    assert kept.keys() == TASKS.keys()
    assert all(each.item_count == COUNT for each in kept.values())
    assert kept["several"].score == 1.0
    assert kept["ties"].score == 0.0, "the harness says half of these are right"
