"""Prompt and continuation as token ids: the same split for training and for scoring."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class Request:
    """Token ids whose last `scored` ones are the continuation."""

    ids: tuple[int, ...]
    scored: int


def encode_pair(tokenizer: "PreTrainedTokenizerBase", context: str, continuation: str) -> Request:
    """Ids of `context` followed by `continuation`, encoded together.

    No special token is added, except before an empty context: there the beginning-of-sequence
    token, or the end-of-sequence token where a tokenizer has none, stands as the context, so
    that the first real token is scored too and a whole sentence is compared by all its tokens.
    White space at the end of the context counts to the continuation, because tokenizers of this
    family join it to the next word. Source: lm-evaluation-harness, lm_eval/api/model.py,
    TemplateLM._encode_pair; held to it, so that numbers compare.
    """
    if not context:
        ids = _ids(tokenizer, continuation)
        return Request((prefix_token(tokenizer), *ids), len(ids))
    spaces = len(context) - len(context.rstrip())
    if spaces:
        continuation = context[-spaces:] + continuation
        context = context[:-spaces]
    whole = _ids(tokenizer, context + continuation)
    return Request(tuple(whole), len(whole) - len(_ids(tokenizer, context)))


def prefix_token(tokenizer: "PreTrainedTokenizerBase") -> int:
    """The token that stands before a text without a prompt: BOS, else EOS."""
    for token in (tokenizer.bos_token_id, tokenizer.eos_token_id):
        if token is not None:
            return int(token)
    return 0


def _ids(tokenizer: "PreTrainedTokenizerBase", text: str) -> list[int]:
    return tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
