"""Several children kept alive together by one thread, which also hears the signals to stop."""

import contextlib
import json
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from hub.supervisor.children import Child, Process, bound_log, log_tail
from hub.supervisor.errors import ChildEndedError
from hub.supervisor.folder import DataFolder

STOP_SIGNALS = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
LOG_CHECK_SECONDS = 5.0
LAST_WORD_SECONDS = 5.0


class StopRequested(Exception):
    """Somebody asked the supervisor to stop: Ctrl-C, `down`, a closed terminal."""


class Group:
    """The children of one supervisor, started in stages and stopped in the opposite order."""

    def __init__(self, data: DataFolder, say: Callable[[str], None] = lambda line: None) -> None:
        self._data = data
        self._say = say
        self._stages: list[list[Child]] = []

    @property
    def children(self) -> list[Child]:
        return [child for stage in self._stages for child in stage]

    def start(self, processes: Sequence[Process], *, within_seconds: float = 60.0) -> None:
        """Start one stage and return when every process of it is ready.

        Raises: ChildEndedError when one ends too often or is not ready in time; StopRequested.
        """
        folders = {"run_folder": self._data.run, "log_folder": self._data.log}
        stage = [Child(process, **folders) for process in processes]
        self._stages.append(stage)
        for child in stage:
            child.start()
        self._write_status()
        self.wait_until_ready(stage, within_seconds)

    def wait_until_ready(self, stage: Sequence[Child], within_seconds: float) -> None:
        waiting, deadline = list(stage), time.monotonic() + within_seconds
        while waiting := [child for child in waiting if not child.is_ready()]:
            if time.monotonic() > deadline:
                slow = waiting[0]
                raise ChildEndedError(
                    f"{slow.name} was not ready within {within_seconds:.0f} s; its log is "
                    f"{slow.log} and ends with:\n{log_tail(slow.log)}"
                )
            self.wait(0.05)

    def run(self) -> None:
        """Keep all children alive until somebody asks to stop (StopRequested)."""
        while True:
            for child in self.children:
                bound_log(child.log)
            bound_log(self._data.log / "access.log")
            self.wait(LOG_CHECK_SECONDS)

    def wait(self, seconds: float) -> None:
        """Sleep until a signal, a restart that is due, or `seconds`; then see to the children."""
        due = [child.seconds_to_restart() for child in self.children]
        seconds = min([seconds, *(delay for delay in due if delay is not None)])
        heard = signal.sigtimedwait({*STOP_SIGNALS, signal.SIGCHLD}, seconds)
        if heard and heard.si_signo in STOP_SIGNALS:
            raise StopRequested(signal.Signals(heard.si_signo).name)
        for child in self.children:
            starts = child.starts
            if child.check():
                self._say(f"{child.name} ended unexpectedly and is started again")
            if child.starts != starts:
                self._write_status()

    def stop(self) -> None:
        """Stop the newest stage first; each child gets its time, a last word, then is killed."""
        while self._stages:
            stage = self._stages.pop()
            for child in stage:
                child.ask_to_stop()
            if not self._ended(stage, max(child.process.stop_seconds for child in stage)):
                for child in stage:
                    child.say_last_word()
                self._ended(stage, LAST_WORD_SECONDS)
            for child in stage:
                child.kill()
        self._status_file().unlink(missing_ok=True)

    def _ended(self, stage: Sequence[Child], within_seconds: float) -> bool:
        deadline = time.monotonic() + within_seconds
        while not all([child.has_stopped() for child in stage]):  # noqa: C419 asks every one
            if time.monotonic() > deadline:
                return False
            signal.sigtimedwait({signal.SIGCHLD}, 0.02)
        return True

    def _status_file(self) -> Path:
        return self._data.run / "status.json"

    def _write_status(self) -> None:
        rows = [
            {"name": child.name, "pid": child.pid, "starts": child.starts, "at": child.started_at}
            for child in self.children
        ]
        with contextlib.suppress(OSError):
            draft = self._status_file().with_suffix(".new")
            draft.write_text(json.dumps(rows))
            draft.replace(self._status_file())


@contextlib.contextmanager
def stop_signals_held() -> Iterator[None]:
    """Within the block, stop signals and ended children are heard by `Group.wait` alone."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {*STOP_SIGNALS, signal.SIGCHLD})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def running(data: DataFolder, processes: Sequence[Process]) -> Iterator[None]:
    """Processes that are ready and live for the length of the block, not started again in it."""
    group = Group(data)
    try:
        group.start(processes)
        yield
    finally:
        group.stop()
