"""Marks of the texts that were generated for one item."""

import math
import re
from collections.abc import Sequence
from typing import Any

from training.runner.definitions import Definition, Question
from training.runner.errors import BadBenchmarkError
from training.runner.marking.filters import Filters
from training.runner.marking.marks import Marks
from training.runner.marking.texts import ExactMatch, text_mark
from training.runner.marking.translations import translation_mark
from training.runner.marking.words import is_unspaced

KNOWN = "exact_match, f1, bleu, chrf, rouge1, rouge2, rougeL, pass_at_k, toxicity"


class TextMarker:
    """The metrics of one benchmark over generated texts.

    Several answers to an item give the mean of their scores, and the sum of their vectors.
    Raises: BadBenchmarkError when a metric is unknown or lacks what it needs.
    """

    def __init__(self, definition: Definition, questions: Sequence[Question]) -> None:
        self.name = definition.name
        self.filters = Filters(definition.values.get("filter") or [], name=self.name)
        self.repeats = int(definition.values.get("repeats") or 1)
        self.marks: list[tuple[str, Any]] = []
        for metric in definition.metrics:
            name = str(metric.get("name"))
            self.marks.append((name, self._mark(name, metric, definition, questions)))
        needing = [name for name, _ in self.marks if name != "toxicity"]
        if needing and not all(question.expected for question in questions):
            raise BadBenchmarkError(
                f"The benchmark {self.name} has the metric {needing[0]} and items without a right "
                "answer; give doc_to_target."
            )

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.marks]

    def __call__(self, question: Question, outputs: Sequence[str]) -> tuple[Marks, list[str]]:
        """The marks, and what was taken out of each text."""
        kept = outputs[:1] if self.filters.first_only else outputs
        extracted = [self.filters(text) for text in kept]
        marks = Marks()
        for name, mark in self.marks:
            if isinstance(mark, Toxicity):
                marks.add(name, mark(outputs))
            elif isinstance(mark, PassAtK):
                marks.add(name, mark(extracted, question.expected))
            else:
                self._each(name, mark, marks, extracted, question.expected)
        return marks, extracted

    def _each(
        self,
        name: str,
        mark: Any,
        marks: Marks,
        extracted: Sequence[str],
        expected: Sequence[str],
    ) -> None:
        found = [mark(text, expected) for text in extracted]
        if isinstance(found[0], float):
            marks.add(name, sum(found) / len(found))
            return
        sums = [sum(column) for column in zip(*(vector for _, vector in found), strict=True)]
        marks.add(name, sum(score for score, _ in found) / len(found), sums)

    def _mark(
        self,
        name: str,
        metric: dict[str, Any],
        definition: Definition,
        questions: Sequence[Question],
    ) -> Any:
        if name == "toxicity":
            return Toxicity(definition)
        if name == "pass_at_k":
            return PassAtK(metric, 1 if self.filters.first_only else self.repeats, self.name)
        mark = text_mark(name, metric, self.name)
        mark = mark or translation_mark(name, metric, (e for q in questions for e in q.expected))
        if mark is None:
            raise BadBenchmarkError(
                f"The benchmark {self.name} has the metric {name}, which does not fit "
                f"{definition.output_type}; use one of {KNOWN}."
            )
        return mark


class PassAtK:
    """The chance that one of `k` of the answers is right.

    Source: Chen et al. 2021, arXiv:2107.03374, equation 1.
    """

    def __init__(self, metric: dict[str, Any], repeats: int, name: str) -> None:
        self.k = int(metric.get("k", 1))
        if not 1 <= self.k <= repeats:
            raise BadBenchmarkError(
                f"The benchmark {name} has pass@{self.k} of {repeats} answers; raise repeats."
            )
        self.right = ExactMatch(metric, name)

    def __call__(self, extracted: Sequence[str], expected: Sequence[str]) -> float:
        n = len(extracted)
        correct = sum(self.right(text, expected) > 0 for text in extracted)
        return 1.0 - math.comb(n - correct, self.k) / math.comb(n, self.k)


class Toxicity:
    """The share of texts with a word of the list, in any case; Chinese words anywhere in a text."""

    def __init__(self, definition: Definition) -> None:
        words = [str(word).strip() for word in definition.values.get("words") or []]
        whole = [re.escape(word) for word in words if word and not is_unspaced(word)]
        parts = [re.escape(word) for word in words if is_unspaced(word)]
        if not whole + parts:
            raise BadBenchmarkError(
                f"The metric toxicity of {definition.name} has no words; give their list."
            )
        patterns = [rf"(?<!\w)(?:{'|'.join(whole)})(?!\w)"] if whole else []
        self.pattern = re.compile("|".join([*patterns, *parts]), re.IGNORECASE)

    def __call__(self, outputs: Sequence[str]) -> float:
        return sum(self.pattern.search(text) is not None for text in outputs) / len(outputs)
