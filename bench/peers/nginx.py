"""The hub's nginx program without the hub."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hub.supervisor.programs import nginx_program
from tests.server import free_port

CONFIGURATION = """\
{user}
daemon off;
worker_processes 2;
pid {run}/pid;
error_log stderr error;
events {{ worker_connections 256; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    client_body_temp_path {run}/body;
    proxy_temp_path {run}/proxy;
    fastcgi_temp_path {run}/fastcgi;
    uwsgi_temp_path {run}/uwsgi;
    scgi_temp_path {run}/scgi;
    server {{
        listen 127.0.0.1:{port};
        {locations}
    }}
}}
"""


@contextmanager
def plain_nginx(folder: Path) -> Iterator[str]:
    """The address at which `folder` is served."""
    with nginx_in_front(folder / "plain-nginx", f"location / {{ alias {folder}/; }}") as url:
        yield url


@contextmanager
def nginx_in_front(run: Path, locations: str) -> Iterator[str]:
    """The address of an nginx with these locations, which keeps its own files in `run`."""
    port = free_port()
    run.mkdir()
    user = "user root;" if os.geteuid() == 0 else ""
    text = CONFIGURATION.format(user=user, run=run, port=port, locations=locations)
    (run / "nginx.conf").write_text(text)
    argv = [str(nginx_program()), "-p", str(run), "-c", str(run / "nginx.conf"), "-e", "stderr"]
    process = subprocess.Popen(argv)
    try:
        _wait_for(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def _wait_for(port: int) -> None:
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("The plain nginx did not start.")
