"""The supervisor keeps a hub up, takes it down, and leaves nothing in the way of the next start."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import valkey

from hub.supervisor import Services
from tests.supervisor.conftest import ROOT, Hub, until

pytestmark = [pytest.mark.drill, pytest.mark.xdist_group("supervisor")]

# A supervisor that ends while a child that it has forked has not run yet.
HOLD_AND_FORK = """
import os, sys, time
from pathlib import Path
from hub.supervisor.folder import DataFolder
with DataFolder(Path(sys.argv[1])).hold("the hub at nowhere"):
    if os.fork() == 0:
        time.sleep(3)
    os._exit(0)
"""


def until_replaced(hub: Hub, name: str, before: int) -> None:
    """Wait for another process under that name, or for the hub to have given up."""
    until(lambda: hub.process.poll() is not None or hub.pids().get(name) not in (None, before))


@pytest.mark.parametrize("name", ["postgres", "valkey", "web", "nginx", "worker-cpu", "beat"])
def test_a_killed_child_is_started_again(standing_hub, name):
    before = standing_hub.pids()[name]
    os.kill(before, signal.SIGKILL)
    began = time.monotonic()
    until_replaced(standing_hub, name, before)
    until(lambda: standing_hub.get("/database") is not None, 20)
    sys.stdout.write(f"{name} back after {time.monotonic() - began:.2f} s\n")
    until(lambda: not psutil.pid_exists(before), 5)
    assert f"{name} ended unexpectedly and is started again" in standing_hub.said()


def test_a_task_runs_after_every_part_was_killed(standing_hub):
    code = (
        "from tests.supervisor.standin import remember; remember.apply_async(('k',), queue='gpu')"
    )
    services = Services(standing_hub.data_dir, {})
    environment = {**standing_hub.environment, **services.environment()}
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, check=True)
    cache = valkey.from_url(services.environment()["CACHE_URL"])
    until(lambda: cache.get("k") == b"done", 20)
    cache.close()


def test_a_second_start_says_who_runs(standing_hub):
    refused = standing_hub.command("up")
    assert refused.returncode == 1
    assert f"already running, process {standing_hub.process.pid}" in refused.stderr


def test_status_names_every_process(standing_hub):
    status = standing_hub.command("status")
    assert status.returncode == 0
    assert all(name in status.stdout for name in standing_hub.pids())


def test_forked_processes_are_named_and_hold_nothing_of_the_supervisor(standing_hub):
    lock = str(Services(standing_hub.data_dir, {}).data.lock)
    for name in ("web", "beat", "worker-cpu", "worker-webhooks"):
        process = psutil.Process(standing_hub.pids()[name])
        assert process.name() == name
        assert process.ppid() == standing_hub.process.pid
        files = Path(f"/proc/{process.pid}/fd").iterdir()
        assert lock not in {str(one.readlink()) for one in files}


def test_code_that_does_not_load_stops_the_start_and_is_shown(make_hub):
    hub = make_hub()
    assert hub.launch(STANDIN_CELERY="tests.supervisor.nowhere:app").wait(60) == 1
    assert "The hub's code cannot be loaded: No module named" in hub.said()
    assert hub.living() == []


def test_down_stops_everything_wherever_it_runs(make_hub):
    hub = make_hub()
    hub.start()
    down = hub.command("down")
    assert (down.returncode, hub.process.wait(5)) == (0, 0)
    assert hub.living() == []
    assert hub.command("status").returncode == 3
    assert "No hub runs" in hub.command("down").stdout


def test_a_killed_supervisor_leaves_nothing_and_blocks_nothing(make_hub):
    hub = make_hub()
    hub.start()
    os.kill(hub.process.pid, signal.SIGKILL)
    hub.process.wait()
    # At once: the next start itself waits for what is still ending.
    seconds = hub.start()
    sys.stdout.write(f"up again after {seconds:.2f} s\n")
    os.kill(hub.process.pid, signal.SIGKILL)
    hub.process.wait()
    until(lambda: hub.living() == [])


def test_a_lock_that_a_child_of_the_dead_still_has_is_waited_for(make_hub):
    hub = make_hub()
    command = [sys.executable, "-c", HOLD_AND_FORK, str(hub.data_dir)]
    subprocess.run(command, cwd=ROOT, check=True)
    hub.start()
    assert hub.stop() == 0


def test_everything_killed_at_once_blocks_nothing(make_hub):
    hub = make_hub()
    hub.start()
    for process in [hub.process, *hub.living()]:
        os.kill(process.pid, signal.SIGKILL)
    hub.process.wait()
    until(lambda: hub.living() == [])
    assert (hub.data_dir / "postgres" / "postmaster.pid").exists()
    # The number in it now names a process that lives and is no Postgres.
    pid_file = hub.data_dir / "postgres" / "postmaster.pid"
    pid_file.write_text(pid_file.read_text().replace(pid_file.read_text().split()[0], "1", 1))
    hub.start()
    assert hub.stop() == 0


def test_a_port_in_use_is_named(make_hub):
    hub = make_hub()
    with socket.create_server(("127.0.0.1", hub.port)):
        assert hub.launch().wait(30) == 1
    assert f"Port {hub.port} is in use" in hub.said()
    assert hub.living() == []


def test_a_long_data_folder_has_its_sockets_elsewhere(make_hub):
    hub = make_hub("long-" + "x" * 120)
    hub.start()
    assert not list((hub.data_dir / "run").glob("*.sock"))
    assert hub.stop() == 0


def test_a_child_that_ends_again_and_again_stops_the_hub(make_hub):
    hub = make_hub()
    hub.start()
    for _ in range(5):
        before = hub.pids()["beat"]
        os.kill(before, signal.SIGKILL)
        until_replaced(hub, "beat", before)
    assert hub.process.wait(30) == 1
    assert "beat ended 5 times within a minute" in hub.said()
    assert hub.living() == []


def test_a_failed_migration_stops_the_start_and_is_shown(make_hub):
    hub = make_hub()
    assert hub.launch(STANDIN_MIGRATE="raise SystemExit('no such column')").wait(60) == 1
    assert "migrate failed with status 1" in hub.said()
    assert "no such column" in hub.said()
    assert hub.living() == []


def test_without_a_front_the_web_server_listens_itself(make_hub):
    hub = make_hub()
    hub.start(FRONT="none")
    assert "nginx" not in hub.pids()
    assert hub.stop() == 0
