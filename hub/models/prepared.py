"""Queries that are compiled once, by Django and by Postgres: of a page's small queries most of the
time is spent on writing and planning the same SQL again (decision 31)."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.db.models import F, Func, IntegerField, QuerySet
from django.db.models.expressions import RawSQL
from django.db.models.sql import Query
from django.db.models.sql.compiler import SQLCompiler

Row = TypeVar("Row")
Value = str | int | Sequence[int]
_NO_ID = -2_000_000_000  # what no row has, and what every integer column could hold


class Prepared(Generic[Row]):
    """The rows of a query whose SQL is the same for all values that it may be asked with.

    `build` makes the query set from keyword values, each a text, an integer or, for `each_of`, a
    list of integers; they become parameters as they are, so its shape may depend on which are
    given, not on what they are. It is called once for each set of names, with stand-ins.
    """

    def __init__(self, build: Callable[..., QuerySet[Any, Row]]) -> None:
        self._build = build
        self._plans: dict[frozenset[str], _Plan] = {}

    def __call__(self, **values: Value) -> list[Row]:
        names = frozenset(values)
        plan = self._plans.get(names)
        if plan is None:
            plan = self._plans[names] = _Plan(self._build, values)
        return plan.rows(values)


def each_of(keys: Sequence[int]) -> RawSQL:
    """For `__in`: `keys` as one parameter, however many they are."""
    return RawSQL("SELECT unnest(%s::bigint[])", [keys])


def counted(rows: QuerySet[Any, Any]) -> QuerySet[Any, int]:
    """How many there are as a query set of one number, which `count` is not."""
    # No aggregate to Django, which would group by something and say nothing of no rows.
    total = Func(F("pk"), function="COUNT", output_field=IntegerField())
    return rows.order_by().values_list(total, flat=True)


class _Plan:
    def __init__(self, build: Callable[..., QuerySet[Any, Any]], values: dict[str, Value]) -> None:
        stand_ins = {
            name: _stand_in(name, place, value)
            for place, (name, value) in enumerate(values.items())
        }
        self._rows = build(**stand_ins)
        self._compiler = self._rows.query.get_compiler(connection=connection)
        self._sql, parameters = self._compiler.as_sql()
        columns = [each for each, *_more in self._compiler.select[: self._compiler.col_count]]
        self._converters = self._compiler.get_converters(columns)
        self._parameters = [(_name_of(each, stand_ins), each) for each in parameters]
        missing = set(values) - {name for name, _each in self._parameters}
        if missing:
            raise ValueError(f"The query does not hold {missing}: its shape depends on them.")

    def rows(self, values: dict[str, Value]) -> list[Any]:
        parameters = tuple(
            each if name is None else _plain(values[name]) for name, each in self._parameters
        )
        compiler = copy.copy(self._compiler)
        compiler.connection = _Kept()
        compiler.as_sql = lambda *_a, **_k: (self._sql, parameters)
        compiler.get_converters = lambda *_a, **_k: self._converters
        rows = self._rows.all()
        # Its setter would take a list of values for a mapping.
        rows._query = _Compiled(compiler, rows.query)  # type: ignore[attr-defined]
        return list(rows)


class _Kept:
    """The connection of this thread, asked through cursors for which Postgres keeps its plans."""

    def cursor(self) -> CursorWrapper:
        return connection.kept_cursor()  # type: ignore[attr-defined]

    def __getattr__(self, name: str) -> Any:
        return getattr(connection, name)


class _Compiled(Query):
    """Only has a compiler; everything else is as in the query that was compiled."""

    def __init__(self, compiler: SQLCompiler, query: Query) -> None:
        self.__dict__.update(query.__dict__)
        self._compiler = compiler

    def get_compiler(self, *_args: Any, **_more: Any) -> SQLCompiler:
        return self._compiler


def _stand_in(name: str, place: int, value: Value) -> Value:
    if isinstance(value, str):
        return f"\N{WHITE SQUARE}{name}"
    return _NO_ID - place if isinstance(value, int) else [_NO_ID - place]


def _name_of(parameter: object, stand_ins: dict[str, Value]) -> str | None:
    found = (name for name, stand_in in stand_ins.items() if stand_in == parameter)
    return next(found, None)


def _plain(value: Value) -> Value:
    """A member of an enumeration as the column keeps it."""
    if isinstance(value, str):
        return str.__str__(value)
    return int(value) if isinstance(value, int) else list(value)
