"""Which services a hub stands on, embedded or named in the environment, and how to reach them."""

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from hub.supervisor.children import Process
from hub.supervisor.errors import PortInUseError, SupervisorError
from hub.supervisor.folder import DataFolder
from hub.supervisor.postgres import Postgres
from hub.supervisor.valkey import Valkey

DEFAULT_DATA_DIR = "data"
DEFAULT_PORT = 8000
DEFAULT_BIND = "127.0.0.1"


class Services:
    """The services of the hub in `data_dir`, as `environ` asks for them.

    A URL in `environ` names a server that others run; what is not named is embedded. The URL of
    this hub's own socket names the embedded one: `environment()` may be given to children.
    """

    def __init__(self, data_dir: Path, environ: Mapping[str, str] = os.environ) -> None:
        self.data = DataFolder(data_dir)
        self._environ = environ
        self.bind = environ.get("HUB_BIND") or DEFAULT_BIND
        self.port = _port(environ.get("HUB_PORT") or str(DEFAULT_PORT))
        self.front = environ.get("FRONT") or "nginx"
        if self.front not in ("nginx", "none"):
            raise SupervisorError(f"FRONT is {self.front!r}: choose nginx or none.")
        self.postgres = self._embedded_postgres()
        self.valkey = self._embedded_valkey()

    @classmethod
    def of_environment(cls, environ: Mapping[str, str] = os.environ) -> "Services":
        return cls(Path(environ.get("DATA_DIR") or DEFAULT_DATA_DIR), environ)

    def _embedded_postgres(self) -> Postgres | None:
        postgres = Postgres(self.data.postgres, self.data.sockets)
        named = self._named("DATABASE_URL")
        return postgres if named in (None, postgres.url()) else None

    def _embedded_valkey(self) -> Valkey | None:
        valkey = Valkey(self.data.valkey, self.data.sockets)
        broker_elsewhere = self._named("BROKER_URL") not in (None, valkey.broker_url)
        cache_elsewhere = self._cache_url() not in (None, valkey.cache_url)
        return None if broker_elsewhere and cache_elsewhere else valkey

    def _named(self, name: str) -> str | None:
        """The URL in `name`, or in the mounted file that `name`_FILE names, as settings read it."""
        path = self._environ.get(f"{name}_FILE")
        return (Path(path).read_text().strip() if path else self._environ.get(name)) or None

    def _cache_url(self) -> str | None:
        """A cache named outright, or that of a broker which speaks the Redis protocol."""
        named = self._named("CACHE_URL")
        broker = urlsplit(self._named("BROKER_URL") or "")
        if named or broker.scheme not in ("redis", "rediss"):
            return named or None
        number = broker.path.strip("/") or "0"
        return urlunsplit(broker._replace(path=f"/{int(number) + 1}"))

    @property
    def web_socket(self) -> Path:
        return self.data.sockets / "web.sock"

    @property
    def local_host(self) -> str:
        """An address at which this machine itself reaches the hub."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.bind, self.bind)  # noqa: S104

    @property
    def public_url(self) -> str:
        shown = f"[{self.local_host}]" if ":" in self.local_host else self.local_host
        return (self._environ.get("PUBLIC_URL") or f"http://{shown}:{self.port}").rstrip("/")

    @property
    def static_root(self) -> Path:
        return Path(self._environ.get("STATIC_ROOT") or self.data.path / "static").resolve()

    def environment(self) -> dict[str, str]:
        """The variables that make any process of this hub use these services."""
        broker, cache = self._named("BROKER_URL"), self._cache_url()
        if self.valkey:
            broker, cache = broker or self.valkey.broker_url, cache or self.valkey.cache_url
        database = self.postgres.url() if self.postgres else self._named("DATABASE_URL")
        return {
            "DATA_DIR": str(self.data.path),
            "HUB_BIND": self.bind,
            "HUB_PORT": str(self.port),
            "PUBLIC_URL": self.public_url,
            "FRONT": self.front,
            "STATIC_ROOT": str(self.static_root),
            "DATABASE_URL": database or "",
            "BROKER_URL": broker or "",
            "CACHE_URL": cache or "",
            **self._secret(),
        }

    def _secret(self) -> dict[str, str]:
        for name in ("SECRET_KEY", "SECRET_KEY_FILE"):
            if self._environ.get(name):
                return {name: self._environ[name]}
        return {"SECRET_KEY_FILE": str(self.data.secret_key)}

    def prepare(self) -> None:
        """Create the folders, the secret key and the database cluster that are missing."""
        self.data.prepare()
        if self.postgres:
            self.postgres.prepare()

    def processes(self) -> list[Process]:
        """The embedded servers; none when all are run by others."""
        return [part.process() for part in (self.postgres, self.valkey) if part]

    def require_free_port(self) -> None:
        """Raises PortInUseError when another program listens at HUB_BIND:HUB_PORT."""
        family = socket.AF_INET6 if ":" in self.bind else socket.AF_INET
        with socket.socket(family) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind((self.bind, self.port))
            except OSError as error:
                raise PortInUseError(
                    f"Port {self.port} is in use or not allowed on {self.bind} "
                    f"({error.strerror}): stop the program that holds it, or choose another, "
                    f"such as HUB_PORT={self.port + 1}."
                ) from error


def _port(text: str) -> int:
    if text.isdecimal() and 0 < int(text) < 65536:
        return int(text)
    raise SupervisorError(f"HUB_PORT is {text!r}: choose a number from 1 to 65535.")
