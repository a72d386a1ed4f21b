"""Processes that are forked from the supervisor: what it has loaded, they need not load again.

Six of the hub's processes run the same code. Loaded once, before the first of them, it costs two
seconds of processor time instead of twenty, and its memory is shared.
"""

import ctypes
import gc
import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path

# Numbers of <sys/prctl.h> and of glibc's <malloc.h>.
PR_SET_PDEATHSIG, PR_SET_NAME = 1, 15
M_TRIM_THRESHOLD, M_ARENA_MAX = -1, -8
FIRST_OF_OURS = 3  # after the standard streams
COLLECTED_AFTER = (10_000, 20, 20)  # objects, then rounds of the younger generation

# Loaded before any fork: between fork and exec nothing may be imported.
_libc = ctypes.CDLL(None, use_errno=True)


class Fork:
    """A forked child, with what the supervisor asks of a `subprocess.Popen`."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        if self.returncode is None:
            self._reap(os.WNOHANG)
        return self.returncode

    def wait(self) -> int:
        while self.returncode is None:
            self._reap(0)
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _reap(self, options: int) -> None:
        pid, status = os.waitpid(self.pid, options)
        if pid:
            self.returncode = os.waitstatus_to_exitcode(status)


def fork(
    name: str, call: Callable[[], object], *, environment: Mapping[str, str], log: Path,
    orphan_signal: int,
) -> Fork:  # fmt: skip
    """Run `call` in a child with a session of its own, its output appended to `log`.

    The kernel sends the child `orphan_signal` when the thread that called this ends. `name` is
    what `top` and `ps -o comm` show of it, at most 15 bytes.
    """
    parent = os.getpid()
    sys.stdout.flush()
    sys.stderr.flush()
    if pid := os.fork():
        return Fork(pid)
    # No way leads out of here but _exit: what the supervisor would do at its end is not ours.
    try:
        os.setsid()
        follow(parent, orphan_signal)
        _libc.prctl(PR_SET_NAME, name.encode()[:15])
        _redirect(log)
        os.environ.update(environment)
        call()
        status = 0
    except SystemExit as end:
        status = _status_of(end)
    except BaseException:
        traceback.print_exc()
        status = 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def follow(parent: int, orphan_signal: int) -> None:
    """In a child that has just been forked: hear every signal, and end when `parent` does."""
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    _libc.prctl(PR_SET_PDEATHSIG, orphan_signal)
    if os.getppid() != parent:
        os._exit(1)


def free_early() -> None:
    """Give memory back to the system as soon as it is freed.

    glibc keeps what threads have freed, in up to eight arenas a core: a process that once listed
    a hundred thousand files would stay that large.
    """
    _libc.mallopt(M_ARENA_MAX, 2)
    _libc.mallopt(M_TRIM_THRESHOLD, 128 * 1024)


def share() -> None:
    """Call when all is loaded: the collector leaves alone, and so shared, what is there now.

    What comes is looked through more rarely: a page makes some ten thousand objects and drops them.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTED_AFTER)


def _status_of(end: SystemExit) -> int:
    """The exit status; a text instead of a number is written, as the interpreter does."""
    if end.code is None or isinstance(end.code, int):
        return end.code or 0
    sys.stderr.write(f"{end.code}\n")
    return 1


def _redirect(log: Path) -> None:
    """The standard streams of a service; none of the supervisor's other files stays open.

    Its objects that hold those files live on in frames that are never returned to.
    """
    nothing = os.open(os.devnull, os.O_RDONLY)
    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for number, source in enumerate((nothing, output, output)):
        os.dup2(source, number)
    os.closerange(FIRST_OF_OURS, os.sysconf("SC_OPEN_MAX"))
