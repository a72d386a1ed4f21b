"""Services for one command: those of the hub that runs, or its own for its length."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from hub.supervisor.errors import AlreadyRunningError, SupervisorError
from hub.supervisor.group import running
from hub.supervisor.services import Services

COMMAND = "a management command"
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Session:
    """The environment that reaches the services, and whether they were started for this block."""

    environment: dict[str, str]
    started_here: bool


@contextlib.contextmanager
def ensure_services(data_dir: Path, environ: Mapping[str, str] = os.environ) -> Iterator[Session]:
    """The services of the hub in `data_dir`, whether it runs or not.

    Commands at the same time share what the first of them started; that one waits for the others
    before it stops the services.
    Raises: SupervisorError when they neither run nor can be started.
    """
    services = Services(data_dir, environ)
    with contextlib.ExitStack() as stack:
        started_here = _enter(services, stack)
        yield Session(services.environment(), started_here)


def _enter(services: Services, stack: contextlib.ExitStack) -> bool:
    """Become host or guest of the services until `stack` closes. True for the host."""
    if not services.processes():
        services.data.prepare()
        return False
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            stack.enter_context(services.data.hold(COMMAND))
        except AlreadyRunningError:
            if _enter_as_guest(services, stack):
                return False
            time.sleep(0.1)
        else:
            _enter_as_host(services, stack)
            return True
    raise SupervisorError(
        f"Another process holds {services.data.path} and its services do not answer: "
        f"look at {services.data.log}, or stop it with `make down`."
    )


def _enter_as_host(services: Services, stack: contextlib.ExitStack) -> None:
    services.prepare()
    stack.enter_context(running(services.data, services.processes()))
    if services.postgres:
        services.postgres.create_database()
    # Last in, first out: wait until every guest has let go, then stop.
    stack.callback(_wait_for_guests, services.data.run / "guests")


def _enter_as_guest(services: Services, stack: contextlib.ExitStack) -> bool:
    """Keep the host from stopping; False when its services do not answer (yet, or any more)."""
    services.data.prepare()
    handle = _lock_guests(services.data.run / "guests", fcntl.LOCK_SH)
    if all(process.is_ready() for process in services.processes()):
        stack.callback(os.close, handle)
        return True
    os.close(handle)
    return False


def _wait_for_guests(path: Path) -> None:
    os.close(_lock_guests(path, fcntl.LOCK_EX))


def _lock_guests(path: Path, kind: int) -> int:
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(handle, kind)
    return handle
