"""Whole texts and continuations: their log-likelihood, by the token, the byte or the word."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from training.runner.answering.choices import DECIMALS
from training.runner.answering.likelihoods import Ask, Scorer, batches
from training.runner.benchmarks import Asked
from training.runner.definitions import Question
from training.runner.marking.lengths import (
    CONTINUING,
    ROLLING,
    check_metrics,
    continuing_marks,
    rolling_marks,
)
from training.runner.marking.marks import Marks


class Rolling:
    """One model reading the texts of a benchmark, the longest ones in windows."""

    def __init__(self, asked: Asked, scorer: Scorer) -> None:
        self.scorer = scorer
        self.names = check_metrics(asked.definition, ROLLING)

    def batches(self, chunk: Sequence[Question]) -> Iterator[list[Ask]]:
        backbone = self.scorer.backbone
        windows = backbone.encoder.windows([_text(q) for q in chunk], backbone.length)
        asks = [self.scorer.ask(number, requests) for number, requests in enumerate(windows)]
        return batches(asks, self.scorer.batch_tokens)

    def answers(self, chunk: Sequence[Question], batch: list[Ask]) -> Iterator[dict[str, Any]]:
        for ask, found in zip(batch, self.scorer.score(batch), strict=True):
            text = _text(chunk[ask.number])
            nll = -math.fsum(each.value for each in found)
            marks = Marks.unknown(self.names)
            if math.isfinite(nll):
                marks = rolling_marks(self.names, nll, text)
            yield {
                "metrics": marks.metrics, "sums": marks.sums, "nll": round(nll, DECIMALS),
                "bytes": len(text.encode()), "tokens": sum(each.tokens for each in found),
                "loglikelihoods": [round(-nll, DECIMALS)],
            }  # fmt: skip


class Continuing:
    """One model on a benchmark that asks how likely the right answer is after its prompt."""

    def __init__(self, asked: Asked, scorer: Scorer) -> None:
        self.scorer = scorer
        self.names = check_metrics(asked.definition, CONTINUING)

    def batches(self, chunk: Sequence[Question]) -> Iterator[list[Ask]]:
        pairs = [(q.context + q.prompt, _text(q)) for q in chunk]
        requests = self.scorer.backbone.encoder.pairs(pairs)
        asks = [self.scorer.ask(number, [request]) for number, request in enumerate(requests)]
        return batches(asks, self.scorer.batch_tokens)

    def answers(self, chunk: Sequence[Question], batch: list[Ask]) -> Iterator[dict[str, Any]]:
        for ask, (found,) in zip(batch, self.scorer.score(batch), strict=True):
            text = _text(chunk[ask.number])
            marks = Marks.unknown(self.names)
            if math.isfinite(found.value):
                marks = continuing_marks(self.names, -found.value, greedy=found.greedy)
            yield {
                "metrics": marks.metrics, "sums": marks.sums, "nll": round(-found.value, DECIMALS),
                "bytes": len(text.encode()), "tokens": found.tokens, "greedy": [found.greedy],
                "loglikelihoods": [round(found.value, DECIMALS)], "truncated": found.truncated,
            }  # fmt: skip


def _text(question: Question) -> str:
    return question.expected[0] if question.expected else ""
