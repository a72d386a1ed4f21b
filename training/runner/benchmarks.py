"""Benchmarks as files: items and a definition, turned into questions in chunks."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from training.runner.definitions import Definition, Question
from training.runner.errors import BadBenchmarkError
from training.runner.job import Benchmark
from training.runner.rows import read_rows


@dataclass(frozen=True)
class Asked:
    """A benchmark, read: its definition and its questions in the order of the items file."""

    definition: Definition
    questions: list[Question] = field(repr=False)

    @property
    def name(self) -> str:
        return self.definition.name

    def chunks(self, start: int = 0, stop: int | None = None) -> Iterator[list[Question]]:
        """The chunks that lines `start` to `stop` touch, each whole.

        A chunk that `start` cuts was touched, and so asked, before.
        """
        place = 0
        for _, group in groupby(self.questions, key=lambda question: question.chunk):
            chunk = list(group)
            if place >= start and (stop is None or place < stop):
                yield chunk
            place += len(chunk)


def read_benchmark(benchmark: Benchmark) -> Asked:
    """The questions of a benchmark.

    Raises: BadBenchmarkError naming the field or item that cannot be used.
    """
    shots: list[dict[str, Any]] = []
    if benchmark.fewshot:
        shots = list(read_rows(Path(benchmark.fewshot), error=BadBenchmarkError))
    definition = Definition(benchmark.name, benchmark.definition, shots)
    path = Path(benchmark.items)
    questions, seen = [], set()
    for row in read_rows(path, error=BadBenchmarkError):
        question = _question(definition, row)
        if question.id in seen:
            raise BadBenchmarkError(f"{path.name} has the id {question.id} twice; make ids unique.")
        seen.add(question.id)
        questions.append(question)
    if not questions:
        raise BadBenchmarkError(f"The benchmark {benchmark.name} has no items; add some.")
    return Asked(definition, questions)


def _question(definition: Definition, row: dict[str, Any]) -> Question:
    """The question in one line of an items file: `id`, `doc`, and a `chunk` where it has one."""
    item, doc, chunk = row.get("id"), row.get("doc"), row.get("chunk", 0)
    if not isinstance(item, str) or not isinstance(doc, dict) or not isinstance(chunk, int):
        raise BadBenchmarkError(
            f"An item of {definition.name} lacks its id (a string), its doc (an object), or has a "
            "chunk that is no number; correct it."
        )
    return definition.question(item, doc, chunk)
