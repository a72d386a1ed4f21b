"""`git http-backend` behind the hub's nginx program, without any hub.

nginx speaks to CGI programs through a bridge; the one here is the smallest honest one: a gunicorn
with the hub's own numbers of workers and threads starts `git http-backend` for each request and
passes bytes on, as fcgiwrap does.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.peers.cgi import answer_by
from bench.peers.nginx import nginx_in_front
from hub.supervisor.processes import WEB_THREADS, WEB_WORKERS

PEER = "git http-backend by a CGI bridge (gunicorn) behind the same nginx"
LOCATION = """\
client_max_body_size 0;
proxy_http_version 1.1;
proxy_request_buffering off;
proxy_buffering off;
location / {{ proxy_pass http://unix:{socket}:; proxy_set_header Host $http_host; }}
"""


def git_backend_program() -> Path | None:
    """The program itself; None where git came without it."""
    found = subprocess.run(["git", "--exec-path"], capture_output=True, text=True, check=True)
    program = Path(found.stdout.strip()) / "git-http-backend"
    return program if program.exists() else None


@contextmanager
def git_backend(projects: Path) -> Iterator[str]:
    """The address at which the bare repositories in `projects` are served."""
    place = projects.parent / "bridge.sock"
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "gunicorn", "bench.peers.git_backend:application"),
            *("--bind", f"unix:{place}", "--worker-class", "gthread", "--no-control-socket"),
            *("--workers", str(WEB_WORKERS), "--threads", str(WEB_THREADS)),
            *("--log-level", "error"),
        ],
        env=os.environ | {"GIT_PROJECT_ROOT": str(projects)},
    )
    try:
        wait_for(place)
        with nginx_in_front(projects.parent / "nginx", LOCATION.format(socket=place)) as url:
            yield url
    finally:
        process.terminate()
        process.wait(20)


def wait_for(place: Path) -> None:
    """Return once somebody listens at the socket."""
    for _ in range(200):
        try:
            with socket.socket(socket.AF_UNIX) as trial:
                trial.connect(str(place))
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("The CGI bridge did not start.")


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
    return answer_by(
        [str(git_backend_program())],
        {"GIT_HTTP_EXPORT_ALL": "1", "REMOTE_USER": "bench"},
        environ,
        start_response,
    )
