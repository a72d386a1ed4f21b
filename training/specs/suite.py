"""Suites: lm-evaluation-harness group files, a named set of benchmarks for boards of a set.

    group: english
    group_alias: English
    task:
      - blimp:benchmark.yaml                # the data set blimp beside this one
      - demo/sms_spam:benchmark.yaml@v1     # any data set, pinned
      - mgsm_en.yaml                        # a file of this repository
    aggregate_metric_list: [{metric: acc, weight_by_size: false}]

A board shows every benchmark of its suite, and an average only beside them; no gate reads one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hub.errors import BadInputError
from training.specs.benchmark_data import SPLIT
from training.specs.gate import BenchmarkReference, parse_reference
from training.specs.schema import Flag, Text, load_mapping, read_map, read_path, refuse_unknown

MAX_MEMBERS = 100
MAX_DEPTH = 4
_KNOWN_KEYS = (
    "group", "group_alias", "task", "aggregate_metric_list", "metadata", "tag", "weighbridge",
)  # fmt: skip
_NESTED_KEYS = ("group", "group_alias", "task", "aggregate_metric_list", "metadata")
_OUR_KEYS = ("summary", "language")
_AVERAGE_KEYS = ("metric", "aggregation", "weight_by_size", "filter_list")


@dataclass(frozen=True, slots=True)
class Suite:
    """Benchmarks that are shown together. `by_size`: their average counts every item alike."""

    name: str
    label: str
    members: tuple[BenchmarkReference, ...]
    by_size: bool = False
    summary: str = ""
    language: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            "group": self.name,
            "group_alias": self.label,
            "task": [str(member) for member in self.members],
            "weight_by_size": self.by_size,
            "summary": self.summary,
            "language": self.language,
        }


def is_suite(content: bytes | str, *, place: str = "The suite") -> bool:
    """Whether a YAML file is a suite rather than a benchmark."""
    values = load_mapping(content, place)
    return "group" in values and not isinstance(values.get("task"), str)


def parse_suite(
    content: bytes | str,
    *,
    repo_id: str,
    revision: str | None = None,
    place: str = "The suite",
) -> Suite:
    """The suite in a group file of the data set `repo_id`, at `revision` if that is pinned.

    A member without a namespace lies in that of `repo_id`, one without a repository in `repo_id`
    itself, at the same revision.

    Raises:
        BadInputError: an unknown key, no member, one twice, or one that is no benchmark file.
    """
    values = load_mapping(content, place)
    refuse_unknown(values, _KNOWN_KEYS, place)
    ours = read_map(values.get("weighbridge") or {}, f"{place}: weighbridge")
    refuse_unknown(ours, _OUR_KEYS, f"{place}: weighbridge")
    name = SPLIT.read(values.get("group"), f"{place}: group")
    listed = list(_members(values.get("task"), f"{place}: task", MAX_DEPTH))
    if not 1 <= len(listed) <= MAX_MEMBERS:
        raise BadInputError(f"{place} needs a list of 1 to {MAX_MEMBERS} benchmarks as its task.")
    members = tuple(_reference(text, repo_id, revision, where) for text, where in listed)
    for member in members:
        if members.count(member) > 1:
            raise BadInputError(f"{place} names {member} twice; keep one of them.")
    alias = values.get("group_alias")
    language = ours.get("language")
    return Suite(
        name=name,
        label=name if alias is None else Text(128).read(alias, f"{place}: group_alias"),
        members=members,
        by_size=_by_size(values.get("aggregate_metric_list"), f"{place}: aggregate_metric_list"),
        summary=Text(300).read(ours.get("summary") or "", f"{place}: weighbridge.summary"),
        language=None if language is None else Text(16).read(language, f"{place}: language"),
    )


def _members(value: Any, place: str, depth: int) -> Iterator[tuple[str, str]]:
    """Every member with its place, those of nested groups among them."""
    listed = value if isinstance(value, list) else [value]
    if value is None or not depth:
        raise BadInputError(f"{place} names no benchmark, or is nested too deep; list them.")
    for index, each in enumerate(listed):
        where = f"{place}[{index}]"
        if isinstance(each, str):
            yield each, where
        elif isinstance(each, dict) and "group" in each:
            refuse_unknown(each, _NESTED_KEYS, where)
            yield from _members(each.get("task"), f"{where}.task", depth - 1)
        elif isinstance(each, dict) and isinstance(each.get("task"), str):
            refuse_unknown(each, ("task",), where)
            yield each["task"], where
        else:
            raise BadInputError(f"{where} is no benchmark; write namespace/name:benchmark.yaml.")


def _reference(text: str, repo_id: str, revision: str | None, place: str) -> BenchmarkReference:
    repository, colon, _ = text.partition(":")
    if colon:
        namespace = "" if "/" in repository else f"{repo_id.partition('/')[0]}/"
        return parse_reference(f"{namespace}{text}", place)
    path = text if text.endswith((".yaml", ".yml")) else f"{text}.yaml"
    return BenchmarkReference(repo_id, read_path(path, place), revision)


def _by_size(value: Any, place: str) -> bool:
    """Whether the average weighs benchmarks by their items, as the harness does by default."""
    if value is None:
        return False
    listed = value if isinstance(value, list) else [value]
    weights = []
    for index, each in enumerate(listed):
        values = read_map(each, f"{place}[{index}]")
        refuse_unknown(values, _AVERAGE_KEYS, f"{place}[{index}]")
        if values.get("aggregation", "mean") != "mean":
            raise BadInputError(f"{place}[{index}].aggregation must be mean.")
        weights.append(
            Flag().read(values.get("weight_by_size", True), f"{place}[{index}].weight_by_size")
        )
    return bool(weights) and all(weights)
