"""CGI programs behind a gunicorn of the hub's own size, as fcgiwrap would start them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

CHUNK_BYTES = 64 * 1024


def answer_by(
    argv: list[str],
    more: dict[str, str],
    environ: dict[str, Any],
    start_response: Callable[..., Any],
) -> Iterator[bytes]:
    """WSGI in, CGI out: one process a request, with `more` in its environment."""
    names = {"REQUEST_METHOD", "PATH_INFO", "QUERY_STRING", "CONTENT_TYPE", "REMOTE_ADDR"}
    passed = {name: environ[name] for name in names if name in environ}
    passed |= {name: value for name, value in environ.items() if name.startswith("HTTP_")}
    if length := environ.get("CONTENT_LENGTH"):
        passed["CONTENT_LENGTH"] = length
    if protocol := environ.get("HTTP_GIT_PROTOCOL"):
        passed["GIT_PROTOCOL"] = protocol
    process = subprocess.Popen(
        argv, env=os.environ | passed | more, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None and process.stdout is not None  # noqa: S101, asked for above
    body = environ["wsgi.input"]
    with process.stdin as stdin:
        while chunk := body.read(CHUNK_BYTES):
            stdin.write(chunk)
    status, headers = "200 OK", []
    while line := process.stdout.readline().strip():
        name, _, value = line.decode().partition(": ")
        if name == "Status":
            status = value
        else:
            headers.append((name, value))
    start_response(status, headers)
    while chunk := process.stdout.read1(CHUNK_BYTES):  # type: ignore[attr-defined]
        yield chunk
    process.stdout.close()
    process.wait()
