"""Multiple choice: the log-likelihood of every choice after its prompt."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from training.runner.answering.likelihoods import Ask, Likelihood, Scorer, batches
from training.runner.benchmarks import Asked
from training.runner.definitions import Question
from training.runner.encoding import Encoder
from training.runner.marking.choices import ChoiceMarker, best_of
from training.runner.marking.marks import Marks

DECIMALS = 6


class Choices:
    """One model on one multiple-choice benchmark."""

    def __init__(self, asked: Asked, scorer: Scorer) -> None:
        self.definition, self.scorer = asked.definition, scorer
        self.encoder: Encoder = scorer.backbone.encoder
        self.mark = ChoiceMarker(asked.definition, {len(q.choices) for q in asked.questions})

    def batches(self, chunk: Sequence[Question]) -> Iterator[list[Ask]]:
        """The questions of a chunk, by their places in it."""
        pairs = [self.definition.pairs(question) for question in chunk]
        requests = iter(self.encoder.pairs([pair for each in pairs for pair in each]))
        asks = [
            self.scorer.ask(number, [next(requests) for _ in each])
            for number, each in enumerate(pairs)
        ]
        return batches(asks, self.scorer.batch_tokens)

    def answers(self, chunk: Sequence[Question], batch: list[Ask]) -> Iterator[dict[str, Any]]:
        """Fields of the item events of one batch."""
        for ask, found in zip(batch, self.scorer.score(batch), strict=True):
            yield self._fields(chunk[ask.number], found)

    def _fields(self, question: Question, found: list[Likelihood]) -> dict[str, Any]:
        # Rounded before they are compared: what is told as equal is a tie.
        numbers = [round(each.value, DECIMALS) for each in found]
        pred, tie, marks = None, False, Marks.unknown(self.mark.names)
        if all(map(math.isfinite, numbers)):
            pred, tie = best_of(numbers)
            marks = self.mark(question, numbers)
        return {
            "metrics": marks.metrics, "sums": marks.sums, "pred": pred, "tie": tie,
            "loglikelihoods": numbers, "greedy": [each.greedy for each in found],
            "truncated": any(each.truncated for each in found),
        }  # fmt: skip
