"""A server on loopback that keeps what it is sent and answers as it is told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


Handler = Callable[[Any], None]


def answer(status: int = 200, body: bytes = b"thanks", **headers: str) -> Handler:
    """A handler that answers with these."""

    def respond(http: Any) -> None:
        http.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            http.send_header(name, value)
        http.end_headers()
        http.wfile.write(body)

    return respond


@dataclass
class Receiver:
    port: int = 0
    requests: list[Request] = field(default_factory=list)
    # What the next requests are answered with; the last one stays.
    answers: list[Handler] = field(default_factory=lambda: [answer()])
    heard: threading.Condition = field(default_factory=threading.Condition)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def wait_for(self, count: int, seconds: float = 60) -> list[Request]:
        """The first `count` requests, once they are here."""
        with self.heard:
            done = self.heard.wait_for(lambda: len(self.requests) >= count, seconds)
        assert done, f"{len(self.requests)} of {count} requests came"
        return self.requests[:count]


@contextmanager
def receiving(*, context: Any = None) -> Iterator[Receiver]:
    """A receiver while the block runs; over TLS with an `ssl` context."""
    receiver = Receiver()

    class Http(BaseHTTPRequestHandler):
        def respond(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            with receiver.heard:
                receiver.requests.append(Request(self.command, self.path, headers, body))
                chosen = receiver.answers
                handler = chosen.pop(0) if len(chosen) > 1 else chosen[0]
                receiver.heard.notify_all()
            with suppress(OSError):  # the caller has seen enough
                handler(self)

        do_GET = do_POST = respond

        def log_message(self, *_: Any) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            pass  # a client that refuses our certificate

    server = Quiet(("127.0.0.1", 0), Http)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
