"""The database backend: what it adds to Django's is about journeys to the server alone."""

from __future__ import annotations

import select
from typing import Any

import psycopg
from django.db.backends.postgresql import base
from django.db.backends.utils import CursorWrapper
from psycopg_pool import ConnectionPool


class DatabaseOperations(base.DatabaseOperations):
    """Knows what a `KeptCursor` has asked, for logs and tests."""

    def last_executed_query(self, cursor: Any, sql: Any, params: Any) -> Any:
        if isinstance(cursor, KeptCursor):
            return self.compose_sql(sql, params)
        return super().last_executed_query(cursor, sql, params)


class DatabaseWrapper(base.DatabaseWrapper):
    """Postgres, asked by plans that it keeps where the same query comes again."""

    ops_class = DatabaseOperations

    @property
    def pool(self) -> ConnectionPool | None:
        """As Django's, but an idle connection is looked at, not asked: that was one journey in
        five of a page."""
        options = self.settings_dict["OPTIONS"].get("pool")
        if self.alias == base.NO_DB_ALIAS or not options:
            return None
        if self.alias not in self._connection_pools:
            pool = ConnectionPool(
                kwargs=self.get_connection_params() | {"autocommit": True},
                open=False,
                configure=self._configure_connection,
                check=require_open,
                **options,
            )
            self._connection_pools.setdefault(self.alias, pool)  # the first of all threads
        return self._connection_pools[self.alias]

    def kept_cursor(self) -> CursorWrapper:
        """A cursor whose queries Postgres plans once a connection: their text must be constant,
        their values are parameters."""
        self.close_if_health_check_failed()
        self.ensure_connection()
        with self.wrap_database_errors:
            connection: Any = self.connection
            factory, connection.cursor_factory = connection.cursor_factory, KeptCursor
            try:
                return self._prepare_cursor(self.create_cursor())
            finally:
                connection.cursor_factory = factory


class KeptCursor(base.ServerBindingCursor):
    """Keeps the plan of each text that it executes, from the first time on."""

    def execute(self, query: Any, params: Any = None, **options: Any) -> KeptCursor:
        # Django turns keeping off for the connection: else every text that passes would be counted.
        self.connection.prepare_threshold = 0
        try:
            return super().execute(query, params, **options)
        finally:
            self.connection.prepare_threshold = None


def require_open(connection: psycopg.Connection[Any]) -> None:
    """Raises: psycopg.OperationalError when the server has ended an idle connection.

    A connection on which nothing has arrived is open as far as anybody can know without asking.
    """
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    if poll.poll(0):  # its end, or a notice: asking tells
        ConnectionPool.check_connection(connection)
