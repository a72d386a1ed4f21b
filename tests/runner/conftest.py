"""The runner on a model of two million parameters, in this process or in one of its own."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from training.runner.events import Events
from training.runner.stopping import Stop

DATA = Path(__file__).parents[1] / "data"
TINY = DATA / "tiny-shakespeare-llama"
ROOT = Path(__file__).parents[2]

Event = dict[str, Any]


class Heard(Events):
    """Events, kept as the worker would read them."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO())

    @property
    def all(self) -> list[Event]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]  # type: ignore[attr-defined]

    def of(self, kind: str) -> list[Event]:
        return [event for event in self.all if event["type"] == kind]


@dataclass
class Ended:
    status: int
    events: list[Event]
    stderr: str

    def of(self, kind: str) -> list[Event]:
        return [event for event in self.events if event["type"] == kind]


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """Threads of so small a model wait for each other more than they work."""
    torch.set_num_threads(1)


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def stop() -> Stop:
    return Stop()


@pytest.fixture
def write_job(tmp_path: Path) -> Callable[..., Path]:
    def write(**job: Any) -> Path:
        path = tmp_path / "job.json"
        path.write_text(json.dumps({"out": str(tmp_path / "out"), **job}))
        return path

    return write


def run_process(job: Path, **kwargs: Any) -> Ended:
    """`python -m training.runner JOB`, to its end."""
    done = subprocess.run(
        [sys.executable, "-m", "training.runner", str(job)],
        capture_output=True, cwd=ROOT, timeout=200, env=process_env(), **kwargs,
    )  # fmt: skip
    events = [json.loads(line) for line in done.stdout.splitlines()]
    return Ended(done.returncode, events, done.stderr.decode())


def process_env() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "OMP_NUM_THREADS": "1"}


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def read_rows(name: str) -> list[dict[str, Any]]:
    """The rows of a file below tests/data."""
    return [json.loads(line) for line in (DATA / name).read_text().splitlines()]
