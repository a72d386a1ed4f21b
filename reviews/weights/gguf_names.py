"""What tensors of GGUF files are called in transformers, and the configuration they imply."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_DECODER = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "output": "lm_head",
    "attn_norm": "model.layers.{}.input_layernorm",
    "attn_q": "model.layers.{}.self_attn.q_proj",
    "attn_k": "model.layers.{}.self_attn.k_proj",
    "attn_v": "model.layers.{}.self_attn.v_proj",
    "attn_output": "model.layers.{}.self_attn.o_proj",
    "attn_q_norm": "model.layers.{}.self_attn.q_norm",
    "attn_k_norm": "model.layers.{}.self_attn.k_norm",
    "ffn_norm": "model.layers.{}.post_attention_layernorm",
    "ffn_gate": "model.layers.{}.mlp.gate_proj",
    "ffn_up": "model.layers.{}.mlp.up_proj",
    "ffn_down": "model.layers.{}.mlp.down_proj",
}
# Gemma 2 and 3 have two norms more in each layer.
_GEMMA = {
    **_DECODER,
    "post_attention_norm": "model.layers.{}.post_attention_layernorm",
    "ffn_norm": "model.layers.{}.pre_feedforward_layernorm",
    "post_ffw_norm": "model.layers.{}.post_feedforward_layernorm",
}
_GPT2 = {
    "token_embd": "transformer.wte",
    "position_embd": "transformer.wpe",
    "output_norm": "transformer.ln_f",
    "output": "lm_head",
    "attn_norm": "transformer.h.{}.ln_1",
    "attn_qkv": "transformer.h.{}.attn.c_attn",
    "attn_output": "transformer.h.{}.attn.c_proj",
    "ffn_norm": "transformer.h.{}.ln_2",
    "ffn_up": "transformer.h.{}.mlp.c_fc",
    "ffn_down": "transformer.h.{}.mlp.c_proj",
}
_BERT = {
    "token_embd": "embeddings.word_embeddings",
    "position_embd": "embeddings.position_embeddings",
    "token_types": "embeddings.token_type_embeddings",
    "token_embd_norm": "embeddings.LayerNorm",
    "attn_q": "encoder.layer.{}.attention.self.query",
    "attn_k": "encoder.layer.{}.attention.self.key",
    "attn_v": "encoder.layer.{}.attention.self.value",
    "attn_output": "encoder.layer.{}.attention.output.dense",
    "attn_output_norm": "encoder.layer.{}.attention.output.LayerNorm",
    "ffn_up": "encoder.layer.{}.intermediate.dense",
    "ffn_down": "encoder.layer.{}.output.dense",
    "layer_output_norm": "encoder.layer.{}.output.LayerNorm",
}
# By GGUF's architecture (its "llama" is Mistral's and SmolLM2's as well).
NAMES = {
    **dict.fromkeys(("llama", "qwen2", "qwen3", "gemma"), _DECODER),
    **dict.fromkeys(("gemma2", "gemma3"), _GEMMA),
    "gpt2": _GPT2,
    "bert": _BERT,
}
SHIFTED_NORMS = frozenset({"gemma", "gemma2", "gemma3"})
_NAME = re.compile(r"(?:blk\.(?P<layer>\d+)\.)?(?P<module>\w+)(?P<suffix>\.weight|\.bias)")
_MODEL_TYPES = {"gemma3": "gemma3_text"}
_CONFIG = {
    "embedding_length": "hidden_size",
    "feed_forward_length": "intermediate_size",
    "block_count": "num_hidden_layers",
    "attention.head_count": "num_attention_heads",
    "attention.head_count_kv": "num_key_value_heads",
    "attention.key_length": "head_dim",
    "context_length": "max_position_embeddings",
    "vocab_size": "vocab_size",
}
_GPT2_CONFIG = {
    "embedding_length": "n_embd",
    "feed_forward_length": "n_inner",
    "block_count": "n_layer",
    "attention.head_count": "n_head",
    "context_length": "n_positions",
    "vocab_size": "vocab_size",
}


def transformers_name(name: str, architecture: str) -> str:
    """The name in transformers of a GGUF tensor; its own name where the family is not known."""
    parts = _NAME.fullmatch(name)
    module = NAMES.get(architecture, {}).get(parts["module"]) if parts else None
    if parts is None or module is None or ("{}" in module) != (parts["layer"] is not None):
        return name
    return module.format(parts["layer"]) + parts["suffix"]


def is_transposed(name: str, architecture: str) -> bool:
    """Whether transformers stores this matrix the other way round (GPT-2's Conv1D)."""
    parts = _NAME.fullmatch(name)
    return (
        architecture == "gpt2"
        and parts is not None
        and parts["module"] in {"attn_qkv", "attn_output", "ffn_up", "ffn_down"}
        and parts["suffix"] == ".weight"
    )


def rotary_heads(name: str, architecture: str, config: Mapping[str, Any]) -> int | None:
    """The number of heads whose rows lie interleaved in this tensor; None where none do."""
    if architecture != "llama":
        return None
    if ".attn_q." in name:
        heads = config.get("num_attention_heads")
    elif ".attn_k." in name:
        heads = config.get("num_key_value_heads", config.get("num_attention_heads"))
    else:
        return None
    return heads if type(heads) is int and heads > 0 else None


def implied_config(values: Mapping[str, Any], architecture: str) -> dict[str, Any]:
    """The sizes of the model as `config.json` would name them, from a GGUF header's values."""
    experts = values.get(f"{architecture}.expert_count", 0) != 0  # Mixtral is a "llama" to GGUF
    family = f"{architecture}_moe" if experts else architecture
    config: dict[str, Any] = {"model_type": _MODEL_TYPES.get(family, family)}
    names = _GPT2_CONFIG if architecture == "gpt2" else _CONFIG
    for key, name in names.items():
        value = values.get(f"{architecture}.{key}")
        if type(value) is int:
            config[name] = value
    return config
