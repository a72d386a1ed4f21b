"""Brings a whole hub up, keeps it up, and takes it down in order."""

import contextlib
import os
import sys
import time
import traceback
from collections.abc import Callable

import psutil

from hub.supervisor.children import end_recorded, log_tail, spawn
from hub.supervisor.errors import AlreadyRunningError, ChildEndedError, SupervisorError
from hub.supervisor.forks import share
from hub.supervisor.group import Group, StopRequested, stop_signals_held
from hub.supervisor.live import COMMAND
from hub.supervisor.processes import Application, command, web_processes, worker_processes
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
    """Take the data folder; a management command that has it gets a moment to end.

    So do children of a supervisor that was killed as it forked them: they have its lock until
    they have closed it or heard of its end.
    """
    deadline = time.monotonic() + COMMAND_PATIENCE_SECONDS
    while True:
        try:
            stack.enter_context(services.data.hold(f"the hub at {services.public_url}"))
            return
        except AlreadyRunningError:
            holder = services.data.holder()
            waits = holder is None or holder[1] == COMMAND or not psutil.pid_exists(holder[0])
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
    _load(services, application)
    _prepare(services, application, group, say)
    group.start(web_processes(services, application))
    say(f"pages at {services.public_url}")
    group.start(worker_processes(services, application))
    say(f"workers started; logs in {services.data.log}; Ctrl-C stops everything")


def _load(services: Services, application: Application) -> None:
    """Load the application into this process, from which all of its processes are forked.

    Raises: SupervisorError when it does not load.
    """
    os.environ.update(services.environment())
    # Our own threads share the cores; BLAS' threads on top of them only wait for each other.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    # `migrate` makes Django's checks, which would take each worker a second and load every page.
    os.environ["CELERY_SKIP_CHECKS"] = "1"
    try:
        application.load()
    except Exception as error:
        traceback.print_exc()
        raise SupervisorError(f"The hub's code cannot be loaded: {error}") from error
    share()


def _prepare(
    services: Services, application: Application, group: Group, say: Callable[[str], None]
) -> None:
    """Bring the tables up to date and lay out static files, both at once."""
    steps = [command("migrate", "--noinput", application=application)]
    if not is_collected(services.static_root, application.root):
        steps += [command("collectstatic", "--noinput", "--clear", application=application)]
    running = [spawn(step, services.data.log) for step in steps]
    try:
        while any([popen.poll() is None for popen in running]):  # noqa: C419 reaps every one
            group.wait(0.5)
    finally:
        for popen in running:
            popen.kill()
    for step, popen in zip(steps, running, strict=True):
        if popen.returncode != 0:
            log = services.data.log / f"{step.name}.log"
            raise ChildEndedError(
                f"{step.name} failed with status {popen.returncode}; its log is {log} "
                f"and ends with:\n{log_tail(log)}"
            )
    mark_collected(services.static_root, application.root)
    say(f"{' and '.join(step.name for step in steps)} done")
