"""Names of tensors as places in a model."""

from __future__ import annotations

import random
import string

import pytest

from reviews.weights.places import layer_ranges, place_of


@pytest.mark.parametrize(
    ("name", "layer", "module", "role"),
    [
        ("model.layers.11.self_attn.q_proj.weight", 11, "q_proj", "attention"),
        ("model.layers.0.mlp.down_proj.weight", 0, "down_proj", "mlp"),
        ("model.layers.3.input_layernorm.weight", 3, "input_layernorm", "norm"),
        ("model.embed_tokens.weight", None, "embed_tokens", "embedding"),
        ("model.norm.weight", None, "norm", "norm"),
        ("lm_head.weight", None, "lm_head", "head"),
        ("transformer.h.7.attn.c_attn.weight", 7, "attn.c_attn", "attention"),
        ("h.7.attn.c_proj.bias", 7, "attn.c_proj", "attention"),
        ("transformer.h.7.mlp.c_fc.weight", 7, "c_fc", "mlp"),
        ("transformer.h.7.ln_1.bias", 7, "ln_1", "norm"),
        ("wte.weight", None, "wte", "embedding"),
        ("transformer.ln_f.weight", None, "ln_f", "norm"),
        (
            "bert.encoder.layer.2.attention.self.query.weight",
            2,
            "attention.self.query",
            "attention",
        ),
        (
            "bert.encoder.layer.2.attention.output.LayerNorm.gamma",
            2,
            "attention.output.LayerNorm",
            "norm",
        ),
        ("encoder.layer.2.intermediate.dense.weight", 2, "intermediate.dense", "mlp"),
        ("encoder.layer.2.output.dense.bias", 2, "output.dense", "mlp"),
        ("bert.embeddings.word_embeddings.weight", None, "embeddings.word_embeddings", "embedding"),
        ("encoder.block.4.layer.0.SelfAttention.q.weight", 4, "SelfAttention.q", "attention"),
        (
            "decoder.block.4.layer.1.EncDecAttention.k.weight",
            4,
            "decoder.EncDecAttention.k",
            "attention",
        ),
        (
            "decoder.block.4.layer.2.DenseReluDense.wi_0.weight",
            4,
            "decoder.DenseReluDense.wi_0",
            "mlp",
        ),
        ("shared.weight", None, "shared", "embedding"),
        (
            "model.layers.5.block_sparse_moe.experts.3.w1.weight",
            5,
            "block_sparse_moe.experts.w1",
            "mlp",
        ),
        ("model.layers.5.mlp.experts.31.up_proj.weight", 5, "mlp.experts.up_proj", "mlp"),
        (
            "gpt_neox.layers.1.attention.query_key_value.weight",
            1,
            "attention.query_key_value",
            "attention",
        ),
        ("some.thing", None, "some.thing", "other"),
    ],
)
def test_families(name, layer, module, role):
    place = place_of(name)
    assert (place.layer, place.module, place.role) == (layer, module, role)
    parameter = name.rpartition(".")[2]
    if parameter in {"weight", "bias", "gamma"}:
        assert place.kind == f"{module}.{parameter}"


def test_no_name_is_too_strange():
    chosen = random.Random(1)
    letters = string.ascii_letters + string.digits + "._-*() ‽" + "....layers.h.block"
    for _ in range(3000):
        name = "".join(chosen.choices(letters, k=chosen.randrange(60)))
        place = place_of(name)
        assert place.module is not None and (place.layer is None or place.layer >= 0)


def test_runs_of_layers():
    assert layer_ranges([6, 4, 5, 9, 4]) == [[4, 6], [9, 9]]
    assert layer_ranges([]) == []
