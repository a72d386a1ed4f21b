"""A sandbox for one line of Python, and what came of it."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from training.sandbox import Exit, Limits, ReadOnly, Sandbox, python_inputs, runner_env

MIB = 1 << 20


@dataclass
class Outcome:
    exit: Exit
    lines: list[str] = field(default_factory=list)
    out: Path = Path()

    @property
    def printed(self) -> list[str]:
        return [line for line in self.lines if not line.startswith('{"type": "log"')]

    @property
    def logged(self) -> list[str]:
        return [json.loads(line)["text"] for line in self.lines if line not in self.printed]


@pytest.fixture
def limits() -> Limits:
    return Limits(
        wall_seconds=60, cpu_seconds=60, memory_bytes=512 * MIB, out_bytes=32 * MIB, processes=64
    )


@pytest.fixture
def inside(tmp_path: Path, limits: Limits) -> Callable[..., Outcome]:
    """Run Python code in a sandbox whose `out` is `tmp_path/out`."""

    def run(
        code: str, *, inputs: list[ReadOnly] | None = None, limits: Limits = limits,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Outcome:  # fmt: skip
        lines: list[str] = []
        sandbox = Sandbox(
            tmp_path, argv=[sys.executable, "-c", code], out=tmp_path / "out", limits=limits,
            inputs=[*python_inputs(), *(inputs or [])], env=runner_env(1),
        )  # fmt: skip
        ended = sandbox.run(lambda line: lines.append(line.decode()), should_stop)
        return Outcome(ended, lines, tmp_path / "out")

    return run
