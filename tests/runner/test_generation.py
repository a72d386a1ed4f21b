"""Generated answers, checked by transformers' own generate() on one prompt at a time."""

import random

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.runner.conftest import TINY
from training.runner.answering.backbone import Backbone
from training.runner.answering.generation import Answer, Generator
from training.runner.answering.likelihoods import Scorer
from training.runner.errors import BadBenchmarkError, StoppedError
from training.runner.stopping import Stop

PROMPTS = [
    "What say you, my lord?\n",
    "Romeo:\nO, I am fortune's fool! And if I were not, then where should I be found?\n",
    "To be",
    "KING RICHARD II:\nWe were not born to sue, but to command;\n",
]
NEW = 24


@pytest.fixture(scope="module")
def tokenizer():
    return AutoTokenizer.from_pretrained(TINY)


@pytest.fixture(scope="module")
def backbone(tokenizer):
    return Backbone(AutoModelForCausalLM.from_pretrained(TINY).eval(), tokenizer)


def ids_of(backbone, texts):
    found = backbone.encoder.encode(texts)
    return [tuple(found[text]) for text in texts]


def generated(backbone, prompts, *, repeats=1, seed="s", prefix=(), layers=None, **kwargs):
    generator = Generator(backbone, {"max_gen_toks": NEW, **kwargs}, Stop())
    answers = [
        [Answer(random.Random(f"{seed}:{number}:{repeat}")) for repeat in range(repeats)]
        for number in range(len(prompts))
    ]
    generator.generate(prompts, answers, prefix, layers)
    return [[answer.ids for answer in each] for each in answers]


@torch.inference_mode()
def alone(backbone, ids):
    """What transformers generates after one prompt."""
    made = backbone.model.generate(
        torch.tensor([ids]), max_new_tokens=NEW, do_sample=False, pad_token_id=0
    )
    return [token for token in made[0, len(ids) :].tolist() if token]


def test_prompts_of_unlike_length_are_answered_as_if_alone(backbone):
    prompts = ids_of(backbone, PROMPTS)
    want = [alone(backbone, ids) for ids in prompts]
    assert [ids for (ids,) in generated(backbone, prompts)] == want
    assert [ids for (ids,) in generated(backbone, prompts[::-1])] == want[::-1]


def test_a_model_that_keeps_to_no_mask_answers_alike(backbone, monkeypatch):
    monkeypatch.setattr(backbone, "branching", False)
    prompts = ids_of(backbone, [PROMPTS[0]] * 2)
    assert generated(backbone, prompts) == [[alone(backbone, prompts[0])]] * 2


def test_what_all_prompts_begin_with_is_read_once(backbone):
    fixed = "Who goes there? Say it, and say no more than that.\nI, my lord.\n\n" * 2
    scorer = Scorer(backbone, fixed)
    whole = ids_of(backbone, [fixed + prompt for prompt in PROMPTS])
    length = len(scorer.prefix)
    assert length > 30 and all(ids[:length] == scorer.prefix for ids in whole)
    found = generated(
        backbone, [ids[length:] for ids in whole], prefix=scorer.prefix, layers=scorer.layers
    )
    assert [ids for (ids,) in found] == [alone(backbone, ids) for ids in whole]


def test_an_answer_ends_at_a_stop_string_however_its_tokens_are_cut(backbone):
    prompts = ids_of(backbone, PROMPTS)
    generator = Generator(backbone, {"max_gen_toks": NEW}, Stop())
    whole = [generator.stops.text(ids) for (ids,) in generated(backbone, prompts)]
    stop = whole[0][5:8]  # in the middle of words
    stopped = Generator(backbone, {"max_gen_toks": NEW, "until": [stop]}, Stop())
    answers = [[Answer(random.Random(0))] for _ in prompts]
    stopped.generate(prompts, answers)
    texts = [stopped.stops.text(answer.ids) for (answer,) in answers]
    assert texts == [text.split(stop)[0] for text in whole]
    assert len(answers[0][0].ids) < NEW


def test_an_answer_ends_at_the_end_token(backbone, monkeypatch):
    prompts = ids_of(backbone, PROMPTS)
    whole = [ids for (ids,) in generated(backbone, prompts)]
    end = whole[1][3]
    monkeypatch.setattr(backbone.model.generation_config, "eos_token_id", [0, end])
    found = [ids for (ids,) in generated(backbone, prompts)]
    want = [ids[: ids.index(end)] if end in ids else ids for ids in whole]
    assert found == want and end not in found[1]


def test_draws_depend_on_the_item_and_on_nothing_else(backbone):
    prompts = ids_of(backbone, PROMPTS)
    settings = {"do_sample": True, "temperature": 1.5, "top_p": 0.9, "repeats": 3}
    found = generated(backbone, prompts, **settings)
    assert found == generated(backbone, prompts, **settings)
    assert found != generated(backbone, prompts, seed="other", **settings)
    assert len({tuple(ids) for each in found for ids in each}) == len(PROMPTS) * 3
    assert generated(backbone, prompts[:1], **settings) == found[:1]


def test_sampling_from_almost_nothing_is_greedy(backbone):
    prompts = ids_of(backbone, PROMPTS)
    greedy = generated(backbone, prompts)
    assert generated(backbone, prompts, do_sample=True, top_p=1e-6) == greedy
    assert generated(backbone, prompts, do_sample=True, temperature=1e-4) == greedy


def test_draws_follow_the_model(backbone):
    """Over many draws of the first token, its share is its probability."""
    (ids,) = ids_of(backbone, PROMPTS[:1])
    found = generated(backbone, [ids], repeats=600, do_sample=True, max_gen_toks=1)
    first = [(each or [0])[0] for each in found[0]]
    with torch.inference_mode():
        shares = backbone.model(torch.tensor([ids])).logits[0, -1].softmax(0)
    token = int(shares.argmax())
    assert first.count(token) / 600 == pytest.approx(float(shares[token]), abs=0.06)


def test_an_answer_that_leaves_no_room_for_a_prompt_is_refused(backbone):
    with pytest.raises(BadBenchmarkError, match="lower max_gen_toks"):
        Generator(backbone, {"max_gen_toks": 512}, Stop())


def test_a_request_to_stop_ends_it_between_two_tokens(backbone):
    stop = Stop()
    generator = Generator(backbone, {"max_gen_toks": NEW}, stop)
    stop.asked = True
    with pytest.raises(StoppedError):
        generator.generate(ids_of(backbone, PROMPTS), [[Answer(random.Random(0))] for _ in PROMPTS])
