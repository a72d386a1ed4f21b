"""Running one process in the sandbox, watched from outside."""

import json
import os
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from training.sandbox.command import NOBODY, bwrap_command
from training.sandbox.errors import SandboxUnavailableError
from training.sandbox.lines import LineSplitter, LogLines
from training.sandbox.seccomp import filter_program
from training.sandbox.usage import folder_bytes, tree, usage
from training.sandbox.values import Exit, Limits, ReadOnly, Reason

POLL_SECONDS = 0.2
DISK_POLL_SECONDS = 1.0
GRACE_SECONDS = 8.0
READ_BYTES = 1 << 16


class Sandbox:
    """One process that sees its inputs, may write `out` (shown as /out), and nothing else.

    `workdir` holds the filter for the time of the run. As root, `out` is handed to nobody.
    """

    def __init__(
        self, workdir: Path, *, argv: Sequence[str], inputs: Sequence[ReadOnly], out: Path,
        limits: Limits, env: dict[str, str], gpu: bool = False,
    ) -> None:  # fmt: skip
        self.workdir, self.argv, self.inputs = workdir, list(argv), list(inputs)
        self.out, self.limits, self.env, self.gpu = out, limits, env, gpu

    def run(self, on_line: Callable[[bytes], None], should_stop: Callable[[], bool]) -> Exit:
        """Start it, hand every line of its standard output to `on_line`, and see it end.

        Standard error arrives as log events among them. Both callbacks run in this thread,
        between two looks at the limits, and must be quick. When `should_stop` says so the
        process gets SIGTERM, and SIGKILL eight seconds later.
        Raises: SandboxUnavailableError when bubblewrap could not set up; nothing ran.
        """
        prepare_out(self.out)
        with tempfile.TemporaryFile(dir=self.workdir) as rules:
            rules.write(filter_program())
            rules.seek(0)
            status_read, status_write = os.pipe()
            command = bwrap_command(
                self.argv, inputs=self.inputs, out=self.out, limits=self.limits, env=self.env,
                gpu=self.gpu, filter_fd=rules.fileno(), status_fd=status_write,
            )  # fmt: skip
            try:
                # bwrap is process 1 inside, where its environment can be read: it gets none.
                process = subprocess.Popen(
                    command, env={}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE, pass_fds=(rules.fileno(), status_write), cwd="/",
                )  # fmt: skip
            except OSError as error:
                os.close(status_read)
                raise unavailable(str(error)) from error
            finally:
                os.close(status_write)
        return Watch(process, status_read, self.out, self.limits, on_line, should_stop).follow()


def prepare_out(out: Path) -> None:
    """Make `out`, and let the user inside own what is in it."""
    out.mkdir(parents=True, exist_ok=True)
    if os.geteuid() != 0:
        return
    for _, folders, files, descriptor in os.fwalk(out, follow_symlinks=False):
        os.fchown(descriptor, NOBODY, NOBODY)
        for name in [*folders, *files]:
            os.chown(name, NOBODY, NOBODY, dir_fd=descriptor, follow_symlinks=False)


def unavailable(cause: str) -> SandboxUnavailableError:
    return SandboxUnavailableError(
        f"The sandbox cannot start ({cause}); allow user namespaces for the worker "
        "(sysctl kernel.unprivileged_userns_clone=1, or a container with them), or run it as root."
    )


class Watch:
    """Follows one started bwrap to its end."""

    def __init__(
        self, process: "subprocess.Popen[bytes]", status_fd: int, out: Path, limits: Limits,
        on_line: Callable[[bytes], None], should_stop: Callable[[], bool],
    ) -> None:  # fmt: skip
        self.process, self.out, self.limits, self.should_stop = process, out, limits, should_stop
        self.log = LogLines(on_line, limits.log_bytes)
        self.stdout = LineSplitter(on_line)
        self.stderr = LineSplitter(self.log)
        self.status = bytearray()
        self.status_fd = status_fd
        self.events_left = limits.events_bytes
        self.reason: Reason | None = None
        self.peak_memory_bytes = 0
        self.cpu_seconds = 0.0
        self.started_at = time.monotonic()
        self.asked_at = self.disk_at = 0.0
        self.told = False

    def follow(self) -> Exit:
        """Read and look until everything is closed and the process is gone."""
        try:
            self._read()
        except BaseException:
            self._kill()
            raise
        finally:
            code = self._wait()
        self.stdout.close()
        self.stderr.close()
        if self.stdout.dropped:
            self.log.tell(f"{self.stdout.dropped} lines of output were too long and dropped.")
        if "exit-code" not in self._facts() and self.reason is None:
            if code < 0:
                return self._exit(code, "killed")
            raise unavailable(self.log.last or f"bwrap ended with status {code}")
        return self._exit(self._facts().get("exit-code", code), self.reason)

    def _read(self) -> None:
        assert self.process.stdout and self.process.stderr  # noqa: S101
        with selectors.DefaultSelector() as selector:
            for fd, take in (
                (self.process.stdout.fileno(), self._take_event),
                (self.process.stderr.fileno(), self.stderr.feed),
                (self.status_fd, self.status.extend),
            ):
                os.set_blocking(fd, False)
                selector.register(fd, selectors.EVENT_READ, take)
            looked_at = 0.0
            while selector.get_map():
                for key, _ in selector.select(POLL_SECONDS):
                    data = os.read(key.fd, READ_BYTES)
                    key.data(data) if data else selector.unregister(key.fd)
                if time.monotonic() - looked_at >= POLL_SECONDS:
                    self._look()
                    looked_at = time.monotonic()

    def _take_event(self, data: bytes) -> None:
        self.events_left -= len(data)
        if self.events_left < 0:
            self._end("disk")
        else:
            self.stdout.feed(data)

    def _look(self) -> None:
        """Compare what is used with the limits, and pass on a request to stop."""
        now, used = time.monotonic(), usage(self.process.pid)
        self.peak_memory_bytes = max(self.peak_memory_bytes, used.memory_bytes)
        self.cpu_seconds = max(self.cpu_seconds, used.cpu_seconds)
        if used.memory_bytes > self.limits.memory_bytes:
            self._end("memory")
        elif used.cpu_seconds > self.limits.cpu_seconds:
            self._end("cpu_time")
        elif now - self.started_at > self.limits.wall_seconds:
            self._end("wall_time")
        elif now - self.disk_at > DISK_POLL_SECONDS and self._disk_is_full():
            self._end("disk")
        elif self.asked_at and now - self.asked_at > GRACE_SECONDS:
            self._kill()
        elif self.asked_at and not self.told:
            self.told = self._tell()
        elif not self.asked_at and self.should_stop():
            self.asked_at, self.reason = now, "stopped"
            self.told = self._tell()

    def _disk_is_full(self) -> bool:
        self.disk_at = time.monotonic()
        size = folder_bytes(self.out)
        return size is None or size > self.limits.out_bytes

    def _end(self, reason: Reason) -> None:
        self.reason = self.reason or reason
        self._kill()

    def _tell(self) -> bool:
        """SIGTERM to the program: the child of process 1 of the pid namespace. False: not yet.

        Killing bwrap while it is still setting up would leave what it has just forked behind.
        """
        descendants = tree(self.process.pid)
        if len(descendants) < 3:
            return False
        with suppress(ProcessLookupError):
            os.kill(descendants[2], signal.SIGTERM)
        return True

    def _kill(self) -> None:
        """End bwrap, and by its pid namespace all that is inside.

        Not Popen.kill, which may reap the process and lose what it used.
        """
        os.kill(self.process.pid, signal.SIGKILL)

    def _wait(self) -> int:
        """The exit status; the processor time of all that was waited for inside comes with it."""
        for stream in (self.process.stdout, self.process.stderr):
            if stream:
                stream.close()
        os.close(self.status_fd)
        _, status, spent = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        self.cpu_seconds = max(self.cpu_seconds, spent.ru_utime + spent.ru_stime)
        return self.process.returncode

    def _facts(self) -> dict[str, int]:
        """What bwrap said: child-pid once set up, exit-code once the program ended."""
        facts: dict[str, int] = {}
        for line in bytes(self.status).splitlines():
            facts |= json.loads(line)
        return facts

    def _exit(self, code: int, reason: Reason | None) -> Exit:
        if reason is None:
            reason = self._own_reason(code)
        return Exit(code, reason, self.peak_memory_bytes, round(self.cpu_seconds, 3))

    def _own_reason(self, code: int) -> Reason:
        if code == 0:
            return "ok"
        if code == 128 + signal.SIGXCPU:
            return "cpu_time"
        if code == 128 + signal.SIGXFSZ:
            return "disk"
        return "killed" if code == 128 + signal.SIGKILL else "error"
