"""Benchmarks: lm-evaluation-harness task files, the declarative part, plus what the gate needs.

    task: sms_spam
    test_split: test
    output_type: multiple_choice
    doc_to_text: "Message: {{text}}\\nIs this message spam or ham? Answer:"
    doc_to_choice: [ham, spam]
    doc_to_target: "{{label}}"
    metric_list: [{metric: acc}, {metric: macro_f1}]
    weighbridge:
      sample: {balance_by: label, per_class: 125}
      group_by: label
      margin: 0.02

The first metric is the primary one. Nothing in such a file names code: a tag such as `!function`
is refused when the YAML is read.
"""

import re
from dataclasses import replace
from typing import Any

from hub.errors import BadInputError
from training.specs.benchmark_data import SPLIT, read_fewshot, read_rows_of
from training.specs.benchmark_definition import (
    BenchmarkDefinition,
    Labels,
    Target,
    benchmark_digest,
)
from training.specs.benchmark_metrics import (
    CHOICES,
    NEEDS_CLASSES,
    NEEDS_ROLES,
    OUTPUT_TYPES,
    ROLLING,
    TEXTS,
    MetricSpec,
    read_metrics,
)
from training.specs.generation import read_generation
from training.specs.margins import read_margin
from training.specs.patterns import read_filters, read_texts
from training.specs.sampling import read_sample
from training.specs.schema import (
    COLUMN,
    Flag,
    ListOf,
    Number,
    OneOf,
    Text,
    load_mapping,
    read_map,
    read_path,
    refuse_unknown,
)
from training.specs.templates import has_placeholders, read_template
from training.statistics.verdicts import Direction

MAX_CHOICES = 64
MAX_TARGETS = 64
MAX_COLUMNS = 5
LANGUAGE = Text(16, re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*\Z"), "a language such as en or zh")
_DELIMITER = Text(20)
_KNOWN_KEYS = (
    "task", "task_alias", "tag", "dataset_path", "dataset_name", "dataset_kwargs", "test_split",
    "validation_split", "training_split", "fewshot_split", "fewshot_config", "num_fewshot",
    "description", "output_type", "doc_to_text", "doc_to_choice", "doc_to_target",
    "target_delimiter", "fewshot_delimiter", "generation_kwargs", "repeats", "filter_list",
    "metric_list", "should_decontaminate", "doc_to_decontamination_query", "metadata",
    "weighbridge",
)  # fmt: skip
_OUR_KEYS = (
    "direction", "target", "sample", "cluster_by", "group_by", "margin", "language", "summary",
    "words", "roles", "hidden",
)  # fmt: skip
_NEEDS_CHOICES = (CHOICES, "embedding")
_MAY_HAVE_CHOICES = (*_NEEDS_CHOICES, "classification")
_WITHOUT_ANSWER = ("toxicity",)
# The columns that the bias metrics read, under the names that BBQ's own files give them.
ROLES = {
    "condition": "context_condition",
    "polarity": "question_polarity",
    "answer_groups": "answer_groups",
    "stereotyped_groups": "stereotyped_groups",
}

__all__ = ["BenchmarkDefinition", "benchmark_digest", "parse_benchmark", "read_benchmark"]


def parse_benchmark(content: bytes | str, *, place: str = "The benchmark") -> BenchmarkDefinition:
    """The benchmark in a YAML task file; `place` names the file in refusals.

    Raises:
        BadInputError: an unknown key, a value that cannot be used, or anything that names code.
    """
    return read_benchmark(load_mapping(content, place), place=place)


def read_benchmark(values: dict[str, Any], *, place: str = "The benchmark") -> BenchmarkDefinition:
    """The benchmark in plain values; an empty value is one that was left out."""
    refuse_unknown(values, _KNOWN_KEYS, place)
    values = {key: value for key, value in values.items() if value is not None}
    if "task" not in values:
        raise BadInputError(f"{place} has no task; add it.")
    ours = read_map(values.get("weighbridge", {}), f"{place}: weighbridge")
    refuse_unknown(ours, _OUR_KEYS, f"{place}: weighbridge")
    ours = {key: value for key, value in ours.items() if value is not None}
    kind = _output_type(values, place)
    rows = read_rows_of(values, place)
    metrics = _metrics(values, ours, kind, place)
    delimiter = _DELIMITER.read(
        values.get("fewshot_delimiter", "\n\n"), f"{place}: fewshot_delimiter"
    )
    generated = kind == TEXTS
    definition = BenchmarkDefinition(
        task=SPLIT.read(values["task"], f"{place}: task"),
        rows=rows,
        output_type=kind,
        text=_text(values, kind, place),
        choices=_choices(values, kind, place),
        answer=_answer(values, kind, metrics, place),
        description=read_template(values.get("description", ""), f"{place}: description"),
        delimiter=_DELIMITER.read(
            values.get("target_delimiter", " "), f"{place}: target_delimiter"
        ),
        fewshot_delimiter=delimiter,
        fewshot=read_fewshot(values, rows.file, place),
        generation=read_generation(values, delimiter, place) if generated else None,
        filters=tuple(read_filters(values.get("filter_list"), f"{place}: filter_list").items()),
        metrics=metrics,
        sample=read_sample(ours.get("sample"), f"{place}: weighbridge.sample"),
        cluster_by=_columns(ours.get("cluster_by"), f"{place}: weighbridge.cluster_by"),
        group_by=_columns(ours.get("group_by"), f"{place}: weighbridge.group_by"),
        words=read_path(ours["words"], f"{place}: weighbridge.words") if "words" in ours else None,
        roles=_roles(ours, metrics, place),
        margin=read_margin(ours["margin"], f"{place}: weighbridge.margin")
        if "margin" in ours
        else None,
        hidden=Flag().read(ours.get("hidden", False), f"{place}: weighbridge.hidden"),
        labels=_labels(values, ours, place),
    )
    _require_sense(definition, values, place)
    return definition


def _output_type(values: dict[str, Any], place: str) -> str:
    """lm-evaluation-harness's default is generate_until; a file with choices means to choose."""
    implied = CHOICES if "doc_to_choice" in values else TEXTS
    kind: str = OneOf(OUTPUT_TYPES).read(
        values.get("output_type", implied), f"{place}: output_type"
    )
    return kind


def _metrics(
    values: dict[str, Any], ours: dict[str, Any], kind: str, place: str
) -> tuple[MetricSpec, ...]:
    """The metrics; what the file says of a direction is said of the first."""
    first, *others = read_metrics(values.get("metric_list"), kind, f"{place}: metric_list")
    where = f"{place}: weighbridge"
    if "direction" not in ours and "target" not in ours:
        return (first, *others)
    words = tuple(direction.value for direction in Direction)
    direction = Direction(
        OneOf(words).read(ours.get("direction", first.direction.value), f"{where}.direction")
    )
    if direction is not Direction.TARGET:
        if "target" in ours:
            raise BadInputError(f"{where}.target needs direction: target.")
        return (replace(first, direction=direction, target=None), *others)
    target = first.target
    if "target" in ours:
        target = Number(-1000, 1000).read(ours["target"], f"{where}.target")
    if target is None:
        raise BadInputError(f"{where} has direction target and no target; add target: 0.5.")
    return (replace(first, direction=direction, target=target), *others)


def _text(values: dict[str, Any], kind: str, place: str) -> str:
    if kind == ROLLING and values.get("doc_to_text"):
        raise BadInputError(
            f"{place}: {ROLLING} reads the whole text of doc_to_target; leave doc_to_text empty."
        )
    if kind in (TEXTS, "classification", "embedding") and "doc_to_text" not in values:
        raise BadInputError(f"{place} has no doc_to_text; add it.")
    return read_template(values.get("doc_to_text", ""), f"{place}: doc_to_text")


def _choices(values: dict[str, Any], kind: str, place: str) -> tuple[str, ...] | str | None:
    value, name = values.get("doc_to_choice"), f"{place}: doc_to_choice"
    if value is None:
        if kind in _NEEDS_CHOICES:
            raise BadInputError(f"{place} has no doc_to_choice; add it.")
        return None
    if kind not in _MAY_HAVE_CHOICES:
        raise BadInputError(f"{name} means nothing to {kind}; leave it out.")
    if isinstance(value, str):
        return read_template(value, name)
    choices = ListOf(Text(4000, re.compile(r"[\S\s]")), 2, MAX_CHOICES).read(value, name)
    if any(has_placeholders(choice) for choice in choices):
        raise BadInputError(f'{name}: a list holds fixed texts; write "{{{{[first, second]}}}}".')
    if len(set(choices)) < len(choices):
        raise BadInputError(f"{name} has the same choice twice.")
    return tuple(choices)


def _answer(
    values: dict[str, Any], kind: str, metrics: tuple[MetricSpec, ...], place: str
) -> Target:
    name = f"{place}: doc_to_target"
    value = values.get("doc_to_target")
    if value is None:
        if all(metric.name in _WITHOUT_ANSWER for metric in metrics):
            return None
        raise BadInputError(f"{place} has no doc_to_target; add it.")
    if isinstance(value, list):
        return tuple(_one_answer(each, name, kind) for each in _listed(value, name))
    return read_template(value, name) if isinstance(value, str) else _index(value, name, kind)


def _one_answer(value: Any, name: str, kind: str) -> int | str:
    if not isinstance(value, str):
        return _index(value, name, kind)
    if has_placeholders(value):
        raise BadInputError(f'{name}: a list holds fixed texts; write "{{{{[first, second]}}}}".')
    text: str = Text(4000, re.compile(r"[\S\s]")).read(value, name)
    return text


def _listed(value: list[Any], name: str) -> list[Any]:
    if not 1 <= len(value) <= MAX_TARGETS:
        raise BadInputError(f"{name} must hold 1 to {MAX_TARGETS} right answers.")
    return value


def _index(value: Any, name: str, kind: str) -> int:
    if kind not in _MAY_HAVE_CHOICES:
        raise BadInputError(f"{name} is {str(value)[:60]}; write a template or a column.")
    index: int = Number(0, MAX_CHOICES - 1, whole=True).read(value, name)
    return index


def _roles(
    ours: dict[str, Any], metrics: tuple[MetricSpec, ...], place: str
) -> tuple[tuple[str, str], ...]:
    """Columns by role, where a metric reads them."""
    where = f"{place}: weighbridge.roles"
    given = read_map(ours.get("roles", {}), where)
    refuse_unknown(given, ROLES, where)
    read = {key: COLUMN.read(value, f"{where}.{key}") for key, value in given.items()}
    if not any(metric.name in NEEDS_ROLES for metric in metrics):
        if read:
            raise BadInputError(f"{where} is for {', '.join(NEEDS_ROLES)}; leave it out.")
        return ()
    return tuple((ROLES | read).items())


def _columns(value: Any, name: str) -> tuple[str, ...]:
    """One column, or several whose values are taken together."""
    if value is None:
        return ()
    listed = value if isinstance(value, list) else [value]
    return tuple(ListOf(COLUMN, 1, MAX_COLUMNS).read(listed, name))


def _labels(values: dict[str, Any], ours: dict[str, Any], place: str) -> Labels:
    metadata = read_map(values.get("metadata", {}), f"{place}: metadata")
    version = metadata.get("version")
    alias = values.get("task_alias")
    return Labels(
        alias=None if alias is None else Text(128, re.compile(r"\S")).read(alias, "task_alias"),
        summary=Text(300).read(ours.get("summary", ""), f"{place}: weighbridge.summary"),
        language=_optional(LANGUAGE, ours, "language", place),
        tags=read_texts(values.get("tag", []), f"{place}: tag", most=20, length=100),
        version=None if version is None else str(version)[:40],
    )


def _require_sense(definition: BenchmarkDefinition, values: dict[str, Any], place: str) -> None:
    """Refuse parts that are well written and mean nothing together."""
    names = [metric.name for metric in definition.metrics]
    for key in ("generation_kwargs", "filter_list", "repeats"):
        if key in values and definition.generation is None and values[key] != 1:
            raise BadInputError(
                f"{place}: {key} means nothing to {definition.output_type}; leave it out."
            )
    if ("toxicity" in names) != (definition.words is not None):
        raise BadInputError(
            f"{place}: the metric toxicity and weighbridge.words, the file with the words that it "
            "counts, belong together; add the other, or leave both out."
        )
    for name in NEEDS_CLASSES:
        fixed = isinstance(definition.choices, tuple) or definition.output_type == "classification"
        if name in names and not fixed:
            raise BadInputError(
                f"{place}: {name} counts the same classes in every item; make doc_to_choice a list."
            )
    if (
        definition.direction is Direction.TARGET
        and definition.margin
        and definition.margin.relative
    ):
        raise BadInputError(
            f"{place}: a margin around a target is in score units; write a number such as 0.05."
        )
    _require_one_chain(definition, place)
    _require_enough_answers(definition, place)


def _require_one_chain(definition: BenchmarkDefinition, place: str) -> None:
    named = dict(definition.filters)
    for metric in definition.metrics:
        if metric.filter is not None and metric.filter not in named:
            known = ", ".join(named) or "none"
            raise BadInputError(
                f"{place}: {metric.name} looks through the filter {metric.filter!r}; "
                f"filter_list has {known}."
            )
    if len({metric.filter for metric in definition.metrics}) > 1:
        raise BadInputError(
            f"{place}: its metrics look through different filters; write one file for each, or "
            "give all of them the same one."
        )


def _require_enough_answers(definition: BenchmarkDefinition, place: str) -> None:
    repeats = definition.generation.repeats if definition.generation else 1
    for metric in definition.metrics:
        if metric.k is not None and metric.k > repeats:
            raise BadInputError(
                f"{place}: {metric.label} needs at least {metric.k} answers to each item; "
                f"repeats is {repeats}."
            )


def _optional(reader: Text, ours: dict[str, Any], key: str, place: str) -> str | None:
    value = ours.get(key)
    return None if value is None else reader.read(value, f"{place}: weighbridge.{key}")
