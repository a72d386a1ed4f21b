"""Input and output embeddings that are one tensor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from reviews.weights.checkpoint import Checkpoint
from reviews.weights.tensors import Tensor

# The same matrix under its name as input and as output, by family.
_PAIRS = (
    ("model.embed_tokens.weight", "lm_head.weight"),
    ("transformer.wte.weight", "lm_head.weight"),
    ("wte.weight", "lm_head.weight"),
    ("bert.embeddings.word_embeddings.weight", "cls.predictions.decoder.weight"),
)
# Families whose configuration ties unless it says otherwise.
_TIED_BY_DEFAULT = frozenset({"gpt2", "bert", "gemma", "gemma2", "gemma3", "gemma3_text"})


def embedding_names(checkpoint: Checkpoint) -> tuple[str, str] | None:
    """The names of the input and of the output embedding, whether or not the second is stored."""
    return next((pair for pair in _PAIRS if pair[0] in checkpoint.tensors), None)


def says_tied(config: dict[str, object] | None) -> bool:
    """Whether the configuration makes output and input embedding one tensor."""
    if config is None:
        return False
    default = str(config.get("model_type")) in _TIED_BY_DEFAULT
    return config.get("tie_word_embeddings", default) is True


def stand_in(checkpoint: Checkpoint, name: str) -> Tensor | None:
    """The input embedding, where `name` is an output embedding that is tied and not stored."""
    names = embedding_names(checkpoint)
    if names is None or names[1] != name or name in checkpoint.tensors:
        return None
    return checkpoint.tensors[names[0]] if says_tied(checkpoint.config) else None


def is_tied(checkpoint: Checkpoint, digests: Callable[[Tensor], str]) -> bool | None:
    """Whether both embeddings hold the same; None where there are not two of them."""
    names = embedding_names(checkpoint)
    if names is None:
        return None
    output = checkpoint.tensors.get(names[1])
    if output is None:
        return True if says_tied(checkpoint.config) else None
    source = checkpoint.tensors[names[0]]
    alike = (source.dtype, source.shape) == (output.dtype, output.shape)
    return alike and digests(source) == digests(output)


@dataclass(frozen=True)
class TieChange:
    """`what` became of embeddings: one before and two now ("broken"), or the other way round."""

    what: Literal["broken", "made"]
    source: str
    output: str


def tie_change(
    base: Checkpoint, candidate: Checkpoint, digests: Callable[[Tensor], str]
) -> TieChange | None:
    """Whether embeddings that were one are two now, or the other way round."""
    before, after = is_tied(base, digests), is_tied(candidate, digests)
    names = embedding_names(candidate)
    if names is None or before is None or after is None or before == after:
        return None
    return TieChange("broken" if before else "made", *names)
