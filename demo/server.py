"""The hub of the demo: the one that runs already, or one started for it."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType

from demo.console import Console, StepFailedError

ROOT = Path(__file__).resolve().parents[1]
START_LIMIT_SECONDS = 120


class Server:
    """A hub at `url`. As a context manager it stops what it has started."""

    def __init__(self) -> None:
        bind = os.environ.get("HUB_BIND", "127.0.0.1")
        port = os.environ.get("HUB_PORT", "8000")
        self.url = os.environ.get("PUBLIC_URL", f"http://{bind}:{port}")
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)

    def is_ready(self) -> bool:
        """Whether every part of the hub answers."""
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=5) as answer:  # noqa: S310
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def start(self, console: Console) -> None:
        """Use the hub that serves this port already, or start one and wait for it."""
        if self.is_ready():
            console.say(f"a hub runs already at {self.url}")
            return
        # Its own session: Ctrl-C reaches the demo, which then stops the hub in order.
        self.process = subprocess.Popen(
            [sys.executable, "-m", "hub.supervisor", "up"], cwd=ROOT, start_new_session=True
        )
        deadline = time.monotonic() + START_LIMIT_SECONDS
        while not self.is_ready():
            if self.process.poll() is not None:
                raise StepFailedError("the hub ended while starting; its lines above say why")
            if time.monotonic() > deadline:
                raise StepFailedError(f"the hub was not ready after {START_LIMIT_SECONDS} s")
            time.sleep(0.2)

    def wait(self) -> None:
        """Serve until the hub is stopped or Ctrl-C."""
        if self.process is None:
            return
        try:
            self.process.wait()
        except KeyboardInterrupt:
            return

    def manage(self, *arguments: str) -> str:
        """What `manage.py …` prints."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments], cwd=ROOT, capture_output=True, text=True
        )
        if done.returncode:
            raise StepFailedError(f"manage.py {arguments[0]}: {done.stderr.strip()[-400:]}")
        return done.stdout.strip()

    def person(self, name: str, full_name: str) -> Person:
        """An account with a fresh password and token; nothing has a default password."""
        password = secrets.token_urlsafe(12)
        token = self.manage(
            "ensure_user", name,
            "--full-name", full_name,
            f"--password={password}",  # it may begin with a dash
            "--token", "write",
        )  # fmt: skip
        return Person(name, password, token)


class Person:
    """Someone of the story."""

    def __init__(self, name: str, password: str, token: str) -> None:
        self.name, self.password, self.token = name, password, token
