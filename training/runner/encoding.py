"""Texts as token ids: prompt and continuation, the same split for training and for scoring."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

DEFAULT_LENGTH = 2048
UNSET_LENGTH = 10**20  # transformers writes 10**30 where a tokenizer names no length


@dataclass(frozen=True)
class Request:
    """Token ids whose last `scored` ones are the continuation.

    `truncated`: the beginning was cut off, because a model reads no more.
    """

    ids: tuple[int, ...]
    scored: int
    truncated: bool = False


class Encoder:
    """A tokenizer, used as lm-evaluation-harness does; texts are encoded many at a time.

    Special tokens that a tokenizer puts before a text are put there too; those that it puts after
    a text are not, because a continuation follows.
    """

    def __init__(self, tokenizer: "PreTrainedTokenizerBase") -> None:
        self.tokenizer: Any = tokenizer
        self.start = _start(tokenizer)
        self.prefix = prefix_token(tokenizer)
        self.prefix_text = tokenizer.decode([self.prefix])

    def encode(self, texts: Iterable[str], *, bare: bool = False) -> dict[str, list[int]]:
        """Ids by text. `bare` leaves out what the tokenizer puts before a text."""
        unique = list(dict.fromkeys(texts))
        if not unique:
            return {}
        found = self.tokenizer(
            unique, add_special_tokens=False, return_attention_mask=False, verbose=False
        )["input_ids"]
        return {
            text: ids if bare or self._starts(text) else [*self.start, *ids]
            for text, ids in zip(unique, found, strict=True)
        }

    def pairs(self, pairs: Sequence[tuple[str, str]]) -> list[Request]:
        """A request for each context and continuation, encoded together.

        Before an empty context the beginning-of-sequence token, or the end-of-sequence token where
        a tokenizer has none, stands as the context, so that the first real token is scored too.
        White space at the end of a context counts to the continuation, because tokenizers of this
        family join it to the next word. Source: lm-evaluation-harness, lm_eval/api/model.py,
        TemplateLM.loglikelihood and _encode_pair; held to it, so that numbers compare.
        """
        split = [_split(context, continuation) for context, continuation in pairs]
        bare = self.encode((text for context, text in split if not context), bare=True)
        texts = (text for context, tail in split if context for text in (context, context + tail))
        whole = self.encode(texts)
        return [
            self._follows(whole[context], whole[context + tail], tail)
            if context
            else self._alone(bare[tail])
            for context, tail in split
        ]

    def windows(self, texts: Sequence[str], length: int) -> list[list[Request]]:
        """For each text, requests that score every token once, with as much before it as fits.

        Source: lm-evaluation-harness, lm_eval/utils.py, get_rolling_token_windows, context 1.
        """
        found = self.encode(texts)
        return [list(_windows([self.prefix, *found[text]], length)) for text in texts]

    def _starts(self, text: str) -> bool:
        """Whether a text begins with the token that would be put before it."""
        return bool(self.start and self.prefix_text) and text.startswith(self.prefix_text)

    def _alone(self, ids: list[int]) -> Request:
        if ids and ids[0] == self.prefix:
            return Request(tuple(ids), len(ids) - 1)
        return Request((self.prefix, *ids), len(ids))

    def _follows(self, context: list[int], whole: list[int], tail: str) -> Request:
        if len(whole) > len(context):
            # As the harness has it: where both melt into one token, the context's own one stays.
            return Request((*context, *whole[len(context) :]), len(whole) - len(context))
        # The continuation melts into the context's last token: it is encoded by itself.
        own = self.encode([tail], bare=True)[tail]
        return Request((*context, *own), len(own))


def encode_pair(tokenizer: "PreTrainedTokenizerBase", context: str, continuation: str) -> Request:
    """Ids of `context` followed by `continuation`, see `Encoder.pairs`."""
    return Encoder(tokenizer).pairs([(context, continuation)])[0]


def truncated(request: Request, length: int) -> Request:
    """`request` without its beginning where a model that reads `length` tokens needs that."""
    if len(request.ids) <= length + 1:
        return request
    return Request(request.ids[-(length + 1) :], min(request.scored, length), truncated=True)


def length_of(config: Any, tokenizer: Any) -> int:
    """How many tokens a model reads. Source: lm-evaluation-harness, resolve_max_length."""
    config = getattr(config, "text_config", None) or config
    for name in ("n_positions", "max_position_embeddings", "n_ctx"):
        if (value := getattr(config, name, None)) is not None:
            return int(value)
    length = getattr(tokenizer, "model_max_length", None)
    return int(length) if length is not None and length < UNSET_LENGTH else DEFAULT_LENGTH


def prefix_token(tokenizer: "PreTrainedTokenizerBase") -> int:
    """The token that stands before a text without a prompt: BOS, else EOS."""
    for token in (tokenizer.bos_token_id, tokenizer.eos_token_id):
        if token is not None:
            return int(token)
    return 0


def _start(tokenizer: Any) -> list[int]:
    """The special tokens that `tokenizer` puts before a text."""
    bare = tokenizer("a", add_special_tokens=False)["input_ids"]
    full = tokenizer("a")["input_ids"]
    for place in range(len(full) - len(bare) + 1):
        if full[place : place + len(bare)] == bare:
            return list(full[:place])
    return []


def _split(context: str, continuation: str) -> tuple[str, str]:
    """The two with the context's last white space moved over."""
    bare = context.rstrip()
    return bare, context[len(bare) :] + continuation


def _windows(ids: list[int], length: int) -> Iterator[Request]:
    """`ids` begin with the prefix token, which is not scored."""
    end = min(length, len(ids) - 1)
    if end > 0:
        yield Request(tuple(ids[: end + 1]), end)
    while end < len(ids) - 1:
        scored = min(len(ids) - 1 - end, length)
        end += scored
        yield Request(tuple(ids[end - length : end + 1]), scored)
