"""Services for commands and for tests: shared with whoever has them, started where nobody has."""

import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from hub.supervisor import Services, SupervisorError, ensure_services, throwaway_cluster
from hub.supervisor.errors import DatabaseVersionError
from tests.supervisor.conftest import ROOT

# Holds the services until a line arrives on stdin.
HOST = """
import sys
from pathlib import Path
from hub.supervisor import ensure_services
with ensure_services(Path(sys.argv[1]), {}) as session:
    print(session.started_here, flush=True)
    sys.stdin.readline()
"""


def database_of(url: str) -> str:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT current_database(), 'É' ILIKE 'é'").fetchone()
    assert row is not None
    assert row[1] is True
    return row[0]


def test_a_command_without_a_hub_has_services_of_its_own(tmp_path):
    with ensure_services(tmp_path, {}) as session:
        assert session.started_here
        url = session.environment["DATABASE_URL"]
        assert database_of(url) == "weighbridge"
    with pytest.raises(psycopg.OperationalError):
        database_of(url)
    key = tmp_path / "secret_key"
    assert (key.stat().st_mode & 0o777, len(key.read_text()) > 50) == (0o600, True)


def test_commands_at_once_share_and_the_first_waits_for_the_last(tmp_path):
    argv = [sys.executable, "-c", HOST, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": ROOT}
    with subprocess.Popen(argv, **pipes) as host:
        assert host.stdout.readline().strip() == "True"
        with ensure_services(tmp_path, {}) as guest:
            assert not guest.started_here
            host.stdin.write("\n")
            host.stdin.flush()
            with pytest.raises(subprocess.TimeoutExpired):
                host.wait(1)
            assert database_of(guest.environment["DATABASE_URL"]) == "weighbridge"
        assert host.wait(20) == 0


@pytest.mark.stack
def test_a_command_beside_a_hub_uses_its_services(make_hub):
    hub = make_hub()
    hub.start()
    with ensure_services(hub.data_dir, {}) as session:
        assert not session.started_here
        assert database_of(session.environment["DATABASE_URL"]) == "weighbridge"


def test_services_that_others_run_are_not_started(tmp_path):
    with throwaway_cluster(tmp_path / "theirs") as url:
        named = {
            "DATABASE_URL": url,
            "BROKER_URL": "redis://broker.example/0",
            "DATA_DIR": str(tmp_path / "ours"),
        }
        services = Services.of_environment(named)
        assert services.processes() == []
        assert services.environment()["CACHE_URL"] == "redis://broker.example/1"
        with ensure_services(tmp_path / "ours", named) as session:
            assert session.environment["DATABASE_URL"] == url
    assert not (tmp_path / "ours" / "postgres").exists()


def test_a_broker_without_a_cache_gets_one(tmp_path):
    named = {"DATABASE_URL": "postgresql://db.example/x", "BROKER_URL": "amqp://rabbit.example"}
    services = Services(tmp_path, named)
    assert [process.name for process in services.processes()] == ["valkey"]
    assert services.environment()["BROKER_URL"] == "amqp://rabbit.example"
    assert services.environment()["CACHE_URL"].startswith("unix://")


def test_its_own_environment_names_no_other_services(tmp_path):
    services = Services(tmp_path, {})
    again = Services(tmp_path, services.environment())
    assert [p.name for p in again.processes()] == ["postgres", "valkey"]
    assert again.environment() == services.environment()


def test_data_of_another_postgres_is_left_alone(tmp_path):
    services = Services(tmp_path, {})
    services.prepare()
    version = tmp_path / "postgres" / "PG_VERSION"
    version.write_text("17\n")
    with pytest.raises(DatabaseVersionError, match="upgrade-database --data-dir"):
        services.prepare()


@pytest.mark.parametrize("name", ["a$b", 'a"b', "a b{c}", "a;b"])
def test_a_folder_that_would_be_misread_is_refused(tmp_path, name):
    with pytest.raises(SupervisorError, match="choose a folder without it"):
        Services(tmp_path / name, {})


def test_a_socket_folder_of_someone_else_is_refused(tmp_path):
    services = Services(tmp_path / ("x" * 120), {})
    sockets = services.data.sockets
    sockets.mkdir(mode=0o755)
    try:
        with pytest.raises(SupervisorError, match="not a folder of yours alone"):
            services.prepare()
    finally:
        sockets.rmdir()


def test_an_initialisation_cut_short_is_begun_again(tmp_path):
    services = Services(tmp_path, {})
    services.data.prepare()
    draft = tmp_path / "postgres.new"
    draft.mkdir()
    (draft / "half").write_text("")
    services.prepare()
    assert Path(tmp_path / "postgres" / "PG_VERSION").exists()
    assert not draft.exists()


def test_an_upgrade_cut_short_at_its_end_keeps_the_data(tmp_path):
    with ensure_services(tmp_path, {}) as session:
        url = session.environment["DATABASE_URL"]
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
    (tmp_path / "postgres").rename(tmp_path / "postgres.upgraded")
    with ensure_services(tmp_path, {}), psycopg.connect(url) as connection:
        assert connection.execute("SELECT number FROM kept").fetchone() == (7,)
