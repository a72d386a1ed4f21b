"""Small random models of many architectures: the engine's numbers are the plain ones of each.

Some read pieces with branches, some are found out and read text by text.
"""

import random

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from tests.runner.conftest import TINY
from tests.runner.test_likelihoods import plainly, score_all, values
from training.runner.answering.backbone import Backbone
from training.runner.answering.generation import Answer, Generator
from training.runner.answering.likelihoods import Scorer
from training.runner.encoding import encode_pair
from training.runner.stopping import Stop

FIXED = "Who goes there? Say it, and say no more than that. I say again, who goes there? I.\n"
CHOICES = (" aye", " never in my life", " aye, sir, for ever and a day")
SMALL = {
    "vocab_size": 1024, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
    "intermediate_size": 64, "max_position_embeddings": 128, "initializer_range": 0.3,
    "pad_token_id": 0, "bos_token_id": 0, "eos_token_id": 0,
}  # fmt: skip
ARCHITECTURES = {
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 128},
    "gpt_neox": {},
    "bloom": {"n_layer": 2, "n_head": 2},
    "opt": {"ffn_dim": 64, "word_embed_proj_dim": 32},
    "qwen3": {"num_key_value_heads": 1, "head_dim": 16},
    "mistral": {"num_key_value_heads": 1, "sliding_window": 64, "head_dim": 16},
    "mistral-narrow": {"num_key_value_heads": 1, "sliding_window": 8, "head_dim": 16},
    "gemma2": {"num_key_value_heads": 1, "head_dim": 16, "sliding_window": 64,
               "query_pre_attn_scalar": 16, "final_logit_softcapping": 5.0},
    "granite": {"num_key_value_heads": 1, "logits_scaling": 4.0},
    "cohere": {"num_key_value_heads": 1},
    "falcon": {"alibi": True},
    "mamba": {"state_size": 4, "expand": 2, "conv_kernel": 4},
}  # fmt: skip
WHOLE = {"gpt2", "gpt_neox", "qwen3", "mistral", "gemma2", "granite", "cohere"}


@pytest.fixture(scope="module", params=ARCHITECTURES)
def backbone(request):
    kind = request.param.partition("-")[0]
    torch.manual_seed(0)
    config = AutoConfig.for_model(kind, **SMALL | ARCHITECTURES[request.param])
    model = AutoModelForCausalLM.from_config(config).eval()
    made = Backbone(model, AutoTokenizer.from_pretrained(TINY))
    made.name = request.param
    return made


def test_log_likelihoods_are_those_of_each_text_alone(backbone):
    scorer = Scorer(backbone, FIXED)
    tokenizer = backbone.encoder.tokenizer
    asked = [
        [encode_pair(tokenizer, f"{FIXED}{prompt}\nAnswer:", choice) for choice in CHOICES]
        for prompt in ("What say you?", "And you, my good lord, what say you to that?")
    ]
    if backbone.name in WHOLE:
        assert backbone.branching and scorer.prefix
    want = [plainly(backbone.model, request) for each in asked for request in each]
    assert values(score_all(scorer, asked)) == pytest.approx(want, abs=2e-4)


@torch.inference_mode()
def test_answers_are_those_to_each_prompt_alone(backbone):
    texts = [FIXED + prompt for prompt in ("What say you?", "And you, my lord?", "Now you?")]
    prompts = [tuple(ids) for ids in backbone.encoder.encode(texts).values()]
    if not backbone.branches(128):
        prompts = prompts[:1] * 2  # of one length, as such models are given them
    generator = Generator(backbone, {"max_gen_toks": 12}, Stop())
    answers = [[Answer(random.Random(0))] for _ in prompts]
    generator.generate(prompts, answers)
    for (answer,), ids in zip(answers, prompts, strict=True):
        made = backbone.model.generate(
            torch.tensor([ids]), max_new_tokens=12, do_sample=False, pad_token_id=0
        )[0, len(ids) :].tolist()
        want = made[: made.index(0)] if 0 in made else made
        assert answer.ids == want
