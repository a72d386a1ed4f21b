"""A supervisor with the stand-in application, as its own process on its own port and folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.server import free_port

ROOT = Path(__file__).resolve().parents[2]
# What the test run set for itself: external services, and settings that Celery would load.
OURS = (
    *("DATABASE_URL", "BROKER_URL", "CACHE_URL", "SECRET_KEY", "DATA_DIR", "PUBLIC_URL", "FRONT"),
    "DJANGO_SETTINGS_MODULE",
)
SECONDS_TO_START = 60


class Hub:
    """One supervised stand-in; `start` may be called again after it has ended."""

    def __init__(self, data_dir: Path, port: int) -> None:
        self.data_dir = data_dir
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        environment = {key: value for key, value in os.environ.items() if key not in OURS}
        self.environment = {**environment, "DATA_DIR": str(data_dir), "HUB_PORT": str(port)}
        self.output = data_dir.parent / f"{data_dir.name[:20]}.out"
        self.process: subprocess.Popen[bytes] | None = None

    def launch(self, **environment: str) -> subprocess.Popen[bytes]:
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.supervisor.standin"],
                cwd=ROOT,
                env={**self.environment, **environment},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        return self.process

    def start(self, **environment: str) -> float:
        """Start, wait for a page that has asked the database, and say how long that took."""
        began = time.monotonic()
        process = self.launch(**environment)
        until(lambda: process.poll() is not None or self.get("/database") is not None)
        assert process.poll() is None, self.said()
        until(lambda: "workers started" in self.said())
        return time.monotonic() - began

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "hub.supervisor", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def said(self) -> str:
        return self.output.read_text()

    def get(self, path: str) -> bytes | None:
        """The body of a page, or None when it is not to be had."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=5) as response:  # noqa: S310
                body: bytes = response.read()
                return body
        except OSError:
            return None

    def pids(self) -> dict[str, int | None]:
        """Each process' number by name, None between two lives; empty when nothing is up."""
        try:
            rows = json.loads((self.data_dir / "run" / "status.json").read_text())
        except FileNotFoundError:
            return {}
        return {row["name"]: row["pid"] for row in rows}

    def living(self) -> list[psutil.Process]:
        """Every process that was started for this data folder and still lives."""
        found = []
        for process in psutil.process_iter():
            try:
                ours = process.environ().get("DATA_DIR") == str(self.data_dir)
                if ours and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


def until(holds: Callable[[], bool], seconds: float = SECONDS_TO_START) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not true within {seconds} s"
        time.sleep(0.05)


@pytest.fixture
def make_hub(tmp_path: Path) -> Iterator[Callable[..., Hub]]:
    """Hubs on folders below `tmp_path`; whatever is left of them is killed at the end."""
    made: list[Hub] = []

    def make(name: str = "data", port: int | None = None) -> Hub:
        made.append(Hub(tmp_path / name, port or free_port()))
        return made[-1]

    yield make
    for hub in made:
        if hub.process and hub.process.poll() is None:
            hub.stop()
        for process in hub.living():
            process.kill()


@pytest.fixture(scope="module")
def standing_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """One hub that all tests of a module share."""
    hub = Hub(tmp_path_factory.mktemp("standing") / "data", free_port())
    hub.start()
    yield hub
    hub.stop()
