"""Which tensors, of which shapes, a configuration asks for.

Sizes follow transformers' models of the same names (Llama, Mistral, Qwen 2 and 3, GPT-2, BERT).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from reviews.weights.errors import WeightsError
from reviews.weights.ties import says_tied

Shape = tuple[int, ...]
_LARGEST = 1 << 32
_MOST_LAYERS = 2_000
_KNOWN_HEADS = (
    "Model", "ForCausalLM", "ForMaskedLM", "ForPreTraining", "ForSequenceClassification",
    "ForTokenClassification", "ForQuestionAnswering", "ForNextSentencePrediction",
    "ForMultipleChoice",
)  # fmt: skip


@dataclass
class Expected:
    """`required` by the model's body; `heads` may be there; names that `ignored` matches may too.

    `prefix` is the body's name inside a model with a head; a bare body is stored without it.
    """

    prefix: str
    required: dict[str, Shape] = field(default_factory=dict)
    heads: dict[str, Shape] = field(default_factory=dict)
    ignored: re.Pattern[str] = re.compile(r"(?!)")


def expected_tensors(config: Mapping[str, Any]) -> Expected | None:
    """What the configuration asks for; None where its `model_type` is not known here.

    Raises: WeightsError: config_wrong, with the `field`.
    """
    make = _FAMILIES.get(str(config.get("model_type")))
    return None if make is None else make(config)


def _size(config: Mapping[str, Any], name: str, default: int | None = None) -> int:
    value = config.get(name)
    value = default if value is None else value
    if type(value) is not int or not 0 < value < _LARGEST:
        raise WeightsError("config_wrong", field=name)
    return value


def _layers(config: Mapping[str, Any], name: str) -> range:
    count = _size(config, name)
    if count > _MOST_LAYERS:
        raise WeightsError("config_wrong", field=name)
    return range(count)


def _labels(config: Mapping[str, Any]) -> int:
    if any(name.endswith("ForMultipleChoice") for name in _architectures(config)):
        return 1
    names = config.get("id2label")
    return len(names) if isinstance(names, dict) and names else _size(config, "num_labels", 2)


def _decoder(config: Mapping[str, Any]) -> Expected:
    kind = config["model_type"]
    hidden, inner = _size(config, "hidden_size"), _size(config, "intermediate_size")
    heads = _size(config, "num_attention_heads")
    groups = _size(config, "num_key_value_heads", heads)
    head = _size(config, "head_dim", 128 if kind == "qwen3" else hidden // heads)
    vocabulary = _size(config, "vocab_size")
    biased = kind == "qwen2" or config.get("attention_bias") is True
    found = Expected("model.", ignored=re.compile(r".*\.rotary_emb\.inv_freq|rope_freqs\.weight"))
    found.required = {"embed_tokens.weight": (vocabulary, hidden), "norm.weight": (hidden,)}
    for layer in _layers(config, "num_hidden_layers"):
        place = f"layers.{layer}."
        modules = {
            "self_attn.q_proj": (heads * head, hidden),
            "self_attn.k_proj": (groups * head, hidden),
            "self_attn.v_proj": (groups * head, hidden),
            "self_attn.o_proj": (hidden, heads * head),
            "mlp.gate_proj": (inner, hidden),
            "mlp.up_proj": (inner, hidden),
            "mlp.down_proj": (hidden, inner),
        }
        for module, shape in modules.items():
            found.required[f"{place}{module}.weight"] = shape
            attention = module.startswith("self_attn") and not (
                kind == "qwen2" and module.endswith("o_proj")
            )
            if (attention and biased) or (
                module.startswith("mlp") and config.get("mlp_bias") is True
            ):
                found.required[f"{place}{module}.bias"] = shape[:1]
        found.required[f"{place}input_layernorm.weight"] = (hidden,)
        found.required[f"{place}post_attention_layernorm.weight"] = (hidden,)
        if kind == "qwen3":
            found.required[f"{place}self_attn.q_norm.weight"] = (head,)
            found.required[f"{place}self_attn.k_norm.weight"] = (head,)
    found.heads = {
        "lm_head.weight": (vocabulary, hidden),
        **_linear("score", _labels(config), hidden),
        **_linear("qa_outputs", 2, hidden),
    }
    return found


def _gpt2(config: Mapping[str, Any]) -> Expected:
    width, vocabulary = _size(config, "n_embd"), _size(config, "vocab_size")
    inner = _size(config, "n_inner", 4 * width)
    found = Expected("transformer.", ignored=re.compile(r".*\.attn\.(masked_)?bias"))
    found.required = {
        "wte.weight": (vocabulary, width),
        "wpe.weight": (_size(config, "n_positions"), width),
        **_affine("ln_f", width),
    }
    for layer in _layers(config, "n_layer"):
        place = f"h.{layer}."
        modules = {
            "attn.c_attn": (width, 3 * width),
            "attn.c_proj": (width, width),
            "mlp.c_fc": (width, inner),
            "mlp.c_proj": (inner, width),
        }
        for module, shape in modules.items():  # stored [in, out], unlike a linear layer
            found.required[f"{place}{module}.weight"] = shape
            found.required[f"{place}{module}.bias"] = shape[1:]
        found.required |= _affine(f"{place}ln_1", width) | _affine(f"{place}ln_2", width)
    found.heads = {
        "lm_head.weight": (vocabulary, width),
        "score.weight": (_labels(config), width),
        **_linear("classifier", _labels(config), width),
        **_linear("qa_outputs", 2, width),
    }
    return found


def _bert(config: Mapping[str, Any]) -> Expected:
    hidden, inner = _size(config, "hidden_size"), _size(config, "intermediate_size")
    vocabulary = _size(config, "vocab_size")
    found = Expected("bert.", ignored=re.compile(r".*embeddings\.position_ids"))
    found.required = {
        "embeddings.word_embeddings.weight": (vocabulary, hidden),
        "embeddings.position_embeddings.weight": (
            _size(config, "max_position_embeddings"),
            hidden,
        ),
        "embeddings.token_type_embeddings.weight": (_size(config, "type_vocab_size", 2), hidden),
        **_affine("embeddings.LayerNorm", hidden),
    }
    for layer in _layers(config, "num_hidden_layers"):
        place = f"encoder.layer.{layer}."
        for module in ("self.query", "self.key", "self.value", "output.dense"):
            found.required |= _linear(f"{place}attention.{module}", hidden, hidden)
        found.required |= _linear(f"{place}intermediate.dense", inner, hidden)
        found.required |= _linear(f"{place}output.dense", hidden, inner)
        found.required |= _affine(f"{place}attention.output.LayerNorm", hidden)
        found.required |= _affine(f"{place}output.LayerNorm", hidden)
    found.heads = {
        **_linear("bert.pooler.dense", hidden, hidden),
        **_linear("pooler.dense", hidden, hidden),
        **_linear("classifier", _labels(config), hidden),
        **_linear("qa_outputs", 2, hidden),
        **_linear("cls.predictions.transform.dense", hidden, hidden),
        **_affine("cls.predictions.transform.LayerNorm", hidden),
        **_linear("cls.predictions.decoder", vocabulary, hidden),
        **_linear("cls.seq_relationship", 2, hidden),
        "cls.predictions.bias": (vocabulary,),
    }
    return found


def _linear(name: str, rows: int, columns: int) -> dict[str, Shape]:
    return {f"{name}.weight": (rows, columns), f"{name}.bias": (rows,)}


def _affine(name: str, size: int) -> dict[str, Shape]:
    return {f"{name}.weight": (size,), f"{name}.bias": (size,)}


def _architectures(config: Mapping[str, Any]) -> list[str]:
    names = config.get("architectures")
    return [str(each) for each in names] if isinstance(names, list) else []


def knows_heads(config: Mapping[str, Any]) -> bool:
    """Whether the model's class is one whose head is known here, so that nothing else may be."""
    return all(name.endswith(_KNOWN_HEADS) for name in _architectures(config))


def needs_head(config: Mapping[str, Any], family: Expected) -> str | None:
    """The head that must be stored: a causal model's output, unless it is tied."""
    causal = any(name.endswith("ForCausalLM") for name in _architectures(config))
    if not causal or says_tied(dict(config)):
        return None
    return "lm_head.weight" if "lm_head.weight" in family.heads else None


_FAMILIES: dict[str, Callable[[Mapping[str, Any]], Expected]] = {
    **dict.fromkeys(("llama", "mistral", "qwen2", "qwen3"), _decoder),
    "gpt2": _gpt2,
    "bert": _bert,
}
