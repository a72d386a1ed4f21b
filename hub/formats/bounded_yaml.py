"""YAML that people upload: plain values only, bounded before anything is built, and its writer.

Events are checked one by one while the text is parsed: no anchor, alias or tag, one document, at
most 16 levels and 5,000 nodes, in at most 64 KiB. Scalars mean what they look like, by the JSON
reading of YAML 1.2: a bare `true`, `false`, `null`, `~` or a decimal number such as `12`, `0.5`
or `3e-4` is that value; everything else stays the text that was written. So `NO`, `on`,
`2024-01-31`, `12:30:45`, `007`, `0x1F`, `1_000` and `.nan` never change their type.
"""

import re
from collections.abc import Iterator
from math import isfinite
from typing import Any, cast

import yaml

from hub.formats.errors import YamlError

MAX_BYTES = 64 * 1024
MAX_DEPTH = 16
MAX_NODES = 5_000

_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})\Z", re.ASCII)
_DECIMAL = re.compile(
    r"[-+]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]{1,4})?\Z", re.ASCII
)
_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
# libyaml is some fifty times faster; wheels without it still read the same language.
_LOADER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


def load_yaml(content: bytes | str) -> Any:
    """The plain value that `content` holds: dict, list, str, int, float, bool or None.

    Raises:
        YamlError: not UTF-8, not YAML, over a limit, or with an anchor, alias, tag, duplicate
            key or second document.
    """
    return _Builder(events_of(content)).document()


def events_of(content: bytes | str) -> Iterator[yaml.Event]:
    """The checked parse events of `content`, lazily, so that a bomb ends at its first excess."""
    text = _decode(content)
    depth = nodes = documents = 0
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            if isinstance(event, yaml.NodeEvent):
                _refuse_indirection(event)
                nodes += 1
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            elif isinstance(event, yaml.DocumentStartEvent):
                documents += 1
            _refuse_excess(depth, nodes, documents)
            yield event
    except yaml.YAMLError as error:
        raise YamlError(_describe(error)) from error


def start_of(event: yaml.Event) -> yaml.Mark:
    """Where a parsed event starts; only events made by hand have no place."""
    return cast(yaml.Mark, event.start_mark)


def end_of(event: yaml.Event) -> yaml.Mark:
    """Where a parsed event ends."""
    return cast(yaml.Mark, event.end_mark)


def _decode(content: bytes | str) -> str:
    try:
        raw = content.encode() if isinstance(content, str) else content
        text = raw.decode()
    except UnicodeError as error:
        raise YamlError("The YAML is not valid UTF-8; save the file as UTF-8.") from error
    if len(raw) > MAX_BYTES:
        raise YamlError(f"The YAML is {len(raw)} bytes long; at most {MAX_BYTES} are read.")
    return text.removeprefix("\ufeff")


def _refuse_indirection(event: yaml.NodeEvent) -> None:
    line = start_of(event).line + 1
    if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
        raise YamlError(f"Line {line} has an anchor or alias (& or *); write the value out.")
    tag = getattr(event, "tag", None)
    if tag is not None:
        raise YamlError(
            f"Line {line} has the tag {_short(tag)!r}. Tags can name code, so the hub reads "
            "none; write a plain value."
        )


def _refuse_excess(depth: int, nodes: int, documents: int) -> None:
    if depth > MAX_DEPTH:
        raise YamlError(f"The YAML is nested deeper than {MAX_DEPTH} levels; flatten it.")
    if nodes > MAX_NODES:
        raise YamlError(f"The YAML holds more than {MAX_NODES} values; shorten it.")
    if documents > 1:
        raise YamlError("The YAML holds more than one document; keep the first.")


def _describe(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or "a character that YAML does not allow"
    where = f" in line {mark.line + 1}" if mark is not None else ""
    return f"This is not valid YAML{where}: {_short(str(problem))}."


def _short(text: str) -> str:
    return text if len(text) <= 80 else text[:79] + "…"


class _Builder:
    """Builds plain values from checked events; recursion is bounded by MAX_DEPTH."""

    def __init__(self, events: Iterator[yaml.Event]) -> None:
        self.events = events

    def document(self) -> Any:
        value = None
        for event in self.events:
            if isinstance(event, yaml.NodeEvent):
                value = self.node(event)
        return value

    def node(self, event: yaml.Event) -> Any:
        if isinstance(event, yaml.MappingStartEvent):
            return self.mapping()
        if isinstance(event, yaml.SequenceStartEvent):
            return self.sequence()
        return scalar_value(cast(yaml.ScalarEvent, event))

    def sequence(self) -> list[Any]:
        values = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            values.append(self.node(event))
        return values

    def mapping(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            line = start_of(event).line + 1
            if not isinstance(event, yaml.ScalarEvent):
                raise YamlError(f"Line {line} has a key that is not plain text.")
            if event.value in found:
                raise YamlError(f"Line {line} repeats the key {_short(event.value)!r}.")
            found[event.value] = self.node(next(self.events))
        return found


def scalar_value(event: yaml.ScalarEvent) -> str | int | float | bool | None:
    """What one scalar means; only a bare one can be anything but text."""
    return plain_value(event.value) if event.style is None or event.style == "" else event.value


def plain_value(text: str) -> str | int | float | bool | None:
    """What an unquoted scalar means."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.match(text):
        return int(text)
    whole = text.lstrip("+-").isdigit()  # longer than 18 digits: an id, not a quantity
    if not whole and _DECIMAL.match(text) and isfinite(float(text)):
        return float(text)
    return text


class _Dumper(yaml.SafeDumper):
    """Block style without aliases; text that any reader could take for a number is quoted."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    # Only double quotes escape what cannot be seen, such as U+0085, which folds into a space.
    style = '"' if not text.isprintable() else "'" if plain_value(text) != text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def dump_yaml(value: object, *, line_break: str = "\n") -> str:
    """Block-style YAML of a plain value in the given key order, ending with `line_break`.

    It reads back alike here and in YAML 1.1 readers such as huggingface_hub's.
    """
    try:
        return yaml.dump(
            value,
            Dumper=_Dumper,
            allow_unicode=True,
            default_flow_style=False,
            line_break=line_break,
            sort_keys=False,
            width=10_000,
        )
    except yaml.YAMLError as error:
        raise YamlError("Only plain values can be written as YAML.") from error
