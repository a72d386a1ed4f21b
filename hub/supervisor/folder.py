"""The data folder: where everything one hub keeps lies, who holds it, and its secret key."""

import fcntl
import hashlib
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hub.supervisor.errors import AlreadyRunningError, SupervisorError

# A socket's address ends after 107 bytes; Postgres adds `/.s.PGSQL.5432` to its folder.
SOCKET_FOLDER_LIMIT_BYTES = 80
# Signs that nginx, Postgres or a URL would read as something else than part of a name.
REFUSED_IN_PATHS = frozenset("\"'\\${};,\n\r\t\0")


class DataFolder:
    """Paths inside `DATA_DIR`. Nothing is created before `prepare()`."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().resolve()
        refused = sorted(REFUSED_IN_PATHS.intersection(str(self.path)))
        if refused:
            raise SupervisorError(
                f"DATA_DIR {str(self.path)!r} holds the sign {refused[0]!r}, which the database or "
                "the proxy would misread: choose a folder without it."
            )
        self.run = self.path / "run"
        self.log = self.path / "log"
        self.spool = self.path / "spool"
        self.objects = self.path / "objects"
        self.postgres = self.path / "postgres"
        self.valkey = self.path / "valkey"
        self.lock = self.path / "lock"
        self.secret_key = self.path / "secret_key"

    @property
    def sockets(self) -> Path:
        """The folder of the Unix sockets: `run`, or a private one in /tmp when that is too long."""
        if len(os.fsencode(self.run)) <= SOCKET_FOLDER_LIMIT_BYTES:
            return self.run
        # /tmp and not $TMPDIR: every process of this hub must come to the same folder.
        name = hashlib.sha256(os.fsencode(self.path)).hexdigest()[:16]
        return Path("/tmp") / f"weighbridge-{os.getuid()}-{name}"  # noqa: S108 checked below

    def prepare(self) -> None:
        """Create the folders and the secret key that are missing.

        Raises: SupervisorError when the folder cannot be written or a socket folder is not ours.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            for folder in (self.run, self.log, self.spool, self.objects, self.valkey):
                folder.mkdir(mode=0o700, exist_ok=True)
            self.run.chmod(0o700)
            self.sockets.mkdir(mode=0o700, exist_ok=True)
            _require_private(self.sockets)
            _write_secret_once(self.secret_key)
        except OSError as error:
            raise SupervisorError(
                f"DATA_DIR {self.path} cannot be used: {error.strerror or error} "
                f"({error.filename}). Make it writable or set DATA_DIR to another folder."
            ) from error

    @contextmanager
    def hold(self, purpose: str) -> Iterator[None]:
        """Keep every other supervisor out of the folder for the length of the block.

        `purpose` is what a second one is told: "process 123 (the hub) ...".
        Raises: AlreadyRunningError. The kernel frees the lock when this process ends, however.
        """
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(self.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise AlreadyRunningError(self._held_message()) from None
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()} {purpose}\n".encode(), 0)
            yield
        finally:
            os.close(handle)

    def holder(self) -> tuple[int, str] | None:
        """Process number and purpose of who holds the folder now, or None."""
        try:
            handle = os.open(self.lock, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid, _, purpose = os.pread(handle, 200, 0).decode(errors="replace").partition(" ")
            return int(pid or 0), purpose.strip()
        finally:
            os.close(handle)
        return None

    def _held_message(self) -> str:
        pid, purpose = self.holder() or (0, "another process")
        return (
            f"The hub is already running, process {pid} ({purpose}), on {self.path}. "
            "Stop it with `make down`, or set DATA_DIR and HUB_PORT to run a second one."
        )


def _require_private(folder: Path) -> None:
    """Refuse a socket folder that another user could have prepared: the folder is the password."""
    found = folder.lstat()
    private = stat.S_ISDIR(found.st_mode) and stat.S_IMODE(found.st_mode) == 0o700
    if not private or found.st_uid != os.getuid():
        raise SupervisorError(
            f"{folder} is not a folder of yours alone (mode 0700): remove it, or choose a DATA_DIR "
            f"whose path is shorter than {SOCKET_FOLDER_LIMIT_BYTES} bytes."
        )


def _write_secret_once(path: Path) -> None:
    """Write a random key, whole or not at all, where there is none yet."""
    if path.exists() and path.stat().st_size > 0:
        return
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(secrets.token_urlsafe(64))
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
