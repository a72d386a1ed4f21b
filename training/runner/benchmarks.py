"""Benchmarks: items and a declarative definition, turned into prompts and choices.

Field names and meanings are those of lm-evaluation-harness tasks (output_type multiple_choice);
nothing in a definition names code.
"""

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.runner.errors import BadBenchmarkError
from training.runner.job import Benchmark
from training.runner.rows import read_rows
from training.runner.templates import Template

CHOICE_LIMIT = 64
FIELDS = frozenset(
    ["output_type", "doc_to_text", "doc_to_choice", "doc_to_target", "target_delimiter", "metric"]
)


@dataclass(frozen=True)
class Question:
    """One item as the model sees it; `target` is the index of the right choice."""

    id: str
    prompt: str
    choices: tuple[str, ...]
    target: int
    delimiter: str
    group: str | None = None


def read_questions(benchmark: Benchmark) -> list[Question]:
    """The questions of a benchmark, in the order of its file.

    Raises: BadBenchmarkError naming the field or item that cannot be used.
    """
    definition = Definition(benchmark.name, benchmark.definition)
    path = Path(benchmark.items)
    questions, seen = [], set()
    for row in read_rows(path, error=BadBenchmarkError):
        question = definition.question(row)
        if question.id in seen:
            raise BadBenchmarkError(f"{path.name} has the id {question.id} twice; make ids unique.")
        seen.add(question.id)
        questions.append(question)
    if not questions:
        raise BadBenchmarkError(f"The benchmark {benchmark.name} has no items; add some.")
    return questions


class Definition:
    """How one benchmark asks its items."""

    def __init__(self, name: str, values: dict[str, Any]) -> None:
        unknown = sorted(set(values) - FIELDS)
        if unknown:
            raise BadBenchmarkError(
                f"The benchmark {name} has the field {unknown[0]}; known are {sorted(FIELDS)}."
            )
        if values.get("output_type", "multiple_choice") != "multiple_choice":
            raise BadBenchmarkError(
                f"The benchmark {name} asks for {values['output_type']}; use multiple_choice."
            )
        self.name = name
        self.text = self._template(str(values.get("doc_to_text", "")), "doc_to_text")
        self.choice = values.get("doc_to_choice")
        if isinstance(self.choice, str):
            self.choice = self._template(self.choice, "doc_to_choice")
        self.target = values.get("doc_to_target", 0)
        if isinstance(self.target, str):
            self.target = self._template(self.target, "doc_to_target")
        self.delimiter = str(values.get("target_delimiter", " "))

    def question(self, row: dict[str, Any]) -> Question:
        """The question in one line of an items file: `id`, `doc` and an optional `group`."""
        doc, group = row.get("doc"), row.get("group")
        if not isinstance(row.get("id"), str) or not isinstance(doc, dict):
            raise BadBenchmarkError(
                f"An item of {self.name} lacks its id (a string) or its doc (an object); add them."
            )
        prompt = self.text.render(doc) if self.text.source else ""
        choices = self._choices(doc, row["id"])
        return Question(
            id=row["id"], prompt=prompt, choices=choices, delimiter=self.delimiter,
            target=self._target(doc, choices, row["id"]),
            group=None if group is None else str(group),
        )  # fmt: skip

    def _template(self, source: str, field: str) -> Template:
        return Template(source, field=f"{field} of {self.name}", error=BadBenchmarkError)

    def _choices(self, doc: dict[str, Any], item: str) -> tuple[str, ...]:
        value: Any = self.choice
        if isinstance(value, Template):
            value = doc[value.source] if value.source in doc else _literal(value.render(doc))
        sound = isinstance(value, list) and 2 <= len(value) <= CHOICE_LIMIT
        if not sound or not all(isinstance(choice, str) and choice for choice in value):
            raise BadBenchmarkError(
                f"Item {item} of {self.name} has no list of 2 to {CHOICE_LIMIT} choices; "
                "let doc_to_choice give one."
            )
        return tuple(value)

    def _target(self, doc: dict[str, Any], choices: tuple[str, ...], item: str) -> int:
        value: Any = self.target
        if isinstance(value, Template):
            value = doc[value.source] if value.source in doc else value.render(doc)
        if isinstance(value, str):
            value = choices.index(value) if value in choices else _literal(value)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < len(choices):
            raise BadBenchmarkError(
                f"Item {item} of {self.name} has a target that is none of its choices; "
                "let doc_to_target give a choice or its index."
            )
        return value


def _literal(text: str) -> Any:
    """The Python literal in `text`, or None."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
