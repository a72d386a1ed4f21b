"""A mail server of the test's own: it takes what is sent and keeps it."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_ANSWERS = {b"DATA": b"354 go on", b"QUIT": b"221 bye"}


class _Session(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        self._say(b"220 ready")
        while line := self.rfile.readline():
            verb = line.split()[0].upper() if line.split() else b""
            self._say(_ANSWERS.get(verb, b"250 ok"))
            if verb == b"QUIT":
                return
            if verb == b"DATA":
                self.server.taken.append(b"".join(iter(self.rfile.readline, b".\r\n")))
                self._say(b"250 taken")

    def _say(self, line: bytes) -> None:
        self.wfile.write(line + b"\r\n")


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.taken: list[bytes] = []


@contextmanager
def mailbox() -> Iterator[tuple[str, list[bytes]]]:
    """The server's EMAIL_URL, and the messages that it has taken whole, as they came."""
    with _Server() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"smtp://127.0.0.1:{server.server_address[1]}", server.taken
        server.shutdown()
