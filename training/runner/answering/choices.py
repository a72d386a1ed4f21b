"""Multiple choice: the log-likelihood of every choice after its prompt."""

from collections.abc import Iterator, Sequence
from typing import Any

from training.runner.benchmarks import Asked
from training.runner.definitions import Question
from training.runner.encoding import encode_pair
from training.runner.marking.choices import ChoiceMarker, best_of
from training.runner.scoring import Ask, Scorer, batches

DECIMALS = 6


class Choices:
    """One model on one multiple-choice benchmark."""

    def __init__(self, asked: Asked, scorer: Scorer, tokenizer: Any, batch_tokens: int) -> None:
        self.definition, self.scorer, self.tokenizer = asked.definition, scorer, tokenizer
        self.batch_tokens = batch_tokens
        self.mark = ChoiceMarker(asked.definition, asked.questions)

    def batches(self, chunk: Sequence[Question]) -> Iterator[list[Ask]]:
        """The questions of a chunk, by their places in it."""
        asks = [Ask(number, self._requests(question)) for number, question in enumerate(chunk)]
        return batches(asks, self.batch_tokens)

    def answers(self, chunk: Sequence[Question], batch: list[Ask]) -> Iterator[dict[str, Any]]:
        """Fields of the item events of one batch."""
        for ask, found in zip(batch, self.scorer.score(batch), strict=True):
            question = chunk[ask.number]
            # Rounded before they are compared: what is told as equal is a tie.
            numbers = [round(number, DECIMALS) for number, _ in found]
            pred, tie = best_of(numbers)
            marks = self.mark(question, numbers)
            yield {
                "metrics": marks.metrics, "sums": marks.sums, "pred": pred, "tie": tie,
                "loglikelihoods": numbers, "greedy": [greedy for _, greedy in found],
            }  # fmt: skip

    def _requests(self, question: Question) -> tuple[Any, ...]:
        """One request a choice. Without a prompt the choice is the whole text."""
        prompt = question.context + question.prompt
        delimiter = self.definition.delimiter if prompt else ""
        return tuple(
            encode_pair(self.tokenizer, prompt, delimiter + choice) for choice in question.choices
        )
