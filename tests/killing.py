"""Workers in processes of their own, on the test's database, that end as a machine ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

# `die` ends the worker between two instructions, with nothing tidied up.
_PROLOGUE = """
import os, signal, sys, django; django.setup()

def die(*_args, **_more):
    os.kill(os.getpid(), signal.SIGKILL)

"""


def start(code: str, *arguments: object, **env: str) -> subprocess.Popen[bytes]:
    """A worker that runs `code`, with `arguments` as sys.argv[1:]."""
    given = os.environ | {
        "DJANGO_SETTINGS_MODULE": "hub.config.settings",
        "DATABASE_URL": _renamed(os.environ["DATABASE_URL"], connection.settings_dict["NAME"]),
        **env,
    }
    argv = [sys.executable, "-c", _PROLOGUE + code, *map(str, arguments)]
    return subprocess.Popen(argv, env=given)


def run_to_death(code: str, *arguments: object, **env: str) -> None:
    """Run a worker whose `code` calls `die` at some place."""
    assert start(code, *arguments, **env).wait(120) == -signal.SIGKILL
    assert wait_until(lambda: other_sessions() == 0, 10) < 10, "Postgres has let go of it"


def kill(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


def _renamed(url: str, name: str) -> str:
    """The database URL with another database."""
    address, question, options = url.partition("?")
    return f"{address.rpartition('/')[0]}/{name}{question}{options}"


def other_sessions() -> int:
    """How many sessions others have with this database, with the locks that they hold."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid != pg_backend_pid() "
            "AND backend_type = 'client backend'"
        )
        count: int = cursor.fetchone()[0]
    return count


def expire(rows: Any) -> None:
    """Let the leases of these rows end."""
    rows.update(lease_ends_at=timezone.now() - timedelta(seconds=1))


def wait_until(holds: Callable[[], bool], seconds: float) -> float:
    """Seconds until `holds`."""
    started = time.monotonic()
    while not holds():
        assert time.monotonic() - started < seconds, "it did not happen in time"
        time.sleep(0.1)
    return time.monotonic() - started
