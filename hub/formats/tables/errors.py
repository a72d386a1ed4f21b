"""Why a table cannot be shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.formats.errors import FormatError

if TYPE_CHECKING:
    from hub.formats.tables.conditions import Condition


class TableError(FormatError):
    """Not a table the hub reads. `fault` says why in one word, for doors that have languages:
    "broken", "encoding", "columns", "too_large", "format" or "empty"."""

    def __init__(self, fault: str, message: str) -> None:
        super().__init__(message)
        self.fault = fault


class QueryError(FormatError):
    """A condition that no row can answer. `fault` says why in one word, as TableError does."""

    def __init__(self, fault: str, condition: Condition, message: str) -> None:
        super().__init__(message)
        self.fault, self.condition = fault, condition


class SortError(FormatError):
    """Rows that are not sorted. `fault` is "too_large", "too_slow", "no_column" or "no_order"."""

    def __init__(self, fault: str, message: str) -> None:
        super().__init__(message)
        self.fault = fault


class BudgetSpentError(Exception):
    """The time that one request may spend on looking is used up."""
