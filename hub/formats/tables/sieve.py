"""Passing over rows that a query cannot mean, before they are made: columns of Arrow at once, lines
of text as they are.

A sieve lets through all that is meant and some that is not: whoever reads tests each row that it
leaves with `Query.test`, which alone decides.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from hub.formats.tables import rows as kinds
from hub.formats.tables.conditions import Condition, Query, mentions, number_in
from hub.formats.tables.rows import Column

# What the text of such values is made of: a search for anything else cannot be meant by one.
_LETTERS = {
    kinds.INT: frozenset("-0123456789"),
    kinds.FLOAT: frozenset("-+.0123456789einfa"),
    kinds.BOOL: frozenset("truefals"),
    kinds.TIME: frozenset("-+:., 0123456789daysutcz"),
}
_SILENT = frozenset((kinds.IMAGE, kinds.AUDIO, kinds.BYTES, kinds.NULL))


def could_say(wanted: str, kind: str) -> bool:
    """Whether values of a type can have `wanted`, in small letters, in their text."""
    letters = _LETTERS.get(kind)
    return kind not in _SILENT and (letters is None or letters.issuperset(wanted))


class LineSieve:
    """For records of text that are still bytes. `columns`: those of all that is read."""

    def __init__(self, query: Query, columns: Iterable[Column], codec: str = "utf-8") -> None:
        self._codec = codec
        wanted = query.text.casefold()
        # A number is told otherwise than it is written: 1e3 as 1000.0.
        numbers = any(could_say(wanted, kinds.FLOAT) and c.type != kinds.TEXT for c in columns)
        texts = [] if numbers else [wanted]
        for condition in query.conditions:
            if condition.operator in ("eq", "contains") and number_in(condition.value) is None:
                texts.append(condition.value.casefold())
        self._texts = [text for text in texts if text]

    def __bool__(self) -> bool:
        return bool(self._texts)

    def passes(self, content: bytes) -> bool:
        """Whether the record may be meant; one with escapes or quotes may say what it does not
        show."""
        if b"\\" in content or b'""' in content:
            return True
        text = content.decode(self._codec, "replace").casefold()
        return all(each in text for each in self._texts)


class ColumnSieve:
    """For batches of Arrow. `names`: the columns that it looks at."""

    def __init__(
        self, query: Query, columns: tuple[Column, ...], plain: Callable[[Column, Any], list[Any]]
    ) -> None:
        self._query, self._plain = query, plain
        self._wanted = query.text.casefold()
        self._columns = {column.name: column for column in columns}
        self._searched = [
            column for column in columns if self._wanted and could_say(self._wanted, column.type)
        ]
        asked = [*(c.column for c in query.conditions), *(c.name for c in self._searched)]
        self.names = [name for name in dict.fromkeys(asked) if name in self._columns]

    def numbers(self, batch: Any) -> list[int]:
        """Which rows of a batch, with at least the columns `names`, may be meant."""
        import pyarrow.compute as pc

        mask = None
        for condition in self._query.conditions:
            held = self._held(batch, condition)
            mask = held if mask is None else pc.and_(mask, held)
        if self._wanted:
            said = None
            for column in self._searched:
                found = self._said(batch.column(column.name), column, self._query.text)
                said = found if said is None else pc.or_(said, found)
            if said is None:
                return []
            mask = said if mask is None else pc.and_(mask, said)
        return list(range(batch.num_rows)) if mask is None else _places(mask)

    def _said(self, values: Any, column: Column, text: str) -> Any:
        """Where the values mention a text."""
        import pyarrow as pa
        import pyarrow.compute as pc
        import pyarrow.types as t

        wanted = text.casefold()
        if t.is_string(values.type) or t.is_large_string(values.type):
            has_case = wanted.upper() != wanted or wanted.lower() != wanted
            found = pc.match_substring(values, pattern=wanted, ignore_case=has_case)
            if has_case:
                found = pc.or_(found, pc.match_substring_regex(values, pattern=_unfolding()))
            return pc.fill_null(found, False)
        if t.is_integer(values.type):
            return self._said(values.cast(pa.string()), column, text)
        plain = self._plain(column, values)
        return pa.array([mentions(value, wanted) for value in plain], pa.bool_())

    def _held(self, batch: Any, condition: Condition) -> Any:
        """Where a condition holds, or may hold."""
        import pyarrow as pa
        import pyarrow.compute as pc

        column = self._columns.get(condition.column)
        if column is None:
            return pa.array([condition.accepts(None)] * batch.num_rows, pa.bool_())
        values = batch.column(condition.column)
        if condition.operator == "null":
            return pc.is_null(values)
        if condition.operator == "filled":
            return pc.is_valid(values)
        if condition.operator == "contains":
            return self._said(values, column, condition.value)
        compared = _compared(values, condition)
        if compared is not None:
            return pc.fill_null(compared, False)
        plain = self._plain(column, values)
        return pa.array([condition.accepts(value) for value in plain], pa.bool_())


def _compared(values: Any, condition: Condition) -> Any:
    """The comparison where Arrow makes the same one; None where it would not."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as t

    compare = {
        "eq": pc.equal, "ne": pc.not_equal, "ge": pc.greater_equal, "le": pc.less_equal,
    }[condition.operator]  # fmt: skip
    if t.is_string(values.type) or t.is_large_string(values.type):
        return compare(values, pa.scalar(condition.value, values.type))
    number = number_in(condition.value)
    if not (t.is_integer(values.type) or t.is_floating(values.type)) or number is None:
        return None
    if condition.operator == "ne":  # rounding may make equal what is not
        return pc.is_valid(values)
    try:
        return compare(values.cast(pa.float64(), safe=False), float(number))
    except OverflowError:
        return None


def _places(mask: Any) -> list[int]:
    import pyarrow.compute as pc

    found: list[int] = pc.indices_nonzero(mask).to_pylist()
    return found


@cache
def _unfolding() -> str:
    """Any character that becomes several where case is ignored, as ß does: patterns that ignore
    case do not know them."""
    several = (chr(at) for at in range(sys.maxunicode + 1) if len(chr(at).casefold()) > 1)
    return f"[{''.join(map(re.escape, several))}]"
