"""Benchmarks: lm-evaluation-harness task files, the declarative part, plus what the gate needs.

    task: sms_spam
    test_split: test
    output_type: multiple_choice
    doc_to_text: "Message: {{text}}\\nIs this message spam or ham? Answer:"
    doc_to_choice: [ham, spam]
    doc_to_target: "{{label}}"
    metric_list: [{metric: acc}]
    weighbridge:
      sample: {balance_by: label, per_class: 125}
      group_by: label

Nothing in such a file names code: a tag such as `!function` is refused when the YAML is read.
"""

import re
from dataclasses import dataclass, field, replace
from typing import Any

from hub.errors import BadInputError
from training.specs.sampling import Sample, read_sample
from training.specs.schema import (
    COLUMN,
    REPO_ID,
    REVISION,
    ListOf,
    Number,
    OneOf,
    Text,
    digest_of,
    load_mapping,
    read_map,
    read_path,
    refuse_unknown,
)
from training.specs.templates import has_placeholders, read_template
from training.statistics.comparison import Rule
from training.statistics.verdicts import Direction

MAX_CHOICES = 64
_TASK = Text(64, re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z"), "a name of letters, digits, . _ -")
_KNOWN_KEYS = (
    "task", "dataset_path", "dataset_name", "dataset_kwargs", "test_split", "output_type",
    "doc_to_text", "doc_to_choice", "doc_to_target", "target_delimiter", "metric_list",
    "num_fewshot", "metadata", "weighbridge",
)  # fmt: skip
_OUR_KEYS = ("direction", "target", "sample", "cluster_by", "group_by")
_METRIC_KEYS = ("metric", "aggregation", "higher_is_better")


@dataclass(frozen=True, slots=True)
class BenchmarkDefinition:
    """How a benchmark asks its items and what its score means.

    `repo_id` and `revision` are None where the items lie beside the definition. `choices` is a
    list of texts, or a template or column that gives one. `answer` is the index of the right
    choice, or a template or column that gives the choice or its index.
    """

    task: str
    file: str
    text: str
    choices: tuple[str, ...] | str
    answer: int | str
    repo_id: str | None = None
    revision: str | None = None
    delimiter: str = " "
    metric: str = "acc"
    direction: Direction = Direction.HIGHER
    target: float | None = None
    sample: Sample = field(default_factory=Sample)
    cluster_by: str | None = None
    group_by: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            **self.runner_definition(),
            "task": self.task,
            "repo_id": self.repo_id,
            "revision": self.revision,
            "file": self.file,
            "direction": self.direction.value,
            "target": self.target,
            "sample": self.sample.to_dict(),
            "cluster_by": self.cluster_by,
            "group_by": self.group_by,
        }

    def runner_definition(self) -> dict[str, Any]:
        """What the runner is told, in lm-evaluation-harness field names."""
        return {
            "output_type": "multiple_choice",
            "doc_to_text": self.text,
            "doc_to_choice": list(self.choices)
            if isinstance(self.choices, tuple)
            else self.choices,
            "doc_to_target": self.answer,
            "target_delimiter": self.delimiter,
            "metric": self.metric,
        }

    @property
    def digest(self) -> str:
        """SHA-256 that names the definition; the items have a digest of their own."""
        return digest_of(self.to_dict())

    def rule(self, *, margin: float, alpha: float) -> Rule:
        """What the gate asks of a candidate on this benchmark."""
        return Rule(margin=margin, alpha=alpha, direction=self.direction, target=self.target)

    def limited(self, limit: int | None) -> "BenchmarkDefinition":
        """The same benchmark with at most `limit` items."""
        if limit is None:
            return self
        present = self.sample.limit
        least = limit if present is None else min(limit, present)
        return replace(self, sample=replace(self.sample, limit=least))


def parse_benchmark(content: bytes | str, *, place: str = "The benchmark") -> BenchmarkDefinition:
    """The benchmark in a YAML task file; `place` names the file in refusals.

    Raises:
        BadInputError: an unknown key, a value that cannot be used, or anything that names code.
    """
    values = load_mapping(content, place)
    refuse_unknown(values, _KNOWN_KEYS, place)
    for key in ("task", "doc_to_choice", "doc_to_target"):
        if key not in values:
            raise BadInputError(f"{place} has no {key}; add it.")
    _require_supported(values, place)
    ours = read_map(values.get("weighbridge") or {}, f"{place}: weighbridge")
    refuse_unknown(ours, _OUR_KEYS, f"{place}: weighbridge")
    metric, higher_is_better = _metric(values.get("metric_list"), f"{place}: metric_list")
    direction, target = _direction(ours, higher_is_better, f"{place}: weighbridge")
    file, revision = _items_file(values, place)
    return BenchmarkDefinition(
        task=_TASK.read(values["task"], f"{place}: task"),
        repo_id=_optional(REPO_ID, values, "dataset_path", place),
        revision=revision,
        file=file,
        text=read_template(values.get("doc_to_text", ""), f"{place}: doc_to_text"),
        choices=_choices(values["doc_to_choice"], f"{place}: doc_to_choice"),
        answer=_answer(values["doc_to_target"], f"{place}: doc_to_target"),
        delimiter=Text(20).read(values.get("target_delimiter", " "), f"{place}: target_delimiter"),
        metric=metric,
        direction=direction,
        target=target,
        sample=read_sample(ours.get("sample"), f"{place}: weighbridge.sample"),
        cluster_by=_optional(COLUMN, ours, "cluster_by", f"{place}: weighbridge"),
        group_by=_optional(COLUMN, ours, "group_by", f"{place}: weighbridge"),
    )


def _require_supported(values: dict[str, Any], place: str) -> None:
    OneOf(("multiple_choice",)).read(
        values.get("output_type", "multiple_choice"), f"{place}: output_type"
    )
    Number(0, 0, whole=True).read(values.get("num_fewshot", 0), f"{place}: num_fewshot")


def _metric(value: Any, place: str) -> tuple[str, bool]:
    """The name of the one metric, and whether higher is better."""
    if value is None:
        return "acc", True
    if not isinstance(value, list) or len(value) != 1:
        raise BadInputError(f"{place} needs exactly one metric: write one file a metric.")
    values = read_map(value[0], f"{place}[0]")
    refuse_unknown(values, _METRIC_KEYS, f"{place}[0]")
    OneOf(("mean",)).read(values.get("aggregation", "mean"), f"{place}[0].aggregation")
    higher = values.get("higher_is_better", True)
    if not isinstance(higher, bool):
        raise BadInputError(f"{place}[0].higher_is_better must be true or false.")
    return OneOf(("acc",)).read(values.get("metric"), f"{place}[0].metric"), higher


def _direction(
    ours: dict[str, Any], higher_is_better: bool, place: str
) -> tuple[Direction, float | None]:
    implied = Direction.HIGHER if higher_is_better else Direction.LOWER
    words = tuple(direction.value for direction in Direction)
    named = OneOf(words).read(ours.get("direction", implied.value), f"{place}.direction")
    direction = Direction(named)
    if direction is not Direction.TARGET:
        if "target" in ours:
            raise BadInputError(f"{place}.target needs direction: target.")
        return direction, None
    if "target" not in ours:
        raise BadInputError(f"{place} has direction target and no target; add target: 0.5.")
    return direction, Number(0, 1).read(ours["target"], f"{place}.target")


def _items_file(values: dict[str, Any], place: str) -> tuple[str, str | None]:
    """The file with the items, and the revision it is read at.

    It is `SPLIT.jsonl`, in the folder `dataset_name` if that is given, unless
    `dataset_kwargs.data_files` names another file for the split.
    """
    split = _TASK.read(values.get("test_split", "test"), f"{place}: test_split")
    kwargs = read_map(values.get("dataset_kwargs") or {}, f"{place}: dataset_kwargs")
    refuse_unknown(kwargs, ("data_files", "revision"), f"{place}: dataset_kwargs")
    files = read_map(kwargs.get("data_files") or {}, f"{place}: dataset_kwargs.data_files")
    folder = values.get("dataset_name")
    default = f"{split}.jsonl" if folder is None else f"{folder}/{split}.jsonl"
    file = read_path(files.get(split, default), f"{place}: file of the split {split}")
    return file, _optional(REVISION, kwargs, "revision", f"{place}: dataset_kwargs")


def _choices(value: Any, place: str) -> tuple[str, ...] | str:
    if isinstance(value, str):
        return read_template(value, place)
    choices = ListOf(Text(4000, re.compile(r"[\S\s]")), 2, MAX_CHOICES).read(value, place)
    if any(has_placeholders(choice) for choice in choices):
        raise BadInputError(f'{place}: a list holds fixed texts; write "{{{{[first, second]}}}}".')
    if len(set(choices)) < len(choices):
        raise BadInputError(f"{place} has the same choice twice.")
    return tuple(choices)


def _answer(value: Any, place: str) -> int | str:
    if isinstance(value, str):
        return read_template(value, place)
    index: int = Number(0, MAX_CHOICES - 1, whole=True).read(value, place)
    return index


def _optional(reader: Text, values: dict[str, Any], key: str, place: str) -> str | None:
    value = values.get(key)
    return None if value is None else reader.read(value, f"{place}.{key}")
