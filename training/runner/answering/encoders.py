"""Encoders: a head of labels, or sentence embeddings that choices are compared by."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from training.runner.answering.choices import DECIMALS
from training.runner.benchmarks import Asked
from training.runner.definitions import Definition, Question
from training.runner.encoding import length_of
from training.runner.errors import BadBenchmarkError
from training.runner.marking.choices import ChoiceMarker, best_of
from training.runner.marking.marks import Marks

GENERIC_LABEL = "LABEL_"


@dataclass(frozen=True)
class Text:
    """A question's text as token ids; `number` is its place in its chunk."""

    number: int
    ids: tuple[int, ...]
    truncated: bool


class EncoderModel:
    """An encoder in evaluation mode on one device, and its tokenizer."""

    def __init__(self, model: Any, tokenizer: Any, device: str = "cpu") -> None:
        self.model, self.tokenizer, self.device = model.to(device), tokenizer, device
        self.length = min(length_of(model.config, tokenizer), tokenizer.model_max_length)

    def texts(self, texts: Sequence[str]) -> list[Text]:
        """Ids with the special tokens; what the model does not read is cut off at the end."""
        whole = self.tokenizer(list(texts), return_attention_mask=False, verbose=False)["input_ids"]
        long = [text for text, ids in zip(texts, whole, strict=True) if len(ids) > self.length]
        cut = {}
        if long:
            found = self.tokenizer(long, truncation=True, max_length=self.length)["input_ids"]
            cut = dict(zip(long, found, strict=True))
        return [
            Text(number, tuple(cut.get(text, ids)), text in cut)
            for number, (text, ids) in enumerate(zip(texts, whole, strict=True))
        ]

    def read(self, texts: Sequence[Text]) -> tuple[Any, torch.Tensor]:
        """The model's output for texts padded on the right, and the mask [texts, width]."""
        width = max(len(text.ids) for text in texts)
        padding = self.tokenizer.pad_token_id or 0
        rows = [[*text.ids, *[padding] * (width - len(text.ids))] for text in texts]
        seen = [[1] * len(text.ids) + [0] * (width - len(text.ids)) for text in texts]
        mask = torch.tensor(seen, device=self.device)
        ids = torch.tensor(rows, device=self.device)
        return self.model(input_ids=ids, attention_mask=mask), mask


def batches_of(texts: Sequence[Text], batch_tokens: int) -> Iterator[list[Text]]:
    """`texts` in batches of at most `batch_tokens` padded tokens, longest first."""
    batch: list[Text] = []
    for text in sorted(texts, key=lambda text: (-len(text.ids), text.number)):
        if batch and (len(batch) + 1) * len(batch[0].ids) > batch_tokens:
            yield batch
            batch = []
        batch.append(text)
    if batch:
        yield batch


class Encoded:
    """One encoder on one benchmark: a number for each choice, the greatest is the answer."""

    def __init__(self, asked: Asked, encoder: EncoderModel, batch_tokens: int) -> None:
        self.encoder, self.batch_tokens = encoder, batch_tokens
        self.definition: Definition = asked.definition
        self.mark = ChoiceMarker(asked.definition, self.classes(asked))

    def classes(self, asked: Asked) -> set[int]:
        return {len(question.choices) for question in asked.questions}

    def asked_as(self, question: Question) -> Question:
        """The question with the choices that its numbers are for."""
        return question

    def numbers(self, questions: Sequence[Question], batch: Sequence[Text]) -> list[list[float]]:
        """A number for each choice of each question."""
        raise NotImplementedError

    def batches(self, chunk: Sequence[Question]) -> Iterator[list[Text]]:
        texts = self.encoder.texts([question.context + question.prompt for question in chunk])
        return batches_of(texts, self.batch_tokens)

    def answers(self, chunk: Sequence[Question], batch: list[Text]) -> Iterator[dict[str, Any]]:
        questions = [self.asked_as(chunk[text.number]) for text in batch]
        with torch.inference_mode():
            found = self.numbers(questions, batch)
        for question, text, numbers in zip(questions, batch, found, strict=True):
            rounded = [round(number, DECIMALS) for number in numbers]
            pred, tie, marks = None, False, Marks.unknown(self.mark.names)
            if all(number == number and abs(number) != float("inf") for number in rounded):
                pred, tie = best_of(rounded)
                marks = self.mark(question, rounded)
            yield {
                "metrics": marks.metrics, "sums": marks.sums, "pred": pred, "tie": tie,
                "target": question.target, "loglikelihoods": rounded, "truncated": text.truncated,
                "tokens": len(text.ids),
            }  # fmt: skip


class Labelled(Encoded):
    """A model with a head of labels; a number is a label's log-probability.

    Classes stand in the order of doc_to_choice, else of the labels' names, else of the head: so
    that two models which number the same labels differently compare.
    """

    def __init__(self, asked: Asked, encoder: EncoderModel, batch_tokens: int) -> None:
        named = encoder.model.config.id2label
        self.heads = [str(named[place]) for place in range(len(named))]
        super().__init__(asked, encoder, batch_tokens)
        self.labels = self._labels(asked)
        self.order = [self.heads.index(self._head(label)) for label in self.labels]

    def classes(self, asked: Asked) -> set[int]:
        return {len(self.heads)}

    def asked_as(self, question: Question) -> Question:
        targets = question.targets or tuple(map(self._place, question.expected))
        return Question(**vars(question) | {"choices": self.labels, "targets": targets})

    def numbers(self, questions: Sequence[Question], batch: Sequence[Text]) -> list[list[float]]:
        output, _ = self.encoder.read(batch)
        found: list[list[float]] = output.logits.float().log_softmax(1)[:, self.order].tolist()
        return found

    def _labels(self, asked: Asked) -> tuple[str, ...]:
        choices = {question.choices for question in asked.questions if question.choices}
        if len(choices) > 1 or any(len(each) != len(self.heads) for each in choices):
            raise BadBenchmarkError(
                f"The benchmark {asked.name} has other choices than the {len(self.heads)} labels "
                "of the model; make doc_to_choice the list of its labels."
            )
        if choices:
            return choices.pop()
        generic = all(label.startswith(GENERIC_LABEL) for label in self.heads)
        by_index = all(q.expected[0].isdigit() for q in asked.questions if q.expected)
        return tuple(self.heads if generic or by_index else sorted(self.heads))

    def _head(self, label: str) -> str:
        """The model's own name of a label."""
        if all(name.startswith(GENERIC_LABEL) for name in self.heads):
            return self.heads[self.labels.index(label)]
        same = [name for name in self.heads if name.casefold() == label.casefold()]
        if len(same) != 1:
            raise BadBenchmarkError(
                f"The benchmark {self.definition.name} has the choice {label}, and the model the "
                f"labels {', '.join(self.heads[:10])}; name them alike."
            )
        return same[0]

    def _place(self, answer: str) -> int:
        names = [label.casefold() for label in self.labels]
        if answer.casefold() in names:
            return names.index(answer.casefold())
        if answer.isdigit() and int(answer) < len(names):
            return int(answer)
        raise BadBenchmarkError(
            f"The benchmark {self.definition.name} has the answer {answer[:80]}, which is none of "
            f"the model's labels {', '.join(self.labels[:10])}."
        )


class Embedded(Encoded):
    """An encoder whose mean-pooled embeddings say which choice is nearest: a number is a cosine."""

    def __init__(self, asked: Asked, encoder: EncoderModel, batch_tokens: int) -> None:
        super().__init__(asked, encoder, batch_tokens)
        self.known: dict[str, torch.Tensor] = {}
        if isinstance(asked.definition.choice, list):
            with torch.inference_mode():
                self.known = self._embed(asked.questions[0].choices)

    def numbers(self, questions: Sequence[Question], batch: Sequence[Text]) -> list[list[float]]:
        texts = self._pooled(batch)
        choices = [c for question in questions for c in question.choices if c not in self.known]
        vectors = self.known | self._embed(choices)
        return [
            [float(text @ vectors[choice]) for choice in question.choices]
            for text, question in zip(texts, questions, strict=True)
        ]

    def _embed(self, texts: Sequence[str]) -> dict[str, torch.Tensor]:
        unique = list(dict.fromkeys(texts))
        found: dict[str, torch.Tensor] = {}
        for batch in batches_of(self.encoder.texts(unique) if unique else [], self.batch_tokens):
            for text, vector in zip(batch, self._pooled(batch), strict=True):
                found[unique[text.number]] = vector
        return found

    def _pooled(self, batch: Sequence[Text]) -> torch.Tensor:
        """Unit vectors [texts, dim]: the mean over a text's tokens, in float32."""
        output, mask = self.encoder.read(batch)
        weights = mask.unsqueeze(-1).float()
        sums = (output.last_hidden_state.float() * weights).sum(1)
        return torch.nn.functional.normalize(sums / weights.sum(1), dim=1)
