"""Real brokers that the hub did not start: reached by TCP, with a password."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hub.supervisor import throwaway_cluster
from hub.supervisor.programs import valkey_program
from tests.server import free_port

READY_SECONDS = 60


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "/stack/" in str(item.path):
            item.add_marker(pytest.mark.stack)
            item.add_marker(pytest.mark.xdist_group("stack"))  # whole hubs, one after the other


@pytest.fixture
def database_url(tmp_path: Path) -> Iterator[str]:
    """A Postgres of somebody else."""
    with throwaway_cluster(tmp_path / "elsewhere") as url:
        yield url


@pytest.fixture(params=["valkey", "rabbitmq"])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, str]]:
    """BROKER_URL and CACHE_URL of servers that somebody else runs."""
    with external_valkey(tmp_path / "valkey") as valkey_url:
        if request.param == "valkey":
            yield {"BROKER_URL": f"{valkey_url}/0", "CACHE_URL": f"{valkey_url}/1"}
            return
        with external_rabbitmq(tmp_path / "rabbitmq") as amqp_url:
            yield {"BROKER_URL": amqp_url, "CACHE_URL": f"{valkey_url}/1"}


@contextmanager
def external_valkey(folder: Path) -> Iterator[str]:
    """The URL of a Valkey behind TCP and a password."""
    folder.mkdir()
    port, password = free_port(), secrets.token_hex(16)
    configuration = folder / "valkey.conf"
    configuration.write_text(
        f"port {port}\nbind 127.0.0.1\ndir {folder}\nsave ''\nrequirepass {password}\n"
    )
    with _running([str(valkey_program()), str(configuration)], folder, dict(os.environ)):
        _wait_for_port(port)
        yield f"redis://:{password}@127.0.0.1:{port}"


@contextmanager
def external_rabbitmq(folder: Path) -> Iterator[str]:
    """The URL of a RabbitMQ with its data in `folder`; skips where its program is not installed."""
    program = shutil.which("rabbitmq-server") or "/usr/lib/rabbitmq/bin/rabbitmq-server"
    if not Path(program).exists():
        pytest.skip("rabbitmq-server is not installed: sudo apt-get install -y rabbitmq-server")
    folder.mkdir()
    port = free_port()
    environment = {
        **os.environ,
        "HOME": str(folder),
        "RABBITMQ_NODENAME": f"weighbridge{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_BASE": str(folder),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder),
        "RABBITMQ_PID_FILE": str(folder / "pid"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
    }
    with _running([program], folder, environment):
        _wait_for_port(port)
        yield f"amqp://guest:guest@127.0.0.1:{port}//"


@contextmanager
def _running(argv: list[str], folder: Path, environment: dict[str, str]) -> Iterator[None]:
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            argv, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def _wait_for_port(port: int) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"nothing listens at port {port} after {READY_SECONDS} s")
