"""include of a task file: the keys of another file, given along with it, under its own."""

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from hub.errors import BadInputError
from training.specs.task_tags import Tagged, load_tagged

MAX_DEPTH = 8


def load_with_includes(
    content: bytes | str, place: str, files: Mapping[str, bytes | str]
) -> tuple[dict[str, Any], list[Tagged]]:
    """The values and tags of a task file, those of the files that it includes underneath.

    `files` are found by the last part of their names. What is not among them stays as `include`.

    Raises:
        BadInputError: one of them is no YAML that the hub reads, or they include each other.
    """
    given = {PurePosixPath(name).name: file for name, file in files.items()}
    return _load(content, place, given, MAX_DEPTH)


def _load(
    content: bytes | str, place: str, given: Mapping[str, bytes | str], depth: int
) -> tuple[dict[str, Any], list[Tagged]]:
    if not depth:
        raise BadInputError(f"{place} is included by what it includes, or too deep; merge them.")
    values, tags = load_tagged(content, place)
    merged: dict[str, Any] = {}
    under: list[Tagged] = []
    missing = []
    for name in _included(values.pop("include", None)):
        file = given.get(PurePosixPath(name).name)
        if file is None:
            missing.append(name)
            continue
        more, more_tags = _load(file, name, given, depth - 1)
        missing += _included(more.pop("include", None))
        under = [tag for tag in under if tag.top not in more] + more_tags
        merged |= more
    merged |= values
    if missing:
        merged["include"] = missing
    return merged, [tag for tag in under if tag.top not in values] + tags


def _included(value: Any) -> list[str]:
    listed = value if isinstance(value, list) else [value]
    return [name for name in listed if isinstance(name, str)]
