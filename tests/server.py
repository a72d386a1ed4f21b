"""A whole hub for tests: the supervisor with its own data folder and port."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tests.warm import WarmInterpreter

_ROOT = Path(__file__).resolve().parents[1]
# Laid out once for all hubs that one process starts, as they are for all starts of one hub.
_STATIC_ROOT = _ROOT / ".cache" / "collected" / os.environ.get("PYTEST_XDIST_WORKER", "main")
# What this test run set for itself must not reach a hub of its own.
_OURS = ("DATABASE_URL", "BROKER_URL", "CACHE_URL", "SECRET_KEY", "STATICFILES_STORAGE", "DATA_DIR")
# What every command imports, for its checks too; each makes a connection of its own.
_LOAD_HUB = """
import os, sys
sys.path.insert(0, os.getcwd())
from hub.supervisor import Services
os.environ.update(Services.of_environment().environment())
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hub.config.settings")
import django
django.setup()
from django.core.checks import run_checks
run_checks()
"""


@dataclass
class HubServer:
    url: str
    data_dir: Path
    environment: dict[str, str]
    process: subprocess.Popen[bytes]

    def manage(self, *arguments: str) -> str:
        """What `manage.py …` prints on stdout."""
        done = self._commands.run(
            _ROOT / "manage.py", *arguments, environment=self.environment, folder=_ROOT, seconds=120
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    @cached_property
    def _commands(self) -> WarmInterpreter:
        return WarmInterpreter(sys.executable, _LOAD_HUB, cwd=_ROOT, env=self.environment)

    def person(self, name: str, **more: str) -> str:
        """Create a person and return a token of theirs; one with a password may sign in."""
        flags = [f"--{key}={value}" for key, value in more.items()]
        return self.manage("ensure_user", name, "--token=write", *flags)

    def end_commands(self) -> None:
        if "_commands" in vars(self):
            self._commands.end()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until_ready(url: str, process: subprocess.Popen[bytes], seconds: float = 90) -> None:
    """Return once `/readyz` says yes."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert process.poll() is None, "the hub ended while starting; see its log folder"
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=5) as response:  # noqa: S310
                if response.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            pass
        time.sleep(0.2)
    raise AssertionError("the hub did not become ready")


@contextmanager
def running_hub(data_dir: Path, **environment: str) -> Iterator[HubServer]:
    """Start a hub, wait until it answers, stop it at the end."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    env = {key: value for key, value in os.environ.items() if key not in _OURS}
    env |= {"DATA_DIR": str(data_dir), "HUB_PORT": str(port), "PYTHONUNBUFFERED": "1"}
    env |= {"FREE_DISK_RESERVE_BYTES": "1", "STATIC_ROOT": str(_STATIC_ROOT), **environment}
    with (data_dir.parent / f"{data_dir.name}.log").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "hub.supervisor", "up"],
            cwd=_ROOT,
            env=env,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    server = HubServer(url, data_dir, env, process)
    try:
        wait_until_ready(url, process)
        yield server
    finally:
        server.end_commands()
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
