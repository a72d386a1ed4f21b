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
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
# What this test run set for itself must not reach a hub of its own.
_OURS = ("DATABASE_URL", "BROKER_URL", "CACHE_URL", "SECRET_KEY", "STATICFILES_STORAGE", "DATA_DIR")


@dataclass
class HubServer:
    url: str
    data_dir: Path
    environment: dict[str, str]
    process: subprocess.Popen[bytes]

    def manage(self, *arguments: str) -> str:
        """What `manage.py …` prints on stdout."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=_ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def person(self, name: str, *, password: str = "correct horse battery", **more: str) -> str:
        """Create a person and return a token of theirs."""
        flags = [part for key, value in more.items() for part in (f"--{key}", value)]
        return self.manage(
            "ensure_user", name, f"--password={password}", "--token", "write", *flags
        )


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
    env |= {"FREE_DISK_RESERVE_BYTES": "1", **environment}
    with (data_dir.parent / f"{data_dir.name}.log").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "hub.supervisor", "up"],
            cwd=_ROOT,
            env=env,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until_ready(url, process)
        yield HubServer(url, data_dir, env, process)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
