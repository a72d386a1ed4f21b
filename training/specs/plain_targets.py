"""The choices and right answers of an item, where its file says them without computing anything.

Templates are rendered in the sandboxed runner alone: one that is more than a column's name is left
to what the runner said when it asked the item.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from training.runner.literals import literal
from training.specs.benchmark_definition import BenchmarkDefinition

Doc = Mapping[str, Any]
_COLUMN = re.compile(r"\{\{\s*([A-Za-z_]\w*)\s*\}\}\Z")
_COLUMNS = re.compile(r"\{\{\s*\[\s*([A-Za-z_]\w*(?:\s*,\s*[A-Za-z_]\w*)*)\s*\]\s*\}\}\Z")
_LITERAL_LIMIT = 64 * 1024


def plain_choices(definition: BenchmarkDefinition, doc: Doc) -> tuple[str, ...] | None:
    """The choices of the row `doc`; None where only its templates tell."""
    given = definition.choices
    if given is None or isinstance(given, tuple):
        return given
    if several := _COLUMNS.match(given):
        value: Any = [doc.get(name.strip()) for name in several[1].split(",")]
    else:
        value = _column(given, doc)
        if isinstance(value, str):
            value = literal(value) if len(value) <= _LITERAL_LIMIT else None
    sound = isinstance(value, list) and len(value) > 1
    return tuple(value) if sound and all(isinstance(each, str) for each in value) else None


def plain_targets(
    definition: BenchmarkDefinition, doc: Doc, choices: Sequence[str]
) -> frozenset[int] | None:
    """Which of `choices` are right for the row `doc`; None where only its templates tell."""
    answer = definition.answer
    several = isinstance(answer, tuple)
    told = list(answer) if several else [answer]  # type: ignore[arg-type]
    values = [_column(each, doc) if isinstance(each, str) else each for each in told]
    if not several and isinstance(values[0], list):
        values = values[0]
    found = {_index(value, choices) for value in values}
    if None in found or not found:
        return None
    return frozenset(place for place in found if place is not None)


def _column(source: str, doc: Doc) -> Any:
    """The column that a field names, by itself or in braces, which make a text of it."""
    if source in doc:
        return doc[source]
    named = _COLUMN.match(source)
    if named is None or named[1] not in doc:
        return None
    return str(doc[named[1]])


def _index(value: Any, choices: Sequence[str]) -> int | None:
    """The place of a right answer that is a choice's text or its place."""
    if isinstance(value, str):
        if value in choices:
            return list(choices).index(value)
        value = int(value) if value.isdecimal() and len(value) <= 4 else None
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and 0 <= value < len(choices) else None
