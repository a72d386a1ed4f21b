"""Log-likelihoods, checked by the plain way: one sentence, one full forward, one log-softmax."""

import json
from collections import Counter

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.runner.conftest import DATA, TINY, read_rows
from training.runner.answering.backbone import Backbone
from training.runner.answering.likelihoods import Scorer, batches
from training.runner.answering.packing import pack
from training.runner.encoding import Encoder, Request, encode_pair, truncated

PROMPT, CHOICES = "What say you, my lord?\nAnswer:", (" aye", " never in my life", " aye, sir")


@pytest.fixture(scope="module")
def tokenizer():
    return AutoTokenizer.from_pretrained(TINY)


def load(dtype=torch.float32):
    return AutoModelForCausalLM.from_pretrained(TINY, dtype=dtype).eval()


@pytest.fixture(scope="module")
def backbone(tokenizer):
    made = Backbone(load(), tokenizer)
    assert made.branching and made.plain
    return made


@pytest.fixture(scope="module")
def scorer(backbone):
    return Scorer(backbone)


@torch.inference_mode()
def plainly(model, request):
    """The sum of log p(token | everything before it), token by token."""
    logp = model(torch.tensor([request.ids])).logits[0].double().log_softmax(-1)
    start = len(request.ids) - request.scored
    return sum(float(logp[n - 1, request.ids[n]]) for n in range(start, len(request.ids)))


def score_all(scorer, requests, batch_tokens=512):
    """Likelihoods of each list of requests."""
    asks = [scorer.ask(number, each) for number, each in enumerate(requests)]
    scores = {}
    for batch in batches(asks, batch_tokens):
        for ask, found in zip(batch, scorer.score(batch), strict=True):
            scores[ask.number] = found
    return [scores[number] for number in sorted(scores)]


def values(found):
    return [each.value for likelihoods in found for each in likelihoods]


def pairs(tokenizer, rows):
    return [
        [encode_pair(tokenizer, "", row[key]) for key in ("sentence_good", "sentence_bad")]
        for row in rows
    ]


def choices(tokenizer, prompt=PROMPT):
    return [encode_pair(tokenizer, prompt, choice) for choice in CHOICES]


def test_pairs_are_scored_whole_and_each_as_if_alone(scorer, tokenizer):
    requests = pairs(tokenizer, read_rows("blimp/test.jsonl")[:12])
    want = [plainly(scorer.backbone.model, request) for each in requests for request in each]
    assert values(score_all(scorer, requests)) == pytest.approx(want, abs=1e-4)


def test_choices_are_scored_after_their_prompt_which_is_read_once(scorer, tokenizer):
    requests = choices(tokenizer)
    ask = scorer.ask(0, requests)
    (piece,) = ask.pieces
    assert len(piece.branches) > 1
    assert ask.size < 0.5 * sum(len(request.ids) - 1 for request in requests)
    want = [plainly(scorer.backbone.model, request) for request in requests]
    assert values(score_all(scorer, [requests])) == pytest.approx(want, abs=1e-4)


@pytest.mark.parametrize("shots", [1, 5])
def test_what_all_prompts_begin_with_is_read_once(backbone, tokenizer, shots):
    fixed = "Who goes there? Say it, and say no more than that.\nI, my lord.\n\n" * shots
    scorer = Scorer(backbone, fixed)
    asked = [choices(tokenizer, f"{fixed}{n}. {PROMPT}") for n in ("One", "Two", "Now what")]
    alone = choices(tokenizer)
    assert len(scorer.prefix) > 16 * shots
    assert all(piece.skipped for piece in scorer.ask(0, asked[0]).pieces)
    assert not any(piece.skipped for piece in scorer.ask(0, alone).pieces)
    found = score_all(scorer, [*asked, alone])
    want = [plainly(backbone.model, request) for each in [*asked, alone] for request in each]
    assert values(found) == pytest.approx(want, abs=1e-4)


def test_a_model_that_keeps_to_no_mask_reads_text_by_text(tokenizer):
    backbone = Backbone(load(), tokenizer)
    backbone.branching = False
    scorer = Scorer(backbone, "What say you, my lord? What say you, my lord? What say you?")
    requests = choices(tokenizer)
    assert scorer.layers is None
    assert {piece.branches for piece in scorer.ask(0, requests).pieces} == {()}
    want = [plainly(backbone.model, request) for request in requests]
    assert values(score_all(scorer, [requests])) == pytest.approx(want, abs=1e-4)


def test_logits_that_are_changed_after_the_output_layer_are_the_changed_ones(tokenizer):
    """Some architectures scale or cap what the output layer gives."""

    class Halved(type(load())):  # type: ignore[misc]
        def forward(self, *args, **kwargs):
            output = super().forward(*args, **kwargs)
            output.logits = output.logits / 2
            return output

    model = load()
    model.__class__ = Halved
    backbone = Backbone(model, tokenizer)
    assert backbone.branching and not backbone.plain
    requests = choices(tokenizer)
    want = [plainly(model, request) for request in requests]
    assert values(score_all(Scorer(backbone), [requests])) == pytest.approx(want, abs=1e-4)


def test_a_greedy_continuation_is_told(scorer, tokenizer):
    ids = tokenizer(PROMPT, add_special_tokens=False, return_tensors="pt")["input_ids"]
    made = scorer.backbone.model.generate(ids, max_new_tokens=3, do_sample=False, pad_token_id=0)
    ids = tuple(made[0].tolist())
    other = (*ids[:-1], (ids[-1] + 1) % 1024)
    (found,) = score_all(scorer, [[Request(ids, 3), Request(other, 3)]])
    assert [each.greedy for each in found] == [True, False]


def test_numbers_are_those_of_lm_evaluation_harness(scorer, tokenizer):
    recorded = json.loads((DATA / "lm_eval_loglikelihoods.json").read_text())["requests"]
    requests = Encoder(tokenizer).pairs([(context, text) for context, text, _ in recorded])
    got = values(score_all(scorer, [[request] for request in requests]))
    assert len(got) == 80
    assert got == pytest.approx([number for *_, number in recorded], abs=2e-3)


def test_the_token_budget_does_not_change_a_score(scorer, tokenizer):
    requests = pairs(tokenizer, read_rows("blimp/test.jsonl"))
    small, large = (values(score_all(scorer, requests, budget)) for budget in (64, 2048))
    assert small == pytest.approx(large, abs=1e-3)


def test_batches_keep_to_the_budget_and_do_not_depend_on_the_order(scorer, tokenizer):
    requests = pairs(tokenizer, read_rows("blimp/test.jsonl"))
    asks = [scorer.ask(number, each) for number, each in enumerate(requests)]
    made = list(batches(asks, 256))
    assert made == list(batches(asks[::-1], 256))
    assert sorted(ask.number for batch in made for ask in batch) == list(range(len(asks)))
    assert all(len(batch) == 1 or sum(ask.size for ask in batch) <= 256 for batch in made)


def test_rows_hold_several_pieces_and_hardly_any_padding(scorer, tokenizer):
    requests = pairs(tokenizer, read_rows("blimp/test.jsonl"))
    pieces = [p for n, each in enumerate(requests) for p in scorer.ask(n, each).pieces]
    rows = pack(pieces, prefix=0, dtype=torch.float32)
    assert len(rows.ids) < len(pieces)
    assert sum(piece.size for piece in pieces) > 0.9 * rows.ids.numel()
    taken = Counter(
        (row, column + node)
        for piece, (row, column) in zip(pieces, rows.places, strict=True)
        for node in range(piece.size)
    )
    assert set(taken.values()) == {1}


def test_choices_of_one_token_share_one_reading_of_the_prompt(scorer, tokenizer):
    requests = [encode_pair(tokenizer, "To be or not to be:", c) for c in (" I", " a")]
    (piece,) = scorer.ask(0, requests).pieces
    assert [request.scored for request in requests] == [1, 1]
    assert piece.branches == () and piece.size == len(requests[0].ids) - 1


def test_space_at_the_end_of_a_prompt_counts_to_the_choice(tokenizer):
    assert encode_pair(tokenizer, "Say ", "aye") == encode_pair(tokenizer, "Say", " aye")
    assert encode_pair(tokenizer, "  ", "aye") == encode_pair(tokenizer, "", "  aye")


def test_a_prompt_that_is_too_long_loses_its_beginning(scorer, tokenizer):
    request = encode_pair(tokenizer, "What say you? " * 300, "I say nothing.")
    (found,) = score_all(scorer, [[request]])[0]
    cut = Request(request.ids[-513:], request.scored)
    assert found.truncated and found.tokens == request.scored
    assert found.value == pytest.approx(plainly(scorer.backbone.model, cut), abs=1e-4)
    assert truncated(Request(tuple(range(2000)), 1000), 512).scored == 512
    assert not truncated(cut, 512).truncated


def test_rolling_windows_score_every_token_once(tokenizer):
    encoder = Encoder(tokenizer)
    text = " ".join(row["sentence_good"] for row in read_rows("blimp/test.jsonl"))
    (windows,) = encoder.windows([text], 100)
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert [token for window in windows for token in window.ids[-window.scored :]] == ids
    assert {len(window.ids) for window in windows} == {101}
    assert encoder.windows([""], 100) == [[]]


def test_numbers_that_are_not_finite_are_told_as_such(tokenizer):
    model = load()
    model.get_output_embeddings().weight.data[5] = float("nan")
    (found,) = score_all(Scorer(Backbone(model, tokenizer)), [choices(tokenizer)])
    assert all(each.value != each.value for each in found)


def test_bfloat16_scores_do_not_tie(tokenizer):
    """Logits in bfloat16 lie so far apart that unlike tokens come out alike."""
    letters = [" " + letter for letter in "abcdefghijklmnopqrstuvwxyz"]
    requests = [encode_pair(tokenizer, "My lord, I", letter) for letter in letters]
    backbone = Backbone(load(torch.bfloat16), tokenizer)
    assert backbone.branching
    (found,) = score_all(Scorer(backbone), [requests])
    assert len({each.value for each in found}) == len({request.ids for request in requests})


def test_a_text_of_more_windows_than_a_batch_is_read_in_parts(backbone, tokenizer, monkeypatch):
    text = " ".join(row["sentence_good"] for row in read_rows("blimp/test.jsonl"))
    (windows,) = Encoder(tokenizer).windows([text], 64)
    widths = []
    read = backbone.read
    monkeypatch.setattr(
        backbone, "read", lambda rows, *rest: widths.append(rows.ids.numel()) or read(rows, *rest)
    )
    found = values(score_all(Scorer(backbone, batch_tokens=128), [windows], batch_tokens=128))
    assert len(widths) == len(windows) / 2 and max(widths) == 128
    want = [plainly(backbone.model, window) for window in windows]
    assert found == pytest.approx(want, abs=1e-4)


def test_choices_that_would_need_a_huge_mask_are_read_apart(scorer):
    stem, ends = tuple(range(100)), [tuple(range(n, n + 400)) for n in range(8)]
    requests = [Request((*stem, *end), 400) for end in ends]
    assert len(scorer.ask(0, requests[:4]).pieces) == 1
    assert len(scorer.ask(0, requests).pieces) == 8
