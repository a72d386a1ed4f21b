"""The evaluate job on the tiny model."""

import json

import pytest

from tests.runner.conftest import TINY, Heard, read_rows, write_rows
from training.runner import evaluate
from training.runner.errors import BadJobError, StoppedError
from training.runner.job import Benchmark, EvaluateJob, Side
from training.runner.sides import Models

PAIRS = {
    "output_type": "multiple_choice", "doc_to_text": "",
    "doc_to_choice": "{{[sentence_good, sentence_bad]}}", "doc_to_target": 0,
}  # fmt: skip
SPAM = {
    "doc_to_text": "Message: {{text}}\nAnswer:", "doc_to_choice": ["ham", "spam"],
    "doc_to_target": "label",
}  # fmt: skip


@pytest.fixture
def job(tmp_path):
    blimp = [
        {"id": row["uid"], "doc": row, "chunk": number // 30}
        for number, row in enumerate(read_rows("blimp/test.jsonl"))
    ]
    spam = [{"id": str(n), "doc": row} for n, row in enumerate(read_rows("sms_spam/test.jsonl"))]

    def make(*sides, **changes):
        return EvaluateJob(
            out=str(tmp_path / "out"), done=str(tmp_path / "done"), batch_tokens=512,
            sides=list(sides) or [Side(name="base", model=str(TINY))],
            benchmarks=[
                Benchmark(name="blimp", definition=PAIRS,
                          items=str(write_rows(tmp_path / "blimp.jsonl", blimp))),
                Benchmark(name="sms_spam", definition=SPAM,
                          items=str(write_rows(tmp_path / "spam.jsonl", spam))),
            ],
            **changes,
        )  # fmt: skip

    return make


def items(heard):
    return {(e["side"], e["benchmark"], e["id"]): e for e in heard.of("item")}


def test_every_item_is_told_once_with_all_that_a_verdict_needs(job, heard, stop, tmp_path):
    result = evaluate.run(job(), heard, stop)
    assert result["items"] == {"blimp": 67, "sms_spam": 40}
    told = heard.of("item")
    assert len(told) == len(items(heard)) == 107
    for item in told:
        best = item["loglikelihoods"].index(max(item["loglikelihoods"]))
        assert item["pred"] == best and item["tie"] is False
        assert item["metrics"] == {"acc": float(best == item["target"])}
    assert heard.of("progress")[-1] == {
        "type": "progress", "done": 107, "total": 107, "unit": "items",
    }  # fmt: skip
    lines = (tmp_path / "out/result/questions-sms_spam.jsonl").read_text().splitlines()
    first = json.loads(lines[0])
    assert first["choices"] == ["ham", "spam"] and first["prompt"].startswith("Message: ")


def test_a_resumed_run_tells_only_the_rest_and_tells_it_alike(job, heard, stop, tmp_path):
    evaluate.run(job(), heard, stop)
    whole = heard.of("item")
    write_rows(tmp_path / "done/base/blimp.jsonl", whole[:30])
    rest = Heard()
    evaluate.run(job(), rest, stop)
    assert rest.of("item") == whole[30:]


def test_nothing_is_loaded_when_everything_is_known(job, heard, stop, tmp_path):
    evaluate.run(job(), heard, stop)
    for name in ("blimp", "sms_spam"):
        known = [item for item in heard.of("item") if item["benchmark"] == name]
        write_rows(tmp_path / f"done/base/{name}.jsonl", known)
    rest = Heard()
    result = evaluate.run(job(), rest, stop)
    assert result["seconds"] == {} and rest.of("item") == []
    assert rest.of("progress")[-1]["done"] == 107


def test_equal_choices_are_a_tie_and_wrong(job, heard, stop, tmp_path):
    rows = [{"id": "same", "doc": {"sentence_good": "Ay.", "sentence_bad": "Ay."}}]
    path = write_rows(tmp_path / "same.jsonl", rows)
    changed = job()
    changed.benchmarks[:] = [Benchmark(name="same", items=str(path), definition=PAIRS)]
    evaluate.run(changed, heard, stop)
    (item,) = heard.of("item")
    assert (item["tie"], item["metrics"], item["target"]) == (True, {"acc": 0.0}, 0)


def test_the_same_model_on_two_sides_scores_alike(job, heard, stop):
    sides = [Side(name=name, model=str(TINY)) for name in ("base", "candidate")]
    evaluate.run(job(*sides, dtype="bfloat16"), heard, stop)
    told = items(heard)
    for (side, *rest), item in told.items():
        if side == "base":
            assert told["candidate", *rest]["loglikelihoods"] == item["loglikelihoods"]


def test_a_request_to_stop_ends_it_between_two_batches(job, heard, stop):
    stop.asked = True
    with pytest.raises(StoppedError):
        evaluate.run(job(), heard, stop)
    assert heard.of("item") == []


@pytest.mark.parametrize("name", ["../x", "", "a/b", "x" * 65])
def test_names_that_could_not_be_files_are_refused(job, heard, stop, name):
    with pytest.raises(BadJobError, match="a name of its own"):
        evaluate.run(job(Side(name=name, model=str(TINY))), heard, stop)


def test_each_look_asks_what_no_earlier_one_asked_in_whole_chunks(job, heard, stop):
    sides = [Side(name=name, model=str(TINY)) for name in ("base", "candidate")]
    stages = [{"blimp": 10, "sms_spam": 40}, {"blimp": 31}, {"blimp": 67, "sms_spam": 40}]
    evaluate.run(job(*sides, stages=stages), heard, stop)
    counts = [0]
    for event in heard.all:
        if event["type"] == "item":
            counts[-1] += 1
        elif event["type"] == "look":
            assert event["number"] == len(counts)
            counts.append(0)
    assert counts == [2 * (30 + 40), 2 * 30, 2 * 7, 0]
    looked = items(heard)
    whole = Heard()
    evaluate.run(job(*sides), whole, stop)
    assert looked == items(whole)


@pytest.mark.parametrize(("memory_bytes", "times"), [(None, 1), (1 << 40, 1), (1 << 20, 3)])
def test_both_models_stay_loaded_between_looks_when_memory_allows(
    job, heard, stop, memory_bytes, times, monkeypatch
):
    loads = []
    load = Models._load
    monkeypatch.setattr(Models, "_load", lambda *which: loads.append(which) or load(*which))
    sides = [Side(name=name, model=str(TINY)) for name in ("base", "candidate")]
    stages = [{"blimp": n} for n in (30, 60, 67)]
    evaluate.run(job(*sides, stages=stages, memory_bytes=memory_bytes), heard, stop)
    assert len(loads) == 2 * times
