"""The hub's own processes: web, workers, beat and the front proxy, and what runs before them."""

import contextlib
import http.client
import os
import pkgutil
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from hub.supervisor.children import Process
from hub.supervisor.forks import follow, free_early
from hub.supervisor.nginx import Nginx
from hub.supervisor.services import Services

PROJECT = Path(__file__).resolve().parents[2]
WEB_WORKERS = 2
WEB_THREADS = 64


@dataclass(frozen=True)
class Application:
    """The names of what the processes run: who imports this module loads none of it."""

    wsgi: str = "hub.config.wsgi:application"
    celery: str = "hub.config.celery:app"
    root: Path = PROJECT
    manage: str = "django.core.management:execute_from_command_line"

    def load(self) -> None:
        """Import here what the processes have in common; they are forked from this one.

        `os.environ` holds the application's settings by now.
        """
        sys.path.insert(0, str(self.root))
        pkgutil.resolve_name(self.celery).loader.import_default_modules()


def web_processes(services: Services, application: Application) -> list[Process]:
    """What answers requests: gunicorn, and nginx in front of it unless FRONT is none."""
    web = _gunicorn(services, application)
    return [web, Nginx(services).process()] if services.front == "nginx" else [web]


def worker_processes(services: Services, application: Application) -> list[Process]:
    """What works through the queues: workers for cpu, gpu, tries and webhooks, and the clock."""
    beat = ("beat", "--schedule", str(services.data.run / "beat-schedule"), "--pidfile", "")
    return [
        _worker("cpu", 2, application),
        _worker("gpu", 1, application),
        _worker("tries", 1, application),
        # Its tasks wait for other servers, and each of them ends by itself: threads will do.
        _worker("webhooks", 4, application, pool="threads"),
        Process("beat", call=_celery(application, *beat, "--loglevel", "INFO")),
    ]


def command(name: str, *arguments: str, application: Application) -> Process:
    """One of the application's management commands."""
    words = [str(application.root / "manage.py"), name, *arguments]
    return Process(name, call=lambda: pkgutil.resolve_name(application.manage)(words))


def _gunicorn(services: Services, application: Application) -> Process:
    behind_nginx = services.front == "nginx"
    shown = f"[{services.bind}]" if ":" in services.bind else services.bind
    bind = f"unix:{services.web_socket}" if behind_nginx else f"{shown}:{services.port}"
    words = (
        *("gunicorn", application.wsgi),
        *("--chdir", str(application.root), "--bind", bind, "--no-control-socket"),
        *("--worker-class", "gthread", "--workers", str(WEB_WORKERS)),
        *("--threads", str(WEB_THREADS), "--graceful-timeout", "8"),
        # One import for all workers: less memory, and a killed worker is back at once.
        "--preload",
        *("--limit-request-line", "8190", "--worker-tmp-dir", str(services.data.run)),
    )

    def serve() -> None:
        free_early()
        sys.argv = list(words)
        pkgutil.resolve_name("gunicorn.app.wsgiapp:run")()

    return Process(
        name="web",
        call=serve,
        is_ready=_answers(services, behind_nginx),
        orphan_signal=signal.SIGQUIT,
    )


def _celery(application: Application, *words: str) -> Callable[[], object]:
    """`celery` with these words, as its command line would run it."""
    start = ("celery", "--app", application.celery, "--workdir", str(application.root))

    def run() -> None:
        sys.argv = [*start, *words]
        worker = os.getpid()

        def end_with_worker(**_signal: object) -> None:
            follow(worker, signal.SIGKILL)

        # A pool outlives a worker that is killed as it makes it: its processes wait for each other.
        pkgutil.resolve_name("celery.signals:worker_process_init").connect(
            end_with_worker, weak=False
        )
        pkgutil.resolve_name("celery.__main__:main")()

    return run


def _worker(
    queue: str, concurrency: int, application: Application, *, pool: str = "prefork"
) -> Process:
    return Process(
        name=f"worker-{queue}",
        call=_celery(
            application,
            *("worker", "--queues", queue, "--hostname", f"{queue}@%h"),
            *("--pool", pool, "--concurrency", str(concurrency)),
            # Nobody listens to them, and a worker that is told to end without a broker would wait
            # for ever to send its last.
            *("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "INFO"),
        ),
        # TERM lets a task end. A worker that is just starting may never hear QUIT while its broker
        # goes away too: what is given up is killed, and its row says how far it was.
        orphan_signal=signal.SIGKILL,
        stop_seconds=5.0,
    )


def _answers(services: Services, behind_nginx: bool) -> Callable[[], bool]:
    """A question that is true once /healthz answers 200."""

    def connect() -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection("localhost", services.port, timeout=2)
        if behind_nginx:
            connection.sock = socket.socket(socket.AF_UNIX)
            connection.sock.settimeout(2)
            connection.sock.connect(str(services.web_socket))
        else:
            connection.sock = socket.create_connection((services.local_host, services.port), 2)
        return connection

    def answers() -> bool:
        url = urlsplit(services.public_url)
        headers = {"Host": url.netloc, "X-Forwarded-Proto": url.scheme}
        with (
            contextlib.suppress(OSError, http.client.HTTPException),
            contextlib.closing(connect()) as connection,
        ):
            connection.request("GET", "/healthz", headers=headers)
            return connection.getresponse().status == 200
        return False

    return answers
