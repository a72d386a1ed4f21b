"""Brings a whole hub up, keeps it up, and takes it down in order."""

import contextlib
import sys
import time
from collections.abc import Callable

from hub.supervisor.children import Process, end_recorded, log_tail, spawn
from hub.supervisor.errors import AlreadyRunningError, ChildEndedError
from hub.supervisor.group import Group, StopRequested, stop_signals_held
from hub.supervisor.live import COMMAND
from hub.supervisor.processes import Application, web_processes, worker_processes
from hub.supervisor.services import Services
from hub.supervisor.static import is_collected, mark_collected

COMMAND_PATIENCE_SECONDS = 10.0


def say_on_terminal() -> Callable[[str], None]:
    """A voice that puts the seconds since now before each line."""
    began = time.monotonic()

    def say(line: str) -> None:
        sys.stdout.write(f"[{time.monotonic() - began:6.1f} s] {line}\n")
        sys.stdout.flush()

    return say


def supervise(
    services: Services,
    application: Application | None = None,
    *,
    say: Callable[[str], None] | None = None,
) -> None:
    """Run the hub in the foreground until somebody asks it to stop.

    Raises: SupervisorError when it cannot start, or when a child ends again and again; by then
    everything it had started is stopped.
    """
    application, say = application or Application(), say or say_on_terminal()
    group = Group(services.data, say)
    with contextlib.ExitStack() as stack:
        _hold(services, stack)
        stack.enter_context(stop_signals_held())
        stack.callback(lambda: say("stopped"))
        stack.callback(group.stop)
        try:
            _start(services, application, group, say)
            group.run()
        except StopRequested as request:
            say(f"stopping ({request})")


def _hold(services: Services, stack: contextlib.ExitStack) -> None:
    """Take the data folder; a management command that has it gets a moment to end."""
    deadline = time.monotonic() + COMMAND_PATIENCE_SECONDS
    while True:
        try:
            stack.enter_context(services.data.hold(f"the hub at {services.public_url}"))
            return
        except AlreadyRunningError:
            holder = services.data.holder()
            waits = holder is None or holder[1] == COMMAND
            if not waits or time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def _start(
    services: Services, application: Application, group: Group, say: Callable[[str], None]
) -> None:
    services.data.prepare()
    for record in services.data.run.glob("*.pid"):
        end_recorded(record)
    services.require_free_port()
    services.prepare()
    group.start(services.processes())
    if services.postgres:
        services.postgres.create_database()
    say("database and broker answer")
    _prepare(services, application, group, say)
    group.start(web_processes(services, application))
    say(f"pages at {services.public_url}")
    group.start(worker_processes(services, application))
    say(f"workers started; logs in {services.data.log}; Ctrl-C stops everything")


def _prepare(
    services: Services, application: Application, group: Group, say: Callable[[str], None]
) -> None:
    """Bring the tables up to date and lay out static files, both at once."""
    steps: dict[str, tuple[str, ...]] = {"migrate": ("migrate", "--noinput")}
    if not is_collected(services.static_root, application.root):
        steps["collectstatic"] = ("collectstatic", "--noinput", "--clear")
    environment, log_folder = services.environment(), services.data.log
    running = [
        spawn(Process(name, (*application.manage, *arguments), environment), log_folder)
        for name, arguments in steps.items()
    ]
    try:
        while any([popen.poll() is None for popen in running]):  # noqa: C419 reaps every one
            group.wait(0.5)
    finally:
        for popen in running:
            popen.kill()
    for name, popen in zip(steps, running, strict=True):
        if popen.returncode != 0:
            log = log_folder / f"{name}.log"
            raise ChildEndedError(
                f"{name} failed with status {popen.returncode}; its log is {log} and ends with:\n"
                f"{log_tail(log)}"
            )
    mark_collected(services.static_root, application.root)
    say(f"{' and '.join(steps)} done")
