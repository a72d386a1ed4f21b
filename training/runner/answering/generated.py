"""Generated answers to the questions of a benchmark, and their marks."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from training.runner.answering.generation import Answer, Generator
from training.runner.answering.likelihoods import Scorer
from training.runner.answering.pieces import Ids
from training.runner.benchmarks import Asked
from training.runner.definitions import Question
from training.runner.marking.generated import TextMarker
from training.runner.marking.marks import Marks
from training.runner.stopping import Stop

ANSWERS_A_BATCH = 64
# What the keys and values of a batch may take.
CACHE_BYTES = 512 << 20


@dataclass(frozen=True)
class Prompt:
    """The tokens of one question; `number` is its place in its chunk.

    `shared`: it begins with the prefix that the model has read, which `ids` leaves out.
    """

    number: int
    ids: Ids
    shared: bool
    truncated: bool


class Generated:
    """One model on one benchmark of generated answers. `scorer` lends the prefix of all prompts."""

    def __init__(self, asked: Asked, scorer: Scorer, stop: Stop) -> None:
        self.scorer = scorer
        values = asked.definition.values
        self.generator = Generator(scorer.backbone, values.get("generation_kwargs") or {}, stop)
        self.mark = TextMarker(asked.definition, asked.questions)
        self.seed, self.repeats = asked.definition.seed, self.mark.repeats

    def batches(self, chunk: Sequence[Question]) -> Iterator[list[Prompt]]:
        """Prompts in batches, longest first; the split depends on the chunk alone."""
        encoder = self.scorer.backbone.encoder
        texts = [question.context + question.prompt for question in chunk]
        found = encoder.encode(texts)
        prompts = [self._prompt(n, found[text] or [encoder.prefix]) for n, text in enumerate(texts)]
        batch: list[Prompt] = []
        for prompt in sorted(prompts, key=lambda p: (p.shared, -len(p.ids), p.number)):
            if batch and not self._fits(batch, prompt):
                yield batch
                batch = []
            batch.append(prompt)
        if batch:
            yield batch

    def answers(self, chunk: Sequence[Question], batch: list[Prompt]) -> Iterator[dict[str, Any]]:
        answers = [
            [
                Answer(random.Random(f"{self.seed}:{chunk[prompt.number].id}:{repeat}"))  # noqa: S311
                for repeat in range(self.repeats)
            ]
            for prompt in batch
        ]
        prefix = (self.scorer.prefix, self.scorer.layers) if batch[0].shared else ((), None)
        self.generator.generate([prompt.ids for prompt in batch], answers, *prefix)
        for prompt, each in zip(batch, answers, strict=True):
            if any(answer.broken for answer in each):
                marks = Marks.unknown(self.mark.names)
                yield {"metrics": marks.metrics, "truncated": prompt.truncated}
                continue
            outputs = [self.generator.stops.text(answer.ids) for answer in each]
            marks, extracted = self.mark(chunk[prompt.number], outputs)
            yield {
                "metrics": marks.metrics, "sums": marks.sums, "output": outputs[0],
                "outputs": outputs if len(outputs) > 1 else [], "extracted": extracted[0],
                "tokens": sum(len(answer.ids) for answer in each), "truncated": prompt.truncated,
            }  # fmt: skip

    def _prompt(self, number: int, ids: list[int]) -> Prompt:
        """The end of the prompt, as much as leaves room for the answer."""
        kept, prefix = tuple(ids[-self.generator.room :]), self.scorer.prefix
        shared = bool(prefix) and len(kept) > len(prefix) and kept[: len(prefix)] == prefix
        shared = shared and self.scorer.backbone.branches(len(kept) + self.generator.new_tokens)
        return Prompt(number, kept[len(prefix) :] if shared else kept, shared, len(kept) < len(ids))

    def _fits(self, batch: Sequence[Prompt], prompt: Prompt) -> bool:
        """Whether one more prompt may join a batch of longer ones."""
        longest, backbone = len(batch[0].ids), self.scorer.backbone
        held = longest + self.generator.new_tokens
        held += len(self.scorer.prefix) if prompt.shared else 0
        alike = backbone.branches(held) or len(prompt.ids) == longest
        if prompt.shared != batch[0].shared or not alike:
            return False
        prompts, rows = len(batch) + 1, (len(batch) + 1) * self.repeats
        return (
            prompts * longest <= self.scorer.batch_tokens
            and rows <= ANSWERS_A_BATCH
            and rows * held * backbone.bytes_a_token <= CACHE_BYTES
        )
