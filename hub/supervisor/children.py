"""Child processes that live no longer than the supervisor, and what is left of earlier ones."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from signal import Signals

import psutil

from hub.supervisor.errors import ChildEndedError
from hub.supervisor.forks import Fork, follow, fork

LOG_LIMIT_BYTES = 8 * 1024 * 1024
# Restart at once, then wait longer; the fifth end within a minute is one too many.
BACKOFF_SECONDS = (0.0, 0.25, 0.5, 1.0)
ENDS_BEFORE_GIVING_UP = 5
ENDS_WINDOW_SECONDS = 60.0


@dataclass(frozen=True)
class Process:
    """One long-running program: how to start it, know it ready, and end it.

    It is what `argv` names, or `call` in a fork of the supervisor.
    """

    name: str
    argv: Sequence[str] = ()
    call: Callable[[], object] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    is_ready: Callable[[], bool] = lambda: True
    before_start: Callable[[], None] = lambda: None
    stop_signal: Signals = signal.SIGTERM
    # Sent by the kernel when the supervisor is killed: the quickest end that loses nothing.
    orphan_signal: Signals = signal.SIGTERM
    stop_seconds: float = 10.0


def spawn(process: Process, log_folder: Path) -> "subprocess.Popen[bytes] | Fork":
    """Start `process` in a session of its own, its output appended to its log.

    The kernel ends it when the thread that called this ends.
    """
    parent, log = os.getpid(), log_folder / f"{process.name}.log"
    orphan_signal = int(process.orphan_signal)
    if process.call:
        return fork(
            process.name, process.call, environment=process.environment, log=log,
            orphan_signal=orphan_signal,
        )  # fmt: skip
    with log.open("ab") as output:
        return subprocess.Popen(
            list(process.argv),
            env={**os.environ, **process.environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=lambda: follow(parent, orphan_signal),
        )


def log_tail(log: Path, lines: int = 5) -> str:
    """The last lines of a log, for a person; empty when there are none."""
    with contextlib.suppress(OSError), log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 8192))
        text = file.read().decode(errors="replace").rstrip()
        return "\n".join(f"    {line}" for line in text.splitlines()[-lines:])
    return ""


def bound_log(log: Path, limit_bytes: int = LOG_LIMIT_BYTES) -> None:
    """Move a log past its limit to `.1` by copy and cut, since its writer keeps it open."""
    try:
        if log.stat().st_size <= limit_bytes:
            return
        with log.open("rb") as source, log.with_name(f"{log.name}.1").open("wb") as older:
            while block := source.read(1 << 20):
                older.write(block)
        os.truncate(log, 0)
    except OSError:
        return  # a full disk must not end the supervisor


class Child:
    """A process that is started again when it ends, until it ends too often."""

    def __init__(self, process: Process, *, run_folder: Path, log_folder: Path) -> None:
        self.process = process
        self.log = log_folder / f"{process.name}.log"
        self.record = run_folder / f"{process.name}.pid"
        self.popen: subprocess.Popen[bytes] | Fork | None = None
        self.starts = 0
        self.started_at = 0.0
        self._ends: list[float] = []
        self._restart_at: float | None = None

    @property
    def name(self) -> str:
        return self.process.name

    @property
    def pid(self) -> int | None:
        return self.popen.pid if self.popen else None

    def start(self) -> None:
        end_recorded(self.record)
        self.process.before_start()
        self.popen = spawn(self.process, self.log.parent)
        self.starts += 1
        self.started_at = time.time()
        self._restart_at = None
        _write_record(self.record, self.popen.pid)

    def is_ready(self) -> bool:
        return self.popen is not None and self.process.is_ready()

    def check(self) -> bool:
        """Notice an end and start again when it is time. True when it has just ended.

        Raises: ChildEndedError when it has ended too often.
        """
        if self.popen is not None and self._reap():
            self._plan_restart()
            return True
        if self._restart_at is not None and time.monotonic() >= self._restart_at:
            self.start()
        return False

    def seconds_to_restart(self) -> float | None:
        """How long until this child wants a `check`, or None while it runs."""
        if self._restart_at is None:
            return None
        return max(0.0, self._restart_at - time.monotonic())

    def ask_to_stop(self) -> None:
        self._restart_at = None
        self._signal(self.process.stop_signal)

    def say_last_word(self) -> None:
        self._signal(self.process.orphan_signal)

    def _signal(self, number: Signals) -> None:
        # Not by its `send_signal`, which waits for what has ended already: `_reap` alone does that.
        if self.popen is not None:
            os.kill(self.popen.pid, number)

    def has_stopped(self) -> bool:
        return self.popen is None or self._reap()

    def kill(self) -> None:
        if self.popen is not None:
            _kill_group(self.popen.pid)
            self.popen.wait()
            self._forget()

    def _reap(self) -> bool:
        """True when the process has ended; the rest of its group ends with it."""
        assert self.popen is not None  # noqa: S101 callers have looked
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        if os.waitid(os.P_PID, self.popen.pid, options) is None:
            return False
        # Not reaped yet, so the number still names this group and no other.
        _kill_group(self.popen.pid)
        self.popen.wait()
        self._forget()
        return True

    def _forget(self) -> None:
        self.popen = None
        self.record.unlink(missing_ok=True)

    def _plan_restart(self) -> None:
        now = time.monotonic()
        self._ends = [end for end in self._ends if now - end < ENDS_WINDOW_SECONDS] + [now]
        if len(self._ends) >= ENDS_BEFORE_GIVING_UP:
            raise ChildEndedError(
                f"{self.name} ended {len(self._ends)} times within a minute; its log is {self.log} "
                f"and ends with:\n{log_tail(self.log)}"
            )
        self._restart_at = now + BACKOFF_SECONDS[len(self._ends) - 1]


def _kill_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def _started_ticks(pid: int) -> str:
    """When a process started, in clock ticks since boot: with its number, its identity."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]


def _write_record(record: Path, pid: int) -> None:
    record.write_text(f"{pid} {_started_ticks(pid)}\n")


def end_recorded(record: Path, patience_seconds: float = 5.0) -> None:
    """End the process that an earlier supervisor recorded, if that very process still lives.

    It has had its death signal already, so it gets a moment first.
    """
    try:
        pid, ticks = record.read_text().split()
        process = psutil.Process(int(pid))
        if _started_ticks(process.pid) == ticks:
            process.wait(timeout=patience_seconds)
    except psutil.TimeoutExpired:
        _kill_group(process.pid)
    except (OSError, ValueError, psutil.NoSuchProcess):
        pass  # no record, or nobody left under that number
    record.unlink(missing_ok=True)
