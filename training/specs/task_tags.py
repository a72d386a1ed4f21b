"""YAML with tags, as task files in the wild have it: read as plain values, every tag by its key."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import yaml

from hub.errors import BadInputError
from hub.formats.bounded_yaml import MAX_BYTES, start_of
from training.specs.schema import load_mapping

_TAG = re.compile(r"!<[^>]*>|![^\s,\[\]{}]*")
_LOADER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


@dataclass(frozen=True, slots=True)
class Tagged:
    """A value that a tag stands before: `key` is where, such as `metric_list[2].aggregation`."""

    key: str
    tag: str
    value: str
    line: int

    @property
    def top(self) -> str:
        """The key of the file that it lies in."""
        return re.split(r"[.\[]", self.key, maxsplit=1)[0]

    def __str__(self) -> str:
        return f"{self.key}: {self.tag} {self.value}".rstrip()


def load_tagged(content: bytes | str, place: str) -> tuple[dict[str, Any], list[Tagged]]:
    """The values of a YAML file with its tags struck out, and what those were. No tag is obeyed.

    Raises:
        BadInputError: not the bounded YAML that the hub reads, tags aside.
    """
    text = _text(content, place)
    tags: list[Tagged] = []
    parts, end = [], 0
    try:
        for tagged, start in _tags(text):
            tags.append(tagged)
            parts.append(text[end:start])
            end = start + len(tagged.tag)
    except (yaml.YAMLError, RecursionError):
        return load_mapping(text, place), tags  # which says what is wrong with it
    return load_mapping("".join([*parts, text[end:]]), place), tags


def _text(content: bytes | str, place: str) -> str:
    try:
        text = content.decode() if isinstance(content, bytes) else content
    except UnicodeDecodeError:
        raise BadInputError(f"{place} is not UTF-8; save the file as UTF-8.") from None
    if len(text) > MAX_BYTES:
        raise BadInputError(f"{place} is longer than {MAX_BYTES} bytes; shorten it.")
    return text.removeprefix("\ufeff")


def _tags(text: str) -> Iterator[tuple[Tagged, int]]:
    """Every tag with the place in `text` where it starts."""
    path: list[_Level] = []
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.CollectionEndEvent):
            path.pop()
        if not isinstance(event, yaml.NodeEvent):
            continue
        if path:
            path[-1].take(event)
        mark = start_of(event)
        found = _TAG.match(text, mark.index)
        if getattr(event, "tag", None) and found and found.group() != "!":
            value = event.value if isinstance(event, yaml.ScalarEvent) else ""
            key = "".join(level.name for level in path).lstrip(".") or "the file"
            yield Tagged(key, found.group(), value.strip(), mark.line + 1), mark.index
        if isinstance(event, yaml.CollectionStartEvent):
            path.append(_Level(isinstance(event, yaml.MappingStartEvent)))


class _Level:
    """Where one is in a map or a list."""

    def __init__(self, is_map: bool) -> None:
        self.is_map, self.count, self.key = is_map, -1, ""

    def take(self, event: yaml.NodeEvent) -> None:
        self.count += 1
        if self.is_map and self.count % 2 == 0:
            scalar = isinstance(event, yaml.ScalarEvent)
            self.key = cast(yaml.ScalarEvent, event).value if scalar else "?"

    @property
    def name(self) -> str:
        return f".{self.key}" if self.is_map else f"[{self.count}]"
