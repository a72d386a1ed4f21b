"""What people ask of rows: a text anywhere, or a comparison with one column."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from hub.formats.errors import FormatError
from hub.formats.tables.rows import Media, Row

OPERATORS = ("eq", "ne", "contains", "ge", "le", "null", "filled")
CONDITIONS_LIMIT = 5
TEXT_LIMIT = 200
DEPTH_LIMIT = 20


@dataclass(frozen=True)
class Condition:
    """`value` is what somebody wrote; numbers are compared as such where the row has one."""

    column: str
    operator: str
    value: str = ""

    def holds(self, row: Row) -> bool:
        found = row.values.get(self.column)
        if self.operator in ("null", "filled"):
            return (found is None) == (self.operator == "null")
        if found is None:
            return False
        if self.operator == "contains":
            return _mentions(found, self.value.casefold())
        if self.operator in ("eq", "ne"):
            return _equals(found, self.value) == (self.operator == "eq")
        return _compares(found, self.value, self.operator)


@dataclass(frozen=True)
class Query:
    """All of it must hold. `text` is looked for in every value, whatever its case."""

    text: str = ""
    conditions: tuple[Condition, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.text or self.conditions)

    @classmethod
    def of(cls, text: str, conditions: Iterable[tuple[str, str, str]]) -> Query:
        """Raises: FormatError."""
        found = tuple(Condition(*each) for each in conditions)
        if len(text) > TEXT_LIMIT or any(len(each.value) > TEXT_LIMIT for each in found):
            raise FormatError(f"Look for at most {TEXT_LIMIT} characters.")
        if len(found) > CONDITIONS_LIMIT:
            raise FormatError(f"Ask for at most {CONDITIONS_LIMIT} conditions.")
        if wrong := [each.operator for each in found if each.operator not in OPERATORS]:
            raise FormatError(f"“{wrong[0][:20]}” is none of {', '.join(OPERATORS)}.")
        return cls(text, found)

    def test(self) -> Callable[[Row], bool]:
        """Whether a row is meant."""
        wanted, conditions = self.text.casefold(), self.conditions

        def is_meant(row: Row) -> bool:
            if not all(condition.holds(row) for condition in conditions):
                return False
            return not wanted or any(_mentions(value, wanted) for value in row.values.values())

        return is_meant


def _mentions(value: Any, wanted: str, depth: int = 0) -> bool:
    if isinstance(value, str):
        return wanted in value.casefold()
    if value is None or isinstance(value, bytes | Media) or depth > DEPTH_LIMIT:
        return False
    if isinstance(value, list):
        return any(_mentions(each, wanted, depth + 1) for each in value)
    if isinstance(value, dict):
        return any(_mentions(each, wanted, depth + 1) for each in value.values())
    return wanted in str(value).casefold()


def _equals(found: Any, wanted: str) -> bool:
    if isinstance(found, bool):
        return wanted.strip().lower() == str(found).lower()
    if isinstance(found, int | float):
        number = _number(wanted)
        return number is not None and found == number
    return bool(str(found) == wanted)


def _compares(found: Any, wanted: str, operator: str) -> bool:
    """By number where the row has one, else by text: moments in ISO order too."""
    if isinstance(found, int | float) and not isinstance(found, bool):
        number = _number(wanted)
        if number is None:
            return False
        return found >= number if operator == "ge" else found <= number
    if isinstance(found, list | dict | bytes | Media):
        return False
    return str(found) >= wanted if operator == "ge" else str(found) <= wanted


def _number(text: str) -> int | float | None:
    try:
        return int(text) if text.strip().lstrip("+-").isdecimal() else float(text)
    except ValueError:
        return None
