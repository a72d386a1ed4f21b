"""Marks of a question with choices, from a number for each: the greatest one is the answer."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from training.runner.definitions import Definition, Question
from training.runner.errors import BadBenchmarkError
from training.runner.marking.bias import Bias
from training.runner.marking.marks import Marks

Mark = Callable[[str, Marks, Question, Sequence[float]], None]


def best_of(numbers: Sequence[float]) -> tuple[int, bool]:
    """The place of the greatest number, and whether another one equals it."""
    best = max(numbers)
    return numbers.index(best), list(numbers).count(best) > 1


def answer_of(numbers: Sequence[float]) -> int | None:
    """The place of the greatest number; None at a tie, which is no answer."""
    place, tie = best_of(numbers)
    return None if tie else place


class ChoiceMarker:
    """The metrics of one benchmark over questions with choices.

    Raises: BadBenchmarkError when a metric does not fit such questions.
    """

    def __init__(self, definition: Definition, classes: set[int]) -> None:
        self.names = [str(metric.get("name")) for metric in definition.metrics]
        self.marks = [(name, self._mark(name, definition, classes)) for name in self.names]

    def __call__(self, question: Question, numbers: Sequence[float]) -> Marks:
        marks = Marks()
        for name, mark in self.marks:
            mark(name, marks, question, numbers)
        return marks

    def _mark(self, name: str, definition: Definition, classes: set[int]) -> Mark:
        if name in ("macro_f1", "mcc"):
            if len(classes) > 1:
                raise BadBenchmarkError(
                    f"The items of {definition.name} differ in their number of choices, so that "
                    f"{name} has no classes to count; use acc."
                )
            return _classes
        if name in Bias.NAMES:
            return Bias(definition)
        if name not in MARKS:
            raise BadBenchmarkError(
                f"The benchmark {definition.name} has the metric {name}, which does not fit "
                f"{definition.output_type}; use one of {', '.join(MARKS)}."
            )
        mark: Mark = MARKS[name]
        return mark


def _right(numbers: Sequence[float], question: Question) -> float:
    return float(answer_of(numbers) in question.targets)


def _acc(name: str, marks: Marks, question: Question, numbers: Sequence[float]) -> None:
    marks.add(name, _right(numbers, question))


def _acc_norm(name: str, marks: Marks, question: Question, numbers: Sequence[float]) -> None:
    """By character: longer choices are no less likely for being long."""
    shares = [n / len(choice) for n, choice in zip(numbers, question.choices, strict=True)]
    marks.add(name, _right(shares, question))


def _acc_bytes(name: str, marks: Marks, question: Question, numbers: Sequence[float]) -> None:
    lengths = [len(choice.encode()) for choice in question.choices]
    shares = [n / length for n, length in zip(numbers, lengths, strict=True)]
    marks.add(name, _right(shares, question))


def _brier(name: str, marks: Marks, question: Question, numbers: Sequence[float]) -> None:
    """Squared distance between the choices' probabilities and the truth, 0 to 2."""
    top = max(numbers)
    weights = [math.exp(number - top) for number in numbers]
    total = sum(weights)
    distances = (
        (weight / total - (place == question.target)) ** 2 for place, weight in enumerate(weights)
    )
    marks.add(name, sum(distances))


def _stereotype(name: str, marks: Marks, question: Question, numbers: Sequence[float]) -> None:
    """1 when the target, the more stereotyping sentence, is likelier; 1/2 at a tie.

    Source: Nangia et al. 2020, CrowS-Pairs, arXiv:2010.00133.
    """
    target = question.targets[0]
    rest = max(number for place, number in enumerate(numbers) if place != target)
    marks.add(name, 0.5 if numbers[target] == rest else float(numbers[target] > rest))


def _classes(name: str, marks: Marks, question: Question, numbers: Sequence[float]) -> None:
    """For every class: right, answered, true. A tie answers no class."""
    answer = answer_of(numbers)
    sums: list[float] = []
    for place in range(len(numbers)):
        answered, true = place == answer, place == question.target
        sums += [float(answered and true), float(answered), float(true)]
    marks.add(name, _right(numbers, question), sums)


MARKS: dict[str, Any] = {
    "acc": _acc, "acc_norm": _acc_norm, "acc_bytes": _acc_bytes, "brier": _brier,
    "pct_stereotype": _stereotype,
}  # fmt: skip
