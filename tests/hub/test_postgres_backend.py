"""The database backend: plans that are kept, connections that are looked at before use."""

from __future__ import annotations

import psycopg
import pytest
from django.db import connection
from psycopg_pool import ConnectionPool

from hub.config.postgres.base import require_open
from hub.models import Repository
from hub.models.prepared import Prepared
from tests.factories import make_repository


def parameters() -> dict[str, object]:
    wanted = connection.get_connection_params()
    return {key: value for key, value in wanted.items() if key != "pool"} | {"autocommit": True}


def kept_plans() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement FROM pg_prepared_statements WHERE NOT from_sql")
        return [statement for (statement,) in cursor.fetchall()]


@pytest.mark.django_db
def test_postgres_keeps_one_plan_for_all_values_and_none_of_other_queries():
    rows = [make_repository() for _ in range(3)]
    named = Prepared(lambda name: Repository.objects.filter(name=name))
    for row in rows:
        assert [found.pk for found in named(name=row.name)] == [row.pk]
        assert Repository.objects.filter(name=row.name).exists()
    (plan,) = [text for text in kept_plans() if '"hub_repository"."name" = $' in text]
    assert rows[0].name not in plan


@pytest.mark.django_db
def test_what_a_kept_plan_was_asked_stands_in_the_log(django_assert_num_queries):
    row = make_repository()
    named = Prepared(lambda name: Repository.objects.filter(name=name))
    with django_assert_num_queries(1) as asked:
        named(name=row.name)
    assert f"'{row.name}'" in asked.captured_queries[0]["sql"]


@pytest.mark.django_db
def test_an_idle_connection_is_not_asked():
    with psycopg.connect(**parameters()) as raw:
        before = raw.info.backend_pid, _asked_last(raw)
        require_open(raw)
        assert (raw.info.backend_pid, _asked_last(raw)) == before


@pytest.mark.django_db
def test_a_connection_that_the_server_ended_is_not_handed_out():
    with ConnectionPool(
        kwargs=parameters(), min_size=1, max_size=1, check=require_open, open=True
    ) as pool:
        with pool.connection(timeout=20) as raw:
            first = raw.info.backend_pid
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [first])
        with pool.connection(timeout=20) as raw:
            assert raw.info.backend_pid != first
            assert raw.execute("SELECT 1").fetchone() == (1,)


def _asked_last(raw: psycopg.Connection) -> object:
    """When the server heard of this connection for the last time, told by another one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT query_start, query FROM pg_stat_activity WHERE pid = %s",
            [raw.info.backend_pid],
        )
        return cursor.fetchone()
