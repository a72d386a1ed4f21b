"""How one benchmark asks its items: lm-evaluation-harness field names, the declarative part.

Nothing in a definition names code. Templates are rendered in a sandbox.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from training.runner.errors import BadBenchmarkError
from training.runner.literals import literal
from training.runner.templates import Template

CHOICE_LIMIT = 64
CHOOSING = frozenset(["multiple_choice", "classification", "embedding"])
OUTPUT_TYPES = frozenset(["loglikelihood", "loglikelihood_rolling", "generate_until"]) | CHOOSING
NEEDS_CHOICES = frozenset(["multiple_choice", "embedding"])
FIELDS = frozenset(
    [
        "output_type", "description", "doc_to_text", "doc_to_choice", "doc_to_target",
        "target_delimiter", "fewshot_delimiter", "generation_kwargs", "repeats", "filter",
        "metrics", "seed", "words", "roles",
    ]
)  # fmt: skip
DEFAULT_METRICS = {
    "multiple_choice": "acc", "loglikelihood": "acc", "loglikelihood_rolling": "bits_per_byte",
    "classification": "acc", "embedding": "acc",
}  # fmt: skip


@dataclass(frozen=True)
class Question:
    """One item as the model sees it.

    `context` is the description and the examples before `prompt`. `targets` are the indices of
    the right choices, `expected` the right answers as text: the first one is the one shown.
    `ending`: the choices stand in the prompt, and this text follows each of them.
    """

    id: str
    prompt: str
    context: str = ""
    choices: tuple[str, ...] = ()
    targets: tuple[int, ...] = ()
    expected: tuple[str, ...] = ()
    chunk: int = 0
    doc: dict[str, Any] | None = None
    ending: str | None = None

    @property
    def target(self) -> int | None:
        return self.targets[0] if self.targets else None


class Definition:
    """The fields of one benchmark, and the texts they give for a document."""

    def __init__(
        self, name: str, values: dict[str, Any], shots: Sequence[dict[str, Any]] = ()
    ) -> None:
        self.name, self.values = name, values
        if unknown := sorted(set(values) - FIELDS):
            raise BadBenchmarkError(
                f"The benchmark {name} has the field {unknown[0]}; known are {sorted(FIELDS)}."
            )
        self.output_type = str(values.get("output_type", "multiple_choice"))
        if self.output_type not in OUTPUT_TYPES:
            raise BadBenchmarkError(
                f"The benchmark {name} asks for {self.output_type}; use one of "
                f"{', '.join(sorted(OUTPUT_TYPES))}."
            )
        self.text = self._template("doc_to_text", "")
        self.choice = self._template("doc_to_choice", None)
        self.answer = self._template("doc_to_target", self._default_target())
        self.description = self._template("description", "")
        self.delimiter = str(values.get("target_delimiter", " "))
        self.seed = int(values.get("seed", 0))
        default = DEFAULT_METRICS.get(self.output_type)
        self.metrics: list[dict[str, Any]] = values.get(
            "metrics", [{"name": default}] if default else []
        )
        self.shots = "".join(self._shot(doc) for doc in shots)

    def _default_target(self) -> Any:
        return 0 if self.output_type == "multiple_choice" else None

    @property
    def fixed_context(self) -> str:
        """What every prompt begins with alike."""
        if isinstance(self.description, Template) and self.description.columns:
            return ""
        opening = self.text.opening if isinstance(self.text, Template) else ""
        return self._described({}) + self.shots + opening

    def question(self, item: str, doc: dict[str, Any], chunk: int) -> Question:
        """The question in one document.

        Raises: BadBenchmarkError naming the item and the field that cannot be used.
        """
        context, prompt = self._described(doc) + self.shots, self._text(doc)
        choices = self._choices(doc, item)
        ending = None
        if self._chooses_prompt(prompt, choices):
            right = self._index(int(prompt), choices, item)
            ending, prompt = str(self._answer(doc)), ""
            targets: tuple[int, ...] = (right,)
            expected: tuple[str, ...] = (choices[right],)
        else:
            targets, expected = self._targets(doc, choices, item)
        return Question(
            id=item, prompt=prompt, context=context, choices=choices, targets=targets,
            expected=expected, chunk=chunk, doc=doc, ending=ending,
        )  # fmt: skip

    def _chooses_prompt(self, prompt: str, choices: tuple[str, ...]) -> bool:
        """Whether the prompt is the index of a choice, and the choices are prompts.

        So lm-evaluation-harness writes tasks such as Winogrande, which fill a gap in a prompt.
        """
        return self.output_type == "multiple_choice" and bool(choices) and prompt.isdigit()

    def pairs(self, question: Question) -> list[tuple[str, str]]:
        """Context and continuation of each choice."""
        context = question.context + question.prompt
        if question.ending is not None:
            ending = self.delimiter + question.ending
            return [(context + choice, ending) for choice in question.choices]
        return [(context, self.delimiter + choice) for choice in question.choices]

    def _text(self, doc: dict[str, Any]) -> str:
        return self.text.render(doc) if isinstance(self.text, Template) else str(self.text)

    def _described(self, doc: dict[str, Any]) -> str:
        if isinstance(self.description, Template) and self.description.source:
            return self.description.render(doc)
        return ""

    def _shot(self, doc: dict[str, Any]) -> str:
        """One example with its answer. Source: lm-evaluation-harness, build_qa_turn()."""
        prompt, choices = self._text(doc), self._choices(doc, "few-shot")
        if self._chooses_prompt(prompt, choices):
            prompt = choices[self._index(int(prompt), choices, "few-shot")]
            answer = str(self._answer(doc))
        else:
            answer = (self._targets(doc, choices, "few-shot")[1] or ("",))[0]
        after = str(self.values.get("fewshot_delimiter", "\n\n"))
        return prompt + self.delimiter + answer + after if answer else prompt

    def _answer(self, doc: dict[str, Any]) -> Any:
        return self.answer.value(doc) if isinstance(self.answer, Template) else self.answer

    def _template(self, field: str, default: Any) -> Any:
        """A template where the field is text; what is no text stays as it is."""
        source = self.values.get(field, default)
        if not isinstance(source, str):
            return source
        return Template(source, field=f"{field} of {self.name}", error=BadBenchmarkError)

    def _choices(self, doc: dict[str, Any], item: str) -> tuple[str, ...]:
        if self.choice is None and self.output_type not in NEEDS_CHOICES:
            return ()
        value: Any = self.choice
        if isinstance(value, Template):
            value = value.value(doc)
            value = literal(value) if isinstance(value, str) else value
        sound = isinstance(value, list) and 2 <= len(value) <= CHOICE_LIMIT
        if not sound or not all(isinstance(choice, str) and choice for choice in value):
            raise BadBenchmarkError(
                f"Item {item} of {self.name} has no list of 2 to {CHOICE_LIMIT} choices; "
                "let doc_to_choice give one."
            )
        return tuple(value)

    def _targets(
        self, doc: dict[str, Any], choices: tuple[str, ...], item: str
    ) -> tuple[tuple[int, ...], tuple[str, ...]]:
        """Indices of the right choices, and the right answers as text."""
        value: Any = self.answer
        if isinstance(value, Template):
            rendered = value.source not in doc
            value = value.value(doc)
            if rendered and choices and value.isdigit():
                value = int(value)  # as lm-evaluation-harness: digits are an index
            elif rendered and value[:1] == "[" and value[-1:] == "]":
                found = literal(value)
                value = value if found is None else found
        if value is None and self.output_type not in NEEDS_CHOICES:
            return (), ()
        values = value if isinstance(value, list) else [value]
        if not choices:
            return (), tuple(map(str, values))
        targets = tuple(self._index(each, choices, item) for each in values)
        return targets, tuple(choices[target] for target in targets)

    def _index(self, value: Any, choices: tuple[str, ...], item: str) -> int:
        if isinstance(value, str):
            value = choices.index(value) if value in choices else literal(value)
        if not isinstance(value, int) or not 0 <= value < len(choices):
            raise BadBenchmarkError(
                f"Item {item} of {self.name} has a target that is none of its choices; "
                "let doc_to_target give a choice or its index."
            )
        return int(value)
