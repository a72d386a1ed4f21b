"""Marks of a question with choices, from the log-likelihood of each."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from training.runner.definitions import Definition, Question
from training.runner.errors import BadBenchmarkError

Sums = list[float]


@dataclass
class Marks:
    """Scores of one item by metric; vectors to sum by those metrics that are no mean."""

    metrics: dict[str, float | None] = field(default_factory=dict)
    sums: dict[str, Sums] = field(default_factory=dict)


def best_of(numbers: Sequence[float]) -> tuple[int, bool]:
    """The place of the greatest number, and whether another one equals it."""
    best = max(numbers)
    return numbers.index(best), list(numbers).count(best) > 1


def is_right(numbers: Sequence[float], question: Question) -> float:
    """1 when a right choice is the greatest one alone: a tie is no answer."""
    place, tie = best_of(numbers)
    return float(place in question.targets and not tie)


class ChoiceMarker:
    """The metrics of one benchmark over questions with choices.

    Raises: BadBenchmarkError when a metric does not fit such questions.
    """

    def __init__(self, definition: Definition, questions: Sequence[Question]) -> None:
        self.definition, self.name = definition, definition.name
        self.classes = {len(question.choices) for question in questions}
        self.marks: list[tuple[str, Callable[[str, Marks, Question, list[float]], None]]] = []
        for metric in definition.metrics:
            name = str(metric.get("name"))
            if name not in MARKS:
                raise BadBenchmarkError(
                    f"The benchmark {self.name} has the metric {name}, which does not fit "
                    f"{definition.output_type}; use one of {', '.join(MARKS)}."
                )
            self.marks.append((name, MARKS[name]))

    def __call__(self, question: Question, numbers: list[float]) -> Marks:
        marks = Marks()
        for name, mark in self.marks:
            mark(name, marks, question, numbers)
        return marks


def _acc(name: str, marks: Marks, question: Question, numbers: list[float]) -> None:
    marks.metrics[name] = is_right(numbers, question)


def _acc_norm(name: str, marks: Marks, question: Question, numbers: list[float]) -> None:
    """By character: longer choices are no less likely for being long."""
    shares = [n / len(choice) for n, choice in zip(numbers, question.choices, strict=True)]
    marks.metrics[name] = is_right(shares, question)


def _acc_bytes(name: str, marks: Marks, question: Question, numbers: list[float]) -> None:
    lengths = [len(choice.encode()) for choice in question.choices]
    shares = [n / length for n, length in zip(numbers, lengths, strict=True)]
    marks.metrics[name] = is_right(shares, question)


def _brier(name: str, marks: Marks, question: Question, numbers: list[float]) -> None:
    """Squared distance between the choices' probabilities and the truth, 0 to 2."""
    top = max(numbers)
    weights = [math.exp(number - top) for number in numbers]
    total = sum(weights)
    marks.metrics[name] = sum(
        (weight / total - (place == question.target)) ** 2 for place, weight in enumerate(weights)
    )


def _stereotype(name: str, marks: Marks, question: Question, numbers: list[float]) -> None:
    """1 when the target, the more stereotyping sentence, is likelier; 1/2 at a tie.

    Source: Nangia et al. 2020, CrowS-Pairs, arXiv:2010.00133.
    """
    target = numbers[question.targets[0]]
    rest = max(n for place, n in enumerate(numbers) if place != question.targets[0])
    marks.metrics[name] = 0.5 if target == rest else float(target > rest)


MARKS: dict[str, Any] = {
    "acc": _acc, "acc_norm": _acc_norm, "acc_bytes": _acc_bytes, "brier": _brier,
    "pct_stereotype": _stereotype,
}  # fmt: skip
