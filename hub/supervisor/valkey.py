"""The embedded Valkey: broker, cache and event streams behind one socket."""

import contextlib
import socket
from pathlib import Path

from hub.supervisor.children import Process
from hub.supervisor.programs import valkey_program


class Valkey:
    """One server with its files in `folder`, reached only through `sockets`/valkey.sock."""

    def __init__(self, folder: Path, sockets: Path, *, durable: bool = True) -> None:
        self.folder = folder
        self.socket = sockets / "valkey.sock"
        self._durable = durable

    @property
    def broker_url(self) -> str:
        return f"redis+socket://{self.socket}?virtual_host=0"

    @property
    def cache_url(self) -> str:
        """The same server under another database number, so that a flush spares the broker."""
        return f"unix://{self.socket}?db=1"

    def process(self) -> Process:
        keep = ("yes", "everysec") if self._durable else ("no", "no")
        return Process(
            name="valkey",
            argv=(
                str(valkey_program()),
                *("--port", "0", "--unixsocket", str(self.socket), "--unixsocketperm", "700"),
                *("--dir", str(self.folder), "--save", ""),
                *("--appendonly", keep[0], "--appendfsync", keep[1]),
                # A queue must refuse rather than forget; the cache holds only what expires.
                *("--maxmemory-policy", "noeviction", "--daemonize", "no"),
            ),
            is_ready=self.answers,
        )

    def answers(self) -> bool:
        """True when the server takes commands; while it loads its files it says so instead."""
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(2)
            connection.connect(str(self.socket))
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
        return False
