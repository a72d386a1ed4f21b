"""Blocks of rows and columns as attention heads, by the model's configuration."""

from __future__ import annotations

import pytest

from reviews.weights.heads import Heads
from reviews.weights.localised import Block
from reviews.weights.places import place_of

GROUPED = {"num_attention_heads": 9, "num_key_value_heads": 3, "hidden_size": 576}
GPT2 = {"n_head": 12, "n_embd": 768}
T5 = {"num_heads": 8, "d_kv": 64, "d_model": 512}
BERT = {"num_attention_heads": 12, "hidden_size": 768}


def block(axis, *ranges):
    return Block(axis, "scaled", 2.0, sum(stop - start for start, stop in ranges), ranges)


@pytest.mark.parametrize(
    ("config", "name", "found", "heads"),
    [
        (GROUPED, "model.layers.1.self_attn.q_proj.weight", block("rows", (128, 192)), [2]),
        (GROUPED, "model.layers.1.self_attn.k_proj.weight", block("rows", (0, 64)), [0]),
        (GROUPED, "model.layers.1.self_attn.k_proj.weight", block("rows", (192, 256)), None),
        (GROUPED, "model.layers.1.self_attn.o_proj.weight", block("columns", (512, 576)), [8]),
        (GROUPED, "model.layers.1.self_attn.o_proj.weight", block("rows", (512, 576)), None),
        (GROUPED, "model.layers.1.self_attn.q_proj.weight", block("rows", (100, 164)), None),
        (
            GROUPED,
            "model.layers.1.self_attn.q_proj.weight",
            block("rows", (0, 128), (192, 256)),
            [0, 1, 3],
        ),
        (GROUPED, "model.layers.1.mlp.up_proj.weight", block("rows", (0, 64)), None),
        (GPT2, "h.0.attn.c_attn.weight", block("columns", (768, 832)), [12]),
        (GPT2, "h.0.attn.c_proj.weight", block("rows", (64, 128)), [1]),
        (T5, "encoder.block.0.layer.0.SelfAttention.q.weight", block("rows", (64, 128)), [1]),
        (T5, "encoder.block.0.layer.0.SelfAttention.o.weight", block("columns", (0, 64)), [0]),
        (BERT, "bert.encoder.layer.3.attention.self.query.weight", block("rows", (0, 64)), [0]),
        (
            BERT,
            "bert.encoder.layer.3.attention.output.dense.weight",
            block("columns", (64, 128)),
            [1],
        ),
        (BERT, "bert.encoder.layer.3.output.dense.weight", block("columns", (64, 128)), None),
    ],
)
def test_which_heads_a_block_is(config, name, found, heads):
    assert Heads.of_config(config).of_block(place_of(name), found) == heads


def test_a_list_of_ranges_that_was_cut_is_not_heads():
    cut = Block("rows", "scaled", 2.0, 576, ((0, 64),))
    place = place_of("model.layers.1.self_attn.q_proj.weight")
    assert Heads.of_config(GROUPED).of_block(place, cut) is None


@pytest.mark.parametrize(
    "config", [None, {}, {"num_attention_heads": 0}, {"num_attention_heads": "9"}, {"n_head": 4}]
)
def test_a_configuration_that_does_not_say(config):
    assert Heads.of_config(config) is None
