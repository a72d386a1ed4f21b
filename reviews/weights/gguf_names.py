"""What tensors of GGUF files are called in transformers, and the configuration they imply."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from gguf.constants import MODEL_ARCH_NAMES
from gguf.tensor_mapping import get_tensor_name_map

# Architectures of GGUF whose tensors are those of Llama, with what some of them add.
_DECODERS = frozenset(
    {"llama", "qwen2", "qwen3", "gemma", "gemma2", "gemma3", "smollm3", "granite"}
)
_DECODER_NAMES = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "output": "lm_head",
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
# Gemma 2 and 3 have two norms more in each layer.
_GEMMA_NAMES = {
    "post_attention_norm": "post_attention_layernorm",
    "ffn_norm": "pre_feedforward_layernorm",
    "post_ffw_norm": "post_feedforward_layernorm",
}
_GEMMA = frozenset({"gemma2", "gemma3"})
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
_MOST_LAYERS = 1_000


def transformers_name(name: str, architecture: str) -> str:
    """The name in transformers of a GGUF tensor; its own name where the family is not known."""
    parts = _NAME.fullmatch(name)
    if architecture not in _DECODERS or parts is None:
        return name
    names = {**_DECODER_NAMES, **(_GEMMA_NAMES if architecture in _GEMMA else {})}
    module = names.get(parts["module"])
    if module is None:
        return name
    layer = f"model.layers.{parts['layer']}." if parts["layer"] is not None else ""
    return layer + module + parts["suffix"]


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
    config: dict[str, Any] = {"model_type": _MODEL_TYPES.get(architecture, architecture)}
    for key, name in _CONFIG.items():
        value = values.get(f"{architecture}.{key}")
        if type(value) is int:
            config[name] = value
    return config


def names_as_in(
    names: Iterable[str], architecture: str, other_names: Iterable[str], layers: int
) -> dict[str, str]:
    """Of GGUF's `names`, those that `other_names` of transformers stand for, by gguf's own map."""
    known = next((arch for arch, name in MODEL_ARCH_NAMES.items() if name == architecture), None)
    if known is None or not 0 <= layers <= _MOST_LAYERS:
        return {}
    mapping = get_tensor_name_map(known, layers)
    wanted = set(names)
    found: dict[str, str] = {}
    for other in other_names:
        stem, dot, suffix = other.rpartition(".")
        if suffix not in {"weight", "bias"}:
            stem, dot, suffix = other, "", ""
        mine = mapping.get_name(stem)
        if mine is not None and mine + dot + suffix in wanted:
            found[mine + dot + suffix] = other
    return found
