"""What people ask of rows: a text anywhere, or a comparison with one column."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from hub.formats.errors import FormatError
from hub.formats.tables.errors import QueryError
from hub.formats.tables.rows import (
    AUDIO,
    BOOL,
    BYTES,
    FLOAT,
    IMAGE,
    INT,
    LIST,
    STRUCT,
    TIME,
    Column,
    Media,
    Row,
)

OPERATORS = ("eq", "ne", "contains", "ge", "le", "null", "filled")
CONDITIONS_LIMIT = 5
TEXT_LIMIT = 200
DEPTH_LIMIT = 20
_UNORDERED = frozenset((BOOL, LIST, STRUCT, BYTES, IMAGE, AUDIO))
_TRUTHS = frozenset(("true", "false"))


@dataclass(frozen=True)
class Condition:
    """`value` is what somebody wrote; numbers are compared as such where the row has one."""

    column: str
    operator: str
    value: str = ""

    def holds(self, row: Row) -> bool:
        return self.accepts(row.values.get(self.column))

    def accepts(self, found: Any) -> bool:
        """Whether a value of the column is meant."""
        if self.operator in ("null", "filled"):
            return (found is None) == (self.operator == "null")
        if found is None:
            return False
        if self.operator == "contains":
            return mentions(found, self.value.casefold())
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

    def require_columns(self, columns: Iterable[Column], *, may_have_more: bool) -> None:
        """Refuse what no row of such columns can answer. Raises: QueryError.

        `may_have_more`: rows further on may have other columns.
        """
        known = {column.name: column for column in columns}
        for condition in self.conditions:
            if column := known.get(condition.column):
                _require_comparable(condition, column)
            elif not may_have_more:
                raise QueryError(
                    "no_column", condition, f"There is no column “{condition.column[:100]}”."
                )

    def test(self) -> Callable[[Row], bool]:
        """Whether a row is meant."""
        wanted, conditions = self.text.casefold(), self.conditions

        def is_meant(row: Row) -> bool:
            if not all(condition.holds(row) for condition in conditions):
                return False
            return not wanted or any(mentions(value, wanted) for value in row.values.values())

        return is_meant


def _require_comparable(condition: Condition, column: Column) -> None:
    """Raises: QueryError."""
    value, name = condition.value, condition.column[:100]
    is_order, is_same = condition.operator in ("ge", "le"), condition.operator in ("eq", "ne")
    # Where the file does not say what a column holds, its first rows do not speak for all.
    is_meant = is_order or (is_same and bool(column.dtype))
    if column.type in (INT, FLOAT) and is_meant and number_in(value) is None:
        raise QueryError(
            "no_number", condition, f"“{value}” is no number, and “{name}” holds numbers."
        )
    if column.type == TIME and is_order and not value.strip()[:1].isdecimal():
        raise QueryError(
            "no_moment", condition, f"“{value}” is no moment, and “{name}” holds moments."
        )
    if column.type == BOOL and is_same and column.dtype and value.strip().lower() not in _TRUTHS:
        raise QueryError("no_truth", condition, f"“{name}” holds true and false only.")
    if is_order and column.type in _UNORDERED:
        raise QueryError("no_order", condition, f"Values of “{name}” have no order.")


def mentions(value: Any, wanted: str, depth: int = 0) -> bool:
    if isinstance(value, str):
        return wanted in value.casefold()
    if value is None or isinstance(value, bytes | Media) or depth > DEPTH_LIMIT:
        return False
    if isinstance(value, list):
        return any(mentions(each, wanted, depth + 1) for each in value)
    if isinstance(value, dict):
        return any(mentions(each, wanted, depth + 1) for each in value.values())
    return wanted in str(value).casefold()


def _equals(found: Any, wanted: str) -> bool:
    if isinstance(found, bool):
        return wanted.strip().lower() == str(found).lower()
    if isinstance(found, int | float):
        number = number_in(wanted)
        return number is not None and found == number
    return bool(str(found) == wanted)


def _compares(found: Any, wanted: str, operator: str) -> bool:
    """By number where the row has one, else by text: moments in ISO order too."""
    if isinstance(found, int | float) and not isinstance(found, bool):
        number = number_in(wanted)
        if number is None:
            return False
        return found >= number if operator == "ge" else found <= number
    if isinstance(found, list | dict | bytes | Media):
        return False
    return str(found) >= wanted if operator == "ge" else str(found) <= wanted


def number_in(text: str) -> int | float | None:
    """The number that a text is, if it is one."""
    try:
        return int(text) if text.strip().lstrip("+-").isdecimal() else float(text)
    except ValueError:
        return None
