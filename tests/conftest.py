"""Fixtures that every kind of test uses."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client

from tests.factories import make_token
from tests.flushing import flush_by_deleting
from tests.outgoing.receiver import Receiver, receiving
from tests.server import HubServer, running_hub


def pytest_configure() -> None:
    """Passwords of tests need not withstand anybody; what tests commit is deleted quickly."""
    flush_by_deleting()
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests that share something slow to make go to one worker of pytest-xdist.

    The workers begin with the largest groups and go on with the drills, which are long, so none
    waits at the end for another's.
    """
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: item.get_closest_marker("drill") is None)
    for item in items:
        if "hub_server" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("hub"))
        elif item.get_closest_marker("real_model"):
            item.add_marker(pytest.mark.xdist_group("real-model"))


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """End sessions that a thread of some test left behind: Postgres drops no database in use."""
    yield
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT query, pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        sys.stderr.write("".join(f"left open: {query}\n" for query, _ in cursor.fetchall()))


@pytest.fixture
def client_for() -> Callable[..., Client]:
    """A browser signed in as `user`; anonymous for None."""

    def sign_in(user: Any = None) -> Client:
        client = Client(headers={"accept": "text/html"})
        if user is not None:
            client.force_login(user)
        return client

    return sign_in


@pytest.fixture
def api_for() -> Callable[..., Client]:
    """An API client with a token of `user`; anonymous for None."""

    def with_token(user: Any = None, **token: Any) -> Client:
        if user is None:
            return Client()
        return Client(headers={"authorization": f"Bearer {make_token(user, **token)}"})

    return with_token


@pytest.fixture(scope="session")
def hub_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubServer]:
    """A whole hub of this session's own, as `make up` starts it."""
    # Webhooks of tests are heard on loopback, which no hub sends to unless it is told to.
    # People of tests make their own accounts with an invitation.
    variables = {"OUTGOING_ALLOWED": "127.0.0.1", "SIGN_UP": "invite"}
    with running_hub(tmp_path_factory.mktemp("hub"), **variables) as server:
        yield server


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    """A server on loopback, which the hub may send to."""
    settings.OUTGOING_ALLOWED = ["127.0.0.1"]
    with receiving() as server:
        yield server
