"""Facts that a transformers `config.json` implies: sizes, attention, memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

# Families whose layers are q, k, v, o, a gated feed-forward part and two norms.
GATED = frozenset(
    {
        "llama", "mistral", "mixtral", "qwen2", "qwen3", "qwen3_moe", "gemma", "phi3", "smollm3",
        "granite",
    }
)  # fmt: skip
_NAMES = {
    "layers": ("num_hidden_layers", "n_layer", "num_layers", "n_layers"),
    "hidden": ("hidden_size", "n_embd", "d_model", "dim"),
    "heads": ("num_attention_heads", "n_head", "n_heads", "num_heads"),
    "kv_heads": ("num_key_value_heads", "num_kv_heads", "n_head_kv"),
    "inner": ("intermediate_size", "n_inner", "ffn_dim", "d_ff", "ffn_hidden_size"),
    "vocabulary": ("vocab_size",),
    "context": ("max_position_embeddings", "n_positions", "n_ctx", "seq_length", "max_seq_len"),
    "experts": ("num_local_experts", "num_experts", "n_routed_experts"),
    "active_experts": ("num_experts_per_tok",),
    "window": ("sliding_window",),
}
_LARGEST = 10**12


@dataclass(frozen=True)
class Sizes:
    """What the config says of sizes; None where it is silent."""

    family: str
    layers: int | None
    hidden: int | None
    heads: int | None
    kv_heads: int | None
    head_size: int | None
    inner: int | None
    vocabulary: int | None
    context: int | None
    experts: int | None
    active_experts: int | None
    window: int | None
    is_tied: bool
    parameters: int | None

    @property
    def group(self) -> float | None:
        """How many query heads share a key and value head."""
        return self.heads / self.kv_heads if self.heads and self.kv_heads else None

    @property
    def cache_bytes(self) -> int | None:
        """Keys and values of 1 000 tokens in 16 bits, over all layers."""
        parts = (self.layers, self.kv_heads, self.head_size)
        if not all(parts) or self.family in ("bert", "roberta", "distilbert"):
            return None
        layers, heads, size = (part or 0 for part in parts)
        return 2 * layers * heads * size * 2 * 1000


def sizes_of(config: Mapping[str, Any]) -> Sizes:
    """The sizes in a config; those of its text part where a model reads more than text."""
    family = config.get("model_type")
    inside = config.get("text_config")
    if isinstance(inside, Mapping) and not _number(config, "hidden"):
        config = {**config, **inside}
    found = {name: _number(config, name) for name in _NAMES}
    heads, hidden = found["heads"], found["hidden"]
    found["kv_heads"] = found["kv_heads"] or (1 if config.get("multi_query") is True else heads)
    told = config.get("head_dim")
    size = told if _is_size(told) else hidden // heads if hidden and heads else None
    is_tied = config.get("tie_word_embeddings", True) is not False
    if family in GATED - {"gemma"} and "tie_word_embeddings" not in config:
        is_tied = False
    sizes = Sizes(
        family=family[:80] if isinstance(family, str) else "",
        head_size=size,
        is_tied=is_tied,
        parameters=None,
        **found,
    )
    return Sizes(**{**_fields(sizes), "parameters": _parameters(sizes, config)})


def _fields(sizes: Sizes) -> dict[str, Any]:
    return {name: getattr(sizes, name) for name in Sizes.__dataclass_fields__}


def _is_size(value: Any) -> TypeGuard[int]:
    return type(value) is int and 0 < value < _LARGEST


def _number(config: Mapping[str, Any], name: str) -> int | None:
    for key in _NAMES[name]:
        value = config.get(key)
        if _is_size(value):
            return value
    return None


def _parameters(sizes: Sizes, config: Mapping[str, Any]) -> int | None:
    """The parameters such a config asks for; None of a family whose layers are not known here."""
    if sizes.family in GATED:
        return _gated(sizes, config)
    if sizes.family == "gpt2":
        return _gpt2(sizes)
    return _bert(sizes, config) if sizes.family == "bert" else None


def _gated(sizes: Sizes, config: Mapping[str, Any]) -> int | None:
    needed = (sizes.layers, sizes.hidden, sizes.heads, sizes.kv_heads, sizes.head_size)
    if not all((*needed, sizes.inner, sizes.vocabulary)):
        return None
    layers, hidden, heads, kv_heads, size = (part or 0 for part in needed)
    queries, keys = heads * size, kv_heads * size
    attention = 2 * hidden * queries + 2 * hidden * keys
    if sizes.family == "qwen2":
        attention += queries + 2 * keys
    elif config.get("attention_bias") is True:
        attention += queries + 2 * keys + hidden
    if sizes.family in ("qwen3", "qwen3_moe"):
        attention += 2 * size  # norms of queries and keys
    inner = sizes.inner or 0
    moe_inner = config.get("moe_intermediate_size")
    if sizes.family == "qwen3_moe" and _is_size(moe_inner):
        inner = moe_inner
    forward = 3 * hidden * inner
    if config.get("mlp_bias") is True:
        forward += 2 * inner + hidden
    if sizes.experts:
        forward = sizes.experts * forward + sizes.experts * hidden
    words = (sizes.vocabulary or 0) * hidden * (1 if sizes.is_tied else 2)
    return words + layers * (attention + forward + 2 * hidden) + hidden


def _gpt2(sizes: Sizes) -> int | None:
    if not (sizes.layers and sizes.hidden and sizes.vocabulary and sizes.context):
        return None
    hidden, inner = sizes.hidden, sizes.inner or 4 * sizes.hidden
    attention = 4 * hidden * hidden + 4 * hidden
    forward = 2 * hidden * inner + inner + hidden
    words = (sizes.vocabulary + sizes.context) * hidden
    return words + sizes.layers * (attention + forward + 4 * hidden) + 2 * hidden


def _bert(sizes: Sizes, config: Mapping[str, Any]) -> int | None:
    if not (sizes.layers and sizes.hidden and sizes.vocabulary and sizes.context and sizes.inner):
        return None
    hidden, inner = sizes.hidden, sizes.inner
    kinds = config.get("type_vocab_size", 2)
    words = (sizes.vocabulary + sizes.context + (kinds if _is_size(kinds) else 0)) * hidden
    layer = 4 * hidden * hidden + 4 * hidden + 2 * hidden * inner + inner + hidden + 4 * hidden
    return words + 2 * hidden + sizes.layers * layer + hidden * hidden + hidden
