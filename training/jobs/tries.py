"""Answering tries: claimed once, answered or failed in words once, whatever is killed meanwhile."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import structlog
from django.conf import settings
from django.db import DatabaseError
from django.utils.translation import override

from hub.errors import HubError
from training.jobs.execute import worker_name
from training.jobs.try_claims import refusal_of
from training.jobs.try_session import TrySession
from training.models import RunStatus, Try

log = structlog.get_logger(__name__)
RUNG_AT_ONCE = 4
LEFT_FOLDER_SECONDS = 3600.0


def answer(pk: int) -> None:
    """Answer a try, and those that come for the same model while it is loaded.

    Safe to call at any time and any number of times: the row decides.
    """
    row = Try.objects.claim(pk, worker=worker_name(), is_warm=False)
    if row is None:
        return
    with override("en"):
        _answer(row)


def _answer(row: Try) -> None:
    refused = refusal_of(row)
    try:
        if not refused:
            TrySession(row, worker=worker_name()).run()
            return
    except DatabaseError:
        # Nothing can be written now: the lease runs out and the sweeper rings again.
        log.exception("try.interrupted", try_id=row.pk)
        raise
    except HubError as error:
        refused = str(error)
    except Exception:
        log.exception("try.broken", try_id=row.pk)
        refused = f"The server made a mistake and has logged it under try {row.pk}: ask again."
    Try.objects.finish(row, RunStatus.FAILED, error=refused)


def due() -> list[int]:
    """Settle what was cancelled while nobody held it, and what takes every worker down; the tries
    whose bell must ring again."""
    Try.objects.settle_cancelled()
    if count := Try.objects.give_up():
        log.warning("tries.given_up", count=count)
    abandoned = list(Try.objects.lost().due().values_list("pk", flat=True))
    waiting = list(Try.objects.waiting().values_list("pk", flat=True)[:RUNG_AT_ONCE])
    return [*abandoned, *waiting]


def remove_left_folders() -> int:
    """The number of folders removed that killed sessions left: none lives so long."""
    folder = Path(settings.RUNS_DIR) / "tries"
    found = list(folder.iterdir()) if folder.is_dir() else []
    old = [f for f in found if f.lstat().st_mtime < time.time() - LEFT_FOLDER_SECONDS]
    for each in old:
        shutil.rmtree(each, ignore_errors=True)
    return len(old)
