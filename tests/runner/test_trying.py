"""A loaded model that answers one question after another, of every task."""

from __future__ import annotations

import json

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    BertConfig,
    BertForMaskedLM,
    BertForSequenceClassification,
    BertModel,
    PreTrainedTokenizerFast,
)

from tests.runner.conftest import TINY, Heard
from training.jobs.try_answers import shaped
from training.runner import trying
from training.runner.errors import StoppedError
from training.runner.job import TryJob
from training.runner.stopping import Stop

WORDS = ["the", "cat", "sat", "on", "a", "mat", "dog", "ran"]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    """Makes a folder with a small random BERT of a head."""
    vocabulary = {word: number for number, word in enumerate([*SPECIAL, *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=64, max_position_embeddings=24, initializer_range=0.5,
        id2label={0: "spam", 1: "ham\u202e"},
    )  # fmt: skip

    def make(kind):
        folder = tmp_path_factory.mktemp("bert")
        PreTrainedTokenizerFast(
            tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]",
            sep_token="[SEP]", mask_token="[MASK]", model_max_length=24,
        ).save_pretrained(folder)  # fmt: skip
        kind(config).eval().save_pretrained(folder)
        return folder

    return make


class Until(Stop):
    """Stops once so many questions have been answered."""

    def __init__(self, heard, count):
        super().__init__()
        self.heard, self.count = heard, count

    def check(self):
        if len(self.heard.of("answered")) + len(self.heard.of("refused")) >= self.count:
            raise StoppedError


def ask(folder, tmp_path, task, *questions):
    for number, question in enumerate(questions, start=1):
        (tmp_path / f"{number:06d}.json").write_text(json.dumps(question))
    heard = Heard()
    job = TryJob(model=str(folder), task=task, asks=str(tmp_path))
    with pytest.raises(StoppedError):
        trying.run(job, heard, Until(heard, len(questions)))
    answers = heard.of("answered") + heard.of("refused")
    return heard, sorted(answers, key=lambda event: event["ask"])


def test_a_text_is_told_as_it_is_written_and_is_what_the_model_generates(tmp_path):
    question = {"prompt": "And all of", "max_new_tokens": 12, "temperature": 0}
    drawn = question | {"temperature": 1.0, "seed": 7}
    heard, found = ask(
        TINY, tmp_path, "text-generation", question, drawn, drawn, question | {"chat": True}
    )
    first, second, third, refused = found
    tokenizer = AutoTokenizer.from_pretrained(TINY)
    given = tokenizer("And all of", return_tensors="pt")
    wanted = AutoModelForCausalLM.from_pretrained(TINY).eval().generate(
        **given, max_new_tokens=12, do_sample=False
    )[0, given["input_ids"].shape[1]:]  # fmt: skip
    said = first["result"]["text"]
    assert said == tokenizer.decode(wanted, skip_special_tokens=True)
    assert (first["result"]["tokens"], first["result"]["ended"]) == (12, "length")
    assert second["result"] == third["result"] != first["result"], "a seed draws the same again"
    pieces = [event["text"] for event in heard.of("piece") if event["ask"] == 1]
    assert pieces and all(said.startswith(piece) for piece in pieces)
    assert "no chat template" in refused["message"]
    # What it stops at is no part of the answer.
    stop = said[4:8]
    _, (cut,) = ask(TINY, tmp_path, "text-generation", question | {"stop": [stop]})
    assert cut["result"]["text"] == said.split(stop)[0]


def test_masks_are_filled_in_with_the_likeliest_words(bert, tmp_path):
    asked = {"prompt": "the [MASK] sat on <mask> mat"}
    _, (found, refused) = ask(
        bert(BertForMaskedLM), tmp_path, "fill-mask", asked, {"prompt": "the cat"}
    )
    result = shaped("fill-mask", found["result"])
    assert result["parts"] == ["the ", " sat on ", " mat"] or len(result["parts"]) == 3
    for mask in result["masks"]:
        shares = [each["share"] for each in mask]
        assert len(mask) == 5 and shares == sorted(shares, reverse=True) and sum(shares) <= 1
    assert "[MASK]" in refused["message"]


def test_labels_have_shares_that_make_up_one(bert, tmp_path):
    folder = bert(BertForSequenceClassification)
    _, (found,) = ask(folder, tmp_path, "text-classification", {"prompt": "the cat sat"})
    result = shaped("text-classification", found["result"])
    assert {each["label"] for each in result["labels"]} == {"spam", "ham"}, "no bidi mark is kept"
    assert sum(each["share"] for each in result["labels"]) == pytest.approx(1)


def test_sentences_are_as_alike_as_their_means(bert, tmp_path):
    texts = ["the cat sat on a mat", "the cat sat on a mat", "dog ran"]
    _, (found,) = ask(bert(BertModel), tmp_path, "feature-extraction", {"texts": texts})
    rows = shaped("feature-extraction", found["result"])["cosines"]
    assert rows[0][1] == pytest.approx(1, abs=1e-5) and rows[0][2] == rows[2][0] < 0.999


@pytest.mark.parametrize(
    ("task", "value"),
    [
        ("text-generation", {"text": 3}), ("text-generation", []), ("fill-mask", {"parts": []}),
        ("fill-mask", {"parts": ["a"], "masks": [[]]}),
        ("text-classification", {"labels": [{"label": "x", "share": float("nan")}]}),
        ("text-classification", {"labels": [{"label": "x", "share": 1}] * 65}),
        ("feature-extraction", {"texts": ["a"], "cosines": [[1, 2]]}), ("unheard-of", {}),
    ],
)  # fmt: skip
def test_what_has_another_form_is_no_answer(task, value):
    if task == "text-generation" and isinstance(value, dict):
        assert shaped(task, value)["text"] == ""  # no text is an empty one
    else:
        assert shaped(task, value) is None
