"""The parts that the hub stands on, and whether each answers."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable

import structlog
from celery import current_app
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from kombu.exceptions import OperationalError

log = structlog.get_logger(__name__)
PING_SECONDS = 0.7


def states_of_parts() -> dict[str, str]:
    """Each part by name: `ok` or `unavailable`."""
    return {name: _state(name, probe) for name, probe in PROBES.items()}


def _state(name: str, probe: Callable[[], None]) -> str:
    try:
        probe()
    except Exception as error:
        # Whatever a part fails with, the answer is the same; the log says more than strangers get.
        log.warning("hub.part_unready", part=name, error=str(error)[:300])
        return "unavailable"
    return "ok"


def _database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _broker() -> None:
    with current_app.connection_for_read(connect_timeout=2) as broker:
        broker.ensure_connection(max_retries=1, timeout=2)


def _cache() -> None:
    cache.set("hub.readyz", "ok", 10)
    if cache.get("hub.readyz") != "ok":
        raise OSError("the cache forgets what it was told")


def _object_store() -> None:
    settings.OBJECTS_DIR.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=settings.OBJECTS_DIR) as file:
        file.write(b"ok")


def _git() -> None:
    settings.REPOSITORIES_DIR.mkdir(parents=True, exist_ok=True)
    if shutil.which("git") is None:
        raise OSError("git is not on PATH")
    with tempfile.TemporaryFile(dir=settings.REPOSITORIES_DIR) as file:
        file.write(b"ok")


def _disk() -> None:
    usage = shutil.disk_usage(settings.OBJECTS_DIR)
    reserve = min(settings.FREE_DISK_RESERVE_BYTES, usage.total // 20)
    if usage.free < reserve:
        raise OSError(f"{usage.free} bytes are free, {reserve} are reserved")


PROBES: dict[str, Callable[[], None]] = {
    "database": _database,
    "broker": _broker,
    "cache": _cache,
    "object_store": _object_store,
    "git": _git,
    "disk": _disk,
}


def workers_answering() -> list[str] | None:
    """The names of the workers that answer within a moment; None when the broker does not."""
    try:
        replies = current_app.control.ping(timeout=PING_SECONDS)
    except (OperationalError, OSError) as error:
        log.warning("hub.workers_unasked", error=str(error)[:300])
        return None
    return sorted(name for reply in replies or [] for name in reply)
