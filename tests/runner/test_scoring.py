"""Log-likelihoods, checked by the plain way: one sentence, one full forward, one log-softmax."""

import json

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.runner.conftest import DATA, TINY, read_rows
from training.runner.encoding import encode_pair, prefix_token
from training.runner.scoring import Ask, Scorer, batches


@pytest.fixture(scope="module")
def tokenizer():
    return AutoTokenizer.from_pretrained(TINY)


def load(dtype=torch.float32):
    return AutoModelForCausalLM.from_pretrained(TINY, dtype=dtype).eval()


@pytest.fixture(scope="module")
def scorer():
    return Scorer(load())


def plainly(model, context_ids, ids):
    """The sum of log p(token | everything before it), token by token."""
    logits = model(torch.tensor([[*context_ids, *ids]])).logits[0].double()
    logp = logits.log_softmax(-1)
    start = len(context_ids)
    return sum(float(logp[start + n - 1, token]) for n, token in enumerate(ids))


def score_all(scorer, asks, batch_tokens=512):
    scores = {}
    for batch in batches(asks, batch_tokens):
        for ask, numbers in zip(batch, scorer.score(batch), strict=True):
            scores[ask.number] = [number for number, _ in numbers]
    return [scores[number] for number in sorted(scores)]


def pairs(tokenizer, rows):
    return [
        Ask(n, tuple(encode_pair(tokenizer, "", row[k]) for k in ("sentence_good", "sentence_bad")))
        for n, row in enumerate(rows)
    ]


@torch.inference_mode()
def test_sentences_are_scored_whole_after_the_prefix_token(scorer, tokenizer):
    rows = read_rows("blimp/test.jsonl")[:12]
    got = score_all(scorer, pairs(tokenizer, rows))
    for row, numbers in zip(rows, got, strict=True):
        for key, number in zip(("sentence_good", "sentence_bad"), numbers, strict=True):
            ids = tokenizer(row[key], add_special_tokens=False)["input_ids"]
            want = plainly(scorer.model, [prefix_token(tokenizer)], ids)
            assert number == pytest.approx(want, abs=1e-4)


@torch.inference_mode()
def test_choices_are_scored_after_their_prompt(scorer, tokenizer):
    prompt, choices = "What say you, my lord?\nAnswer:", (" aye", " never in my life")
    ask = Ask(0, tuple(encode_pair(tokenizer, prompt, choice) for choice in choices))
    (numbers,) = score_all(scorer, [ask])
    context = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    for choice, number in zip(choices, numbers, strict=True):
        ids = tokenizer(prompt + choice, add_special_tokens=False)["input_ids"][len(context) :]
        assert number == pytest.approx(plainly(scorer.model, context, ids), abs=1e-4)


def test_numbers_are_those_of_lm_evaluation_harness(scorer, tokenizer):
    recorded = json.loads((DATA / "lm_eval_loglikelihoods.json").read_text())["requests"]
    asks = [
        Ask(n, (encode_pair(tokenizer, context, continuation),))
        for n, (context, continuation, _) in enumerate(recorded)
    ]
    got = [number for (number,) in score_all(scorer, asks)]
    assert len(got) == 80
    assert got == pytest.approx([number for *_, number in recorded], abs=2e-3)


def test_the_token_budget_does_not_change_a_score(scorer, tokenizer):
    asks = pairs(tokenizer, read_rows("blimp/test.jsonl"))
    small, large = (score_all(scorer, asks, budget) for budget in (64, 2048))
    flat = torch.tensor(small).flatten(), torch.tensor(large).flatten()
    assert torch.allclose(*flat, atol=1e-3)


def test_batches_keep_to_the_budget_and_do_not_depend_on_the_order(tokenizer):
    asks = pairs(tokenizer, read_rows("blimp/test.jsonl"))
    made = list(batches(asks, 256))
    assert made == list(batches(asks[::-1], 256))
    assert sorted(ask.number for batch in made for ask in batch) == list(range(len(asks)))
    for batch in made:
        width = max(ask.length for ask in batch)
        assert len(batch) == 1 or sum(len(ask.inputs) for ask in batch) * width <= 256


def test_choices_of_one_token_share_one_reading_of_the_prompt(tokenizer):
    ask = Ask(0, tuple(encode_pair(tokenizer, "To be or not to be:", c) for c in (" I", " a")))
    assert [request.scored for request in ask.requests] == [1, 1]
    assert len(ask.inputs) == 1


def test_space_at_the_end_of_a_prompt_counts_to_the_choice(tokenizer):
    assert encode_pair(tokenizer, "Say ", "aye") == encode_pair(tokenizer, "Say", " aye")


def test_bfloat16_scores_do_not_tie(tokenizer):
    """Logits in bfloat16 lie so far apart that unlike tokens come out alike."""
    letters = [" " + letter for letter in "abcdefghijklmnopqrstuvwxyz"]
    requests = tuple(encode_pair(tokenizer, "My lord, I", letter) for letter in letters)
    (numbers,) = score_all(Scorer(load(torch.bfloat16)), [Ask(0, requests)])
    assert len(set(numbers)) == len({request.ids for request in requests})
