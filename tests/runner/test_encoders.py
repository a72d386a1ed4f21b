"""Encoders on a small random BERT: labels by its head, choices by its embeddings."""

import json
import math

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    AutoModel,
    AutoModelForSequenceClassification,
    BertConfig,
    BertForSequenceClassification,
    PreTrainedTokenizerFast,
)

from tests.runner.conftest import Heard, read_rows, write_rows
from training.runner import evaluate
from training.runner.errors import BadBenchmarkError, BadModelError
from training.runner.job import Benchmark, EvaluateJob, Side
from training.runner.stopping import Stop

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
ROWS = [{"text": row["text"], "label": row["label"]} for row in read_rows("sms_spam/test.jsonl")]
NAMED = {0: "spam", 1: "ham"}


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    """A folder with the model and its tokenizer, labels spam and ham."""
    folder = tmp_path_factory.mktemp("bert")
    words = sorted({word for row in ROWS for word in row["text"].split()} | {"spam", "ham"})
    vocabulary = {word: number for number, word in enumerate([*SPECIAL, *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]",
        sep_token="[SEP]", model_max_length=24,
    ).save_pretrained(folder)  # fmt: skip
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=64, max_position_embeddings=24, initializer_range=0.5,
        id2label=NAMED, label2id={name: place for place, name in NAMED.items()},
    )  # fmt: skip
    BertForSequenceClassification(config).save_pretrained(folder)
    return folder


def ask(folder, tmp_path, rows=ROWS, **definition):
    items = [{"id": str(n), "doc": row, "chunk": n // 16} for n, row in enumerate(rows)]
    path = write_rows(tmp_path / "items.jsonl", items)
    benchmark = Benchmark(
        name="sms", items=str(path), definition={"doc_to_text": "text", **definition}
    )
    job = EvaluateJob(
        out=str(tmp_path / "out"), done=str(tmp_path), batch_tokens=128,
        sides=[Side(name="base", model=str(folder))], benchmarks=[benchmark],
    )  # fmt: skip
    heard = Heard()
    evaluate.run(job, heard, Stop())
    return sorted(heard.of("item"), key=lambda event: int(event["id"]))


@torch.inference_mode()
def logits_alone(folder, text):
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    given = tokenizer(text, truncation=True, return_tensors="pt")
    return model(**given).logits[0].log_softmax(0).tolist()


@torch.inference_mode()
def embedding_alone(folder, text):
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder).eval()
    given = tokenizer(text, truncation=True, return_tensors="pt")
    return model(**given).last_hidden_state[0].mean(0)


def test_labels_are_those_of_each_text_alone(bert, tmp_path):
    """Classes stand in the order of their names: ham, spam."""
    metrics = [{"name": name} for name in ("acc", "macro_f1", "mcc")]
    events = ask(
        bert, tmp_path, output_type="classification", doc_to_target="label", metrics=metrics
    )
    assert len(events) == len(ROWS)
    for event, row in zip(events[:8], ROWS, strict=False):
        spam, ham = logits_alone(bert, row["text"])
        assert event["loglikelihoods"] == pytest.approx([ham, spam], abs=1e-5)
        assert event["pred"] == int(spam > ham)
        assert event["target"] == ["ham", "spam"].index(row["label"])
        right = event["pred"] == event["target"]
        assert event["metrics"] == dict.fromkeys(("acc", "macro_f1", "mcc"), float(right))
        assert len(event["sums"]["macro_f1"]) == 6
    assert {event["truncated"] for event in events} == {True, False}


@pytest.mark.parametrize(
    ("choices", "target"), [(["spam", "ham"], "label"), (None, "{{ 1 if label == 'ham' else 0 }}")]
)
def test_classes_stand_in_the_order_of_the_choices_or_of_the_indices(
    bert, tmp_path, choices, target
):
    fields = {"doc_to_choice": choices} if choices else {}
    event = ask(
        bert, tmp_path, ROWS[:1], output_type="classification", doc_to_target=target, **fields
    )[0]
    assert event["loglikelihoods"] == pytest.approx(logits_alone(bert, ROWS[0]["text"]), abs=1e-5)
    assert event["target"] == ["spam", "ham"].index(ROWS[0]["label"])


@pytest.mark.parametrize("choices", [["ham", "spam"], "{{ ['ham', 'spam'] }}"])
def test_the_nearest_choice_is_the_answer(bert, tmp_path, choices):
    events = ask(
        bert, tmp_path, ROWS[:6], output_type="embedding", doc_to_choice=choices,
        doc_to_target="label",
    )  # fmt: skip
    ham, spam = (embedding_alone(bert, text) for text in ("ham", "spam"))
    for event, row in zip(events, ROWS, strict=False):
        text = embedding_alone(bert, row["text"])
        want = [float(torch.cosine_similarity(text, each, dim=0)) for each in (ham, spam)]
        assert event["loglikelihoods"] == pytest.approx(want, abs=1e-5)
        assert event["pred"] == want.index(max(want))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"doc_to_choice": ["ham", "eggs"]}, "the choice eggs"),
        ({"doc_to_choice": ["ham", "spam", "eggs"]}, "other choices than the 2 labels"),
        ({"doc_to_target": "text"}, "none of the model's labels"),
    ],
)
def test_answers_that_are_no_labels_of_the_model_are_refused(bert, tmp_path, fields, said):
    fields = {"output_type": "classification", "doc_to_target": "{{ 'ham' }}", **fields}
    with pytest.raises(BadBenchmarkError, match=said):
        ask(bert, tmp_path, ROWS[:2], **fields)


def test_a_model_without_a_head_has_no_labels(bert, tmp_path):
    folder = tmp_path / "headless"
    AutoModel.from_pretrained(bert).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_bytes((bert / name).read_bytes())
    with pytest.raises(BadModelError, match="classifier"):
        ask(folder, tmp_path, ROWS[:2], output_type="classification", doc_to_target="label")
    events = ask(
        folder, tmp_path, ROWS[:2], output_type="embedding", doc_to_choice=["ham", "spam"],
        doc_to_target="label",
    )  # fmt: skip
    assert all(map(math.isfinite, events[0]["loglikelihoods"]))


def test_generic_labels_are_the_choices_in_their_order(bert, tmp_path):
    folder = tmp_path / "generic"
    folder.mkdir()
    for path in bert.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    config = json.loads((folder / "config.json").read_text())
    config["id2label"], config["label2id"] = {"0": "LABEL_0", "1": "LABEL_1"}, {}
    (folder / "config.json").write_text(json.dumps(config))
    event = ask(
        folder, tmp_path, ROWS[:1], output_type="classification", doc_to_target="label",
        doc_to_choice=["spam", "ham"],
    )[0]  # fmt: skip
    assert event["loglikelihoods"] == pytest.approx(logits_alone(bert, ROWS[0]["text"]), abs=1e-5)
