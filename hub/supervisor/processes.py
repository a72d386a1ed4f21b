"""The hub's own processes: web, workers, beat and the front proxy, and what runs before them."""

import contextlib
import http.client
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from hub.supervisor.children import Process
from hub.supervisor.nginx import Nginx
from hub.supervisor.services import Services

PROJECT = Path(__file__).resolve().parents[2]
WEB_WORKERS = 2
WEB_THREADS = 64


@dataclass(frozen=True)
class Application:
    """Where the code lives that the processes run."""

    wsgi: str = "hub.config.wsgi:application"
    celery: str = "hub.config.celery:app"
    root: Path = PROJECT
    manage: tuple[str, ...] = (sys.executable, str(PROJECT / "manage.py"))


# glibc keeps what threads have freed, in up to eight arenas a core: a process that once listed a
# hundred thousand files would stay that large.
LEAN = {"MALLOC_ARENA_MAX": "2", "MALLOC_TRIM_THRESHOLD_": "131072"}


def web_processes(services: Services, application: Application) -> list[Process]:
    """What answers requests: gunicorn, and nginx in front of it unless FRONT is none."""
    web = _gunicorn(services, application)
    return [web, Nginx(services).process()] if services.front == "nginx" else [web]


def worker_processes(services: Services, application: Application) -> list[Process]:
    """What works through the queues: workers for cpu, gpu, tries and webhooks, and the clock."""
    beat = ("beat", "--schedule", str(services.data.run / "beat-schedule"), "--pidfile", "")
    # `migrate` has just made Django's checks, which take a worker a second and load every page.
    environment = services.environment() | {"CELERY_SKIP_CHECKS": "1"}
    return [
        _worker("cpu", 2, application, environment),
        _worker("gpu", 1, application, environment),
        _worker("tries", 1, application, environment),
        # Its tasks wait for other servers, and each of them ends by itself: threads will do.
        _worker("webhooks", 4, application, environment, pool="threads"),
        Process("beat", (*_celery(application), *beat, "--loglevel", "INFO"), environment),
    ]


def _gunicorn(services: Services, application: Application) -> Process:
    behind_nginx = services.front == "nginx"
    shown = f"[{services.bind}]" if ":" in services.bind else services.bind
    bind = f"unix:{services.web_socket}" if behind_nginx else f"{shown}:{services.port}"
    return Process(
        name="web",
        argv=(
            *(sys.executable, "-m", "gunicorn", application.wsgi),
            *("--chdir", str(application.root), "--bind", bind, "--no-control-socket"),
            *("--worker-class", "gthread", "--workers", str(WEB_WORKERS)),
            *("--threads", str(WEB_THREADS), "--graceful-timeout", "8"),
            # One import for all workers: less memory, and a killed worker is back at once.
            "--preload",
            *("--limit-request-line", "8190", "--worker-tmp-dir", str(services.data.run)),
        ),
        environment=services.environment() | LEAN,
        is_ready=_answers(services, behind_nginx),
        orphan_signal=signal.SIGQUIT,
    )


def _celery(application: Application) -> tuple[str, ...]:
    start = (sys.executable, "-m", "celery", "--app", application.celery)
    return (*start, "--workdir", str(application.root))


def _worker(
    queue: str,
    concurrency: int,
    application: Application,
    environment: dict[str, str],
    *,
    pool: str = "prefork",
) -> Process:
    return Process(
        name=f"worker-{queue}",
        argv=(
            *(*_celery(application), "worker", "--queues", queue, "--hostname", f"{queue}@%h"),
            *("--pool", pool, "--concurrency", str(concurrency)),
            # Nobody listens to them, and a worker that is told to end without a broker would wait
            # for ever to send its last.
            *("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "INFO"),
        ),
        # Our own threads share the cores; BLAS' threads on top of them only wait for each other.
        environment={**environment, "OPENBLAS_NUM_THREADS": "1"},
        # TERM lets a task end; QUIT gives it up, and its row in the database says how far it was.
        orphan_signal=signal.SIGQUIT,
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
