"""What the keys of a GGUF header and the quantisation types of its tensors mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from hub.actions.tensor_heads import Head

# By the whole key, or by what follows the architecture's name.
_KEYS: dict[str, Any] = {
    "general.architecture": gettext_lazy("The family of the model: how its layers are built."),
    "general.name": gettext_lazy("The name of the model."),
    "general.basename": gettext_lazy("The name without size and version."),
    "general.type": gettext_lazy("Whether this is a model, an adapter or another kind of file."),
    "general.size_label": gettext_lazy("How many parameters, as people say it."),
    "general.license": gettext_lazy("The licence, as an SPDX expression."),
    "general.file_type": gettext_lazy("The number of the quantisation that most tensors have."),
    "general.quantization_version": gettext_lazy("The version of the quantised blocks' layout."),
    "general.alignment": gettext_lazy("Tensors begin at multiples of so many bytes."),
    "general.author": gettext_lazy("Who made the model."),
    "general.finetune": gettext_lazy("What it was tuned for."),
    "general.tags": gettext_lazy("Words to find it by."),
    "general.languages": gettext_lazy("The languages it knows."),
    "general.parameter_count": gettext_lazy("How many parameters it has."),
    "context_length": gettext_lazy("The most tokens it was trained to read at once."),
    "embedding_length": gettext_lazy("The width of the hidden states."),
    "block_count": gettext_lazy("How many layers it has."),
    "feed_forward_length": gettext_lazy("The width inside the feed-forward part."),
    "attention.head_count": gettext_lazy("How many heads attention has."),
    "attention.head_count_kv": gettext_lazy("How many key and value heads; fewer save cache."),
    "attention.key_length": gettext_lazy("The width of a key."),
    "attention.value_length": gettext_lazy("The width of a value."),
    "attention.layer_norm_rms_epsilon": gettext_lazy("Keeps RMS norms from dividing by zero."),
    "attention.layer_norm_epsilon": gettext_lazy("Keeps layer norms from dividing by zero."),
    "attention.sliding_window": gettext_lazy("How many tokens back a token looks."),
    "rope.dimension_count": gettext_lazy("How much of a head is turned by the position."),
    "rope.freq_base": gettext_lazy("The base of the rotary frequencies."),
    "rope.scaling.type": gettext_lazy("How positions are stretched to longer texts."),
    "rope.scaling.factor": gettext_lazy("By how much positions are stretched."),
    "vocab_size": gettext_lazy("How many tokens the vocabulary has."),
    "expert_count": gettext_lazy("How many experts a layer has."),
    "expert_used_count": gettext_lazy("How many experts a token goes through."),
    "tokenizer.ggml.model": gettext_lazy("The kind of tokenizer."),
    "tokenizer.ggml.pre": gettext_lazy("How text is split before it is tokenised."),
    "tokenizer.ggml.tokens": gettext_lazy("The tokens, by their ids."),
    "tokenizer.ggml.scores": gettext_lazy("How likely each token is, for merging."),
    "tokenizer.ggml.token_type": gettext_lazy("Of each token: normal, control, byte and so on."),
    "tokenizer.ggml.merges": gettext_lazy("The merges of byte-pair encoding, in order."),
    "tokenizer.ggml.bos_token_id": gettext_lazy("The token that begins a text."),
    "tokenizer.ggml.eos_token_id": gettext_lazy("The token that ends a text."),
    "tokenizer.ggml.unknown_token_id": gettext_lazy("The token for what is not known."),
    "tokenizer.ggml.padding_token_id": gettext_lazy("The token that fills up short texts."),
    "tokenizer.ggml.add_bos_token": gettext_lazy("Whether a text gets its first token by itself."),
    "tokenizer.ggml.add_eos_token": gettext_lazy("Whether a text gets its last token by itself."),
    "tokenizer.chat_template": gettext_lazy("How a conversation becomes text: a Jinja template."),
}  # fmt: skip
# By the name's beginning, the longest first.
_TYPES: tuple[tuple[str, Any], ...] = (
    ("IQ", gettext_lazy("about %(bits)s bits a weight, in blocks looked up in a table")),
    ("TQ", gettext_lazy("about %(bits)s bits a weight: −1, 0 or 1 times a scale")),
    ("MXFP4", gettext_lazy("4-bit floats with a shared exponent")),
    ("Q8_K", gettext_lazy("8-bit blocks of 256, for sums in between")),
    ("Q", gettext_lazy("%(bits)s-bit whole numbers in blocks, each with its scale")),
    ("F64", gettext_lazy("64-bit floats")),
    ("F32", gettext_lazy("32-bit floats")),
    ("F16", gettext_lazy("16-bit floats")),
    ("BF16", gettext_lazy("16-bit floats with the range of 32")),
    ("F8", gettext_lazy("8-bit floats")),
    ("I", gettext_lazy("whole numbers")),
    ("U", gettext_lazy("whole numbers without sign")),
)


@dataclass(frozen=True)
class MetadataRow:
    key: str
    value: str
    is_long: bool
    said: Any


def metadata_rows(head: Head) -> list[MetadataRow]:
    """The keys of a head with what they mean."""
    architecture = next(
        (value for key, _kind, value in head.metadata if key == "general.architecture"), ""
    )
    return [_row(key, kind, value, architecture) for key, kind, value in head.metadata]


def _row(key: str, kind: str, value: Any, architecture: str) -> MetadataRow:
    shown = _("%(count)s values") % {"count": value[1]} if kind == "array" else str(value)
    own = key.removeprefix(f"{architecture}.") if architecture else key
    return MetadataRow(key, shown, len(shown) > 160 or "\n" in shown, _KEYS.get(own, ""))


def type_said(dtype: str) -> str:
    """A storage type in words; "" of one that is not known here."""
    bits = "".join(letter for letter in dtype.partition("_")[0] if letter.isdecimal())
    for start, said in _TYPES:
        if dtype.startswith(start):
            return str(said % {"bits": bits} if "%(" in str(said) else said)
    return ""
