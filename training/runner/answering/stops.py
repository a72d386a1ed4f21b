"""Where a generated text ends: at a stop string, wherever the tokens are cut."""

from collections.abc import Sequence
from typing import Any

# A character is at most four bytes, and a token at least one; some more, because the first token
# of a piece may be shown without its space.
TOKENS_A_CHARACTER, MORE = 4, 4


class Stops:
    """Stop strings of one benchmark, checked on text.

    Source: lm-evaluation-harness, MultiTokenEOSCriteria and postprocess_generated_text: the end of
    the text is a stop too, in case a model spells it.
    """

    def __init__(self, tokenizer: Any, until: Sequence[str]) -> None:
        self.tokenizer = tokenizer
        end = tokenizer.eos_token_id
        spelled = [] if end is None else [tokenizer.decode([end])]
        self.texts = [text for text in dict.fromkeys([*until, *spelled]) if text]
        longest = max((len(text) for text in until), default=0)
        self.checked = [text for text in until if text]
        self.window = TOKENS_A_CHARACTER * longest + MORE

    def reached(self, answers: Sequence[Sequence[int]]) -> list[bool]:
        """Whether each answer ends one token after, or at, a stop string."""
        if not self.checked or not answers:
            return [False] * len(answers)
        tails = self.tokenizer.batch_decode([list(ids[-self.window :]) for ids in answers])
        return [any(stop in tail for stop in self.checked) for tail in tails]

    def text(self, ids: Sequence[int]) -> str:
        """The text of an answer, up to the first stop string."""
        text: str = self.tokenizer.decode(list(ids), skip_special_tokens=True)
        for stop in self.texts:
            text = text.split(stop)[0]
        return text
