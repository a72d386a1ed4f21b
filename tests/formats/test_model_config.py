"""Sizes from a config, beside the parameters that transformers makes of the same config."""

from __future__ import annotations

import pytest

from hub.formats.model_config import sizes_of

SMALL = {"hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4, "vocab_size": 300}
GATED = SMALL | {"num_key_value_heads": 2, "intermediate_size": 160}
WORDS = {"vocab_size": 300}
CASES = [
    {"model_type": "llama", **GATED, "tie_word_embeddings": False},
    {"model_type": "llama", **GATED, "tie_word_embeddings": True, "attention_bias": True},
    {"model_type": "llama", **GATED, "head_dim": 32, "mlp_bias": True},
    {"model_type": "mistral", **GATED},
    {"model_type": "qwen2", **GATED, "tie_word_embeddings": True},
    {"model_type": "qwen3", **GATED, "head_dim": 32},
    {"model_type": "mixtral", **GATED, "num_local_experts": 4},
    {"model_type": "gpt2", "n_embd": 64, "n_layer": 3, "n_head": 4, "n_positions": 50, **WORDS},
    {"model_type": "bert", **SMALL, "intermediate_size": 160, "max_position_embeddings": 60},
]  # fmt: skip


@pytest.mark.parametrize("config", CASES, ids=lambda each: each["model_type"])
def test_the_estimate_is_what_transformers_makes(config):
    import torch
    from transformers import AutoConfig, AutoModel, AutoModelForCausalLM

    told = {key: value for key, value in config.items() if key != "model_type"}
    made = AutoConfig.for_model(config["model_type"], **told)
    kind = AutoModel if config["model_type"] == "bert" else AutoModelForCausalLM
    with torch.device("meta"):
        model = kind.from_config(made)
    assert sizes_of(config).parameters == sum(each.numel() for each in model.parameters())


def test_attention_and_its_cache():
    sizes = sizes_of(CASES[0] | {"max_position_embeddings": 2048})
    assert (sizes.head_size, sizes.group, sizes.context) == (16, 2.0, 2048)
    assert sizes.cache_bytes == 2 * 3 * 2 * 16 * 2 * 1000  # keys and values, layers, heads, bytes
    assert sizes_of({"model_type": "llama", "text_config": GATED}).hidden == 64


@pytest.mark.parametrize(
    "config",
    [{}, {"hidden_size": "64", "vocab_size": -1}, {"hidden_size": True}, {"model_type": 7}],
)
def test_odd_values_are_no_sizes(config):
    sizes = sizes_of(config)
    assert sizes.hidden is None and sizes.parameters is None and sizes.cache_bytes is None
