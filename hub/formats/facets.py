"""What repositories are filtered by: `facet:value` texts, from what is derived of their files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hub.formats.lineage import DATASET, parents

FACETS = ("task", "library", "language", "license", "size", "base")
_VALUE_LENGTH, _VALUES = 120, 24
_MILLION, _BILLION = 10**6, 10**9
# Buckets of parameters: key and where each ends.
SIZES = (
    ("0-100M", 100 * _MILLION),
    ("100M-500M", 500 * _MILLION),
    ("500M-1B", _BILLION),
    ("1B-3B", 3 * _BILLION),
    ("3B-8B", 8 * _BILLION),
    ("8B-15B", 15 * _BILLION),
    ("15B-40B", 40 * _BILLION),
    ("40B-80B", 80 * _BILLION),
    ("80B+", None),
)


def facets_of(
    kind: str,
    *,
    card: Mapping[str, Any] | None,
    tags: Iterable[str],
    task: str,
    library: str,
    parameters: int | None,
) -> list[str]:
    """Values of one repository, each once."""
    data, known = card or {}, list(tags)
    found = [("license", each) for each in _texts(data.get("license"))]
    found += [("language", each) for each in _texts(data.get("language"))]
    found += [("task", task), ("library", library)]
    if kind == "dataset":
        found += [("task", each) for each in _texts(data.get("task_categories"))]
        found += [("size", each) for each in _texts(data.get("size_categories"))]
    if kind == "model":
        bases = [each for each in parents(data, known) if each.relation != DATASET]
        found += [("base", each.repo_id) for each in bases]
    if parameters:
        found.append(("size", size_of(parameters)))
    values = [f"{facet}:{value[:_VALUE_LENGTH]}" for facet, value in found if value]
    return list(dict.fromkeys(values))[:_VALUES]


def size_of(parameters: int) -> str:
    """The bucket that a number of parameters falls into."""
    return next(key for key, end in SIZES if end is None or parameters < end)


def _texts(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [each.strip() for each in values if isinstance(each, str) and each.strip()]
