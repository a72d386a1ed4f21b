"""One evaluate job with every kind of answer that a language model gives."""

import json
import math

import pytest

from tests.runner.conftest import TINY, read_rows, write_rows
from training.runner import evaluate
from training.runner.job import Benchmark, EvaluateJob, Side

SPAM = read_rows("sms_spam/test.jsonl")[:12]
SHOTS = read_rows("sms_spam/train.jsonl")[:3]
KINDS = {
    "choices": {
        "output_type": "multiple_choice", "doc_to_text": "Message: {{text}}\nAnswer:",
        "description": "Which are spam?\n\n", "doc_to_choice": ["ham", "spam"],
        "doc_to_target": "label", "metrics": [{"name": "acc"}, {"name": "macro_f1"}],
    },
    "gaps": {
        "output_type": "multiple_choice", "doc_to_text": "{{ 1 if label == 'spam' else 0 }}",
        "doc_to_choice": "{{ ['Keep: ' + text[:20], 'Drop: ' + text[:20]] }}",
        "doc_to_target": "{{text[20:40]}}", "metrics": [{"name": "acc"}],
    },
    "endings": {
        "output_type": "loglikelihood", "doc_to_text": "{{text[:20]}}",
        "doc_to_target": "{{text[20:]}}", "metrics": [{"name": "acc"}, {"name": "perplexity"}],
    },
    "texts": {
        "output_type": "loglikelihood_rolling", "doc_to_target": "text",
        "metrics": [{"name": "bits_per_byte"}],
    },
    "answers": {
        "output_type": "generate_until", "doc_to_text": "Message: {{text}}\nAnswer:",
        "doc_to_target": "label", "generation_kwargs": {"until": ["\n"], "max_gen_toks": 8},
        "filter": [{"function": "remove_whitespace"}],
        "metrics": [{"name": "exact_match"}, {"name": "bleu"}],
    },
    "draws": {
        "output_type": "generate_until", "doc_to_text": "text", "repeats": 3, "metrics": [],
        "generation_kwargs": {"do_sample": True, "max_gen_toks": 4},
    },
}  # fmt: skip


@pytest.fixture
def run(tmp_path, heard, stop):
    items = write_rows(
        tmp_path / "items.jsonl",
        [{"id": str(n), "doc": row, "chunk": n // 5} for n, row in enumerate(SPAM)],
    )
    shots = write_rows(tmp_path / "shots.jsonl", SHOTS)

    def carry_out(*names, model=TINY, **changes):
        benchmarks = [
            Benchmark(name=name, items=str(items), definition=KINDS[name],
                      fewshot=str(shots) if name in ("choices", "answers") else None)
            for name in names
        ]  # fmt: skip
        evaluate.run(
            EvaluateJob(
                out=str(tmp_path / "out"), done=str(tmp_path / "done"), batch_tokens=512,
                sides=[Side(name="base", model=str(model))], benchmarks=benchmarks, **changes,
            ),
            heard, stop,
        )  # fmt: skip
        told = heard.of("item")
        return {(e["benchmark"], e["id"]): e for e in told}

    return carry_out


def test_every_kind_of_answer_is_told_with_its_own_fields(run):
    told = run(*KINDS)
    assert len(told) == len(KINDS) * len(SPAM)
    of = {name: [told[name, str(n)] for n in range(len(SPAM))] for name in KINDS}
    assert len({frozenset(event) for event in told.values()}) == 1
    assert all(len(event["sums"]["macro_f1"]) == 6 for event in of["choices"])
    for event, row in zip(of["gaps"], SPAM, strict=True):
        assert event["target"] == int(row["label"] == "spam")
        assert len(event["loglikelihoods"]) == 2
    for event in of["endings"]:
        (value,) = event["loglikelihoods"]
        assert event["nll"] == -value and event["tokens"] > 0
        assert event["sums"]["perplexity"] == pytest.approx([-value, 1.0])
    for event, row in zip(of["texts"], SPAM, strict=True):
        size = len(row["text"].encode())
        assert event["bytes"] == size
        assert event["sums"]["bits_per_byte"] == pytest.approx([event["nll"], math.log(2) * size])
    for event in of["answers"]:
        assert "\n" not in event["output"] and event["extracted"] == event["output"].strip()
        assert len(event["sums"]["bleu"]) == 10 and event["tokens"] <= 8
    for event in of["draws"]:
        assert len(event["outputs"]) == 3 and event["metrics"] == {}


def test_the_examples_are_not_shown_again_with_every_question(run, tmp_path):
    run("choices", "texts")
    (first, *_) = (tmp_path / "out/result/questions-choices.jsonl").read_text().splitlines()
    row = json.loads(first)
    assert row["prompt"] == f"Message: {SPAM[0]['text']}\nAnswer:"
    assert row["expected"] == SPAM[0]["label"] and row["context"] == ""
    (first, *_) = (tmp_path / "out/result/questions-texts.jsonl").read_text().splitlines()
    assert json.loads(first)["expected"] == SPAM[0]["text"]


@pytest.mark.parametrize("name", ["choices", "answers", "draws"])
def test_an_item_s_numbers_depend_on_its_chunk_alone(run, heard, tmp_path, name):
    whole = run(name)
    lines = (tmp_path / "items.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "items.jsonl").write_text("".join(lines[5:10] + lines[:5]))
    heard.stream.truncate(0)
    heard.stream.seek(0)
    again = run(name)
    assert again == {key: whole[key] for key in again} and len(again) == 10


def test_numbers_that_are_not_finite_are_null(run, tmp_path):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(TINY)
    model.get_output_embeddings().weight.data[:] = torch.nan
    model.save_pretrained(tmp_path / "broken")
    AutoTokenizer.from_pretrained(TINY).save_pretrained(tmp_path / "broken")
    told = run(*KINDS, model=tmp_path / "broken")
    for (name, _), event in told.items():
        assert set(event["metrics"].values()) <= {None} and event["output"] is None
        assert set(event["loglikelihoods"]) == (set() if name in ("answers", "draws") else {None})
        assert event["sums"] == {} and event["pred"] is None and event["nll"] is None
