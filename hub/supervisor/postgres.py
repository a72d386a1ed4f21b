"""The embedded Postgres: makes its cluster, says how to run it, and clears what a crash left."""

import contextlib
import re
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql

from hub.supervisor.children import Process
from hub.supervisor.errors import DatabaseVersionError, SupervisorError
from hub.supervisor.programs import postgres_program, unprivileged_prefix

DATABASE = USER = "weighbridge"
# Where an upgrade builds the new cluster, beside the old one.
UPGRADED = "postgres.upgraded"
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "jit": "off",
    "log_line_prefix": "%m [%p] ",
    "log_timezone": "UTC",
}
# A cluster that is thrown away need not survive a power cut.
THROWAWAY_SETTINGS = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


class Postgres:
    """One cluster in `folder`, reached only through a socket in `sockets` (a private folder)."""

    def __init__(self, folder: Path, sockets: Path, *, durable: bool = True) -> None:
        self.folder = folder
        self.sockets = sockets
        self._settings = SETTINGS if durable else SETTINGS | THROWAWAY_SETTINGS

    def url(self, database: str = DATABASE) -> str:
        """A libpq and Django URL of the socket; there is no password, the folder is it."""
        return f"postgresql://{USER}@/{database}?host={quote(str(self.sockets), safe='/')}"

    def process(self) -> Process:
        settings = self._settings | {"unix_socket_directories": str(self.sockets)}
        arguments = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        program = str(postgres_program("postgres"))
        return Process(
            name="postgres",
            argv=(*unprivileged_prefix(), program, "-D", str(self.folder), *arguments),
            is_ready=self.answers,
            before_start=self.clear_leftovers,
            stop_signal=signal.SIGINT,  # fast: sessions end, the shutdown checkpoint is written
            orphan_signal=signal.SIGINT,
            stop_seconds=30.0,
        )

    def prepare(self) -> None:
        """Create the cluster where there is none; refuse one of another major version."""
        upgraded = self.folder.with_name(UPGRADED)
        if upgraded.exists() and not self.folder.exists():
            upgraded.rename(self.folder)  # the upgrade had succeeded and was cut short
        if not (self.folder / "PG_VERSION").exists():
            self._initialise()
            return
        have = (self.folder / "PG_VERSION").read_text().strip()
        want = program_major()
        if have != want:
            raise DatabaseVersionError(
                f"{self.folder} was written by PostgreSQL {have} and this hub brings {want}. "
                "Nothing was changed. Upgrade it once with: "
                f"python -m hub.supervisor upgrade-database --data-dir {self.folder.parent}"
            )

    def _initialise(self) -> None:
        # An initdb that was cut short leaves no PG_VERSION at its place, only this draft.
        draft = self.folder.with_name(f"{self.folder.name}.new")
        shutil.rmtree(draft, ignore_errors=True)
        initialise(draft)
        draft.rename(self.folder)

    def answers(self) -> bool:
        """True when the server takes connections."""
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(self.url("postgres"), connect_timeout=2).close()
            return True
        return False

    def create_database(self) -> None:
        """Create the hub's own database, if it is missing."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,))
            if found.fetchone() is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))

    def clear_leftovers(self) -> None:
        """Make a start possible after any crash; the caller holds the data folder.

        Ends servers that still work in the cluster's folder, and removes a `postmaster.pid` whose
        number now belongs to another program, which Postgres itself would believe.
        """
        left = self._left_processes()
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGINT if _is_postmaster(process) else signal.SIGQUIT)
        _, stubborn = psutil.wait_procs(left, timeout=10)
        for process in stubborn:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(stubborn, timeout=5)
        (self.folder / "postmaster.pid").unlink(missing_ok=True)
        for socket in self.sockets.glob(".s.PGSQL.*"):
            socket.unlink(missing_ok=True)

    def _left_processes(self) -> list[psutil.Process]:
        """Every Postgres process, server or backend, whose working folder is this cluster."""
        found = []
        for process in psutil.process_iter(["name"]):
            if process.info["name"] != "postgres":
                continue
            with contextlib.suppress(psutil.Error):
                if Path(process.cwd()) == self.folder.resolve():
                    found.append(process)
        return found


def _is_postmaster(process: psutil.Process) -> bool:
    """A server keeps its command line; its backends retitle theirs `postgres: …`."""
    try:
        return not process.cmdline()[0].startswith("postgres:")
    except (psutil.Error, IndexError):
        return False


def initialise(folder: Path, *arguments: str) -> None:
    """Run initdb: UTF-8, and an order of text that no change of the C library can alter."""
    run_program(
        "initdb",
        *("-D", str(folder), "--username", USER, "--encoding", "UTF8"),
        # pg_trgm asks the C library what a letter is: under C, Chinese would have no trigrams.
        *("--locale", "C.UTF-8", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
        *("--auth-local", "trust", "--auth-host", "reject"),
        *arguments,
    )


def run_program(name: str, *arguments: str, cwd: Path | None = None) -> str:
    """Run one of Postgres' programs to its end and return what it printed."""
    argv = [*unprivileged_prefix(), str(postgres_program(name)), *arguments]
    result = subprocess.run(
        argv, capture_output=True, text=True, errors="replace", timeout=600, cwd=cwd, check=False
    )
    if result.returncode != 0:
        said = (result.stderr or result.stdout).strip().splitlines()[-5:]
        raise SupervisorError(f"{name} failed with status {result.returncode}: {' '.join(said)}")
    return result.stdout


def program_major(program: Callable[[str], Path] = postgres_program) -> str:
    """The major version that the installed server has, such as "18"."""
    text = subprocess.run(
        [program("postgres"), "--version"], capture_output=True, text=True, check=True, timeout=10
    ).stdout
    found = re.search(r"(\d+)", text)
    if found is None:
        raise SupervisorError(f"`postgres --version` printed no version: {text!r}")
    return found[1]
