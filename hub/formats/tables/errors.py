"""Why a table cannot be shown."""

from hub.formats.errors import FormatError


class TableError(FormatError):
    """Not a table the hub reads. `fault` says why in one word, for doors that have languages:
    "broken", "encoding", "columns", "too_large", "format" or "empty"."""

    def __init__(self, fault: str, message: str) -> None:
        super().__init__(message)
        self.fault = fault


class BudgetSpentError(Exception):
    """The time that one request may spend on looking is used up."""
