"""What no message will bring back: abandoned leases, forgotten queued runs, cancelled ones."""

from __future__ import annotations

import shutil

import structlog
from django.conf import settings
from django.db import transaction

from training.jobs import gate
from training.jobs.finishing import announce
from training.models import Run, RunKind, RunStatus
from training.models.runs import ATTEMPTS, RunQuerySet

log = structlog.get_logger(__name__)
# Any free worker takes the run that waits longest: ringing for more would only pile up messages.
RUNG_AT_ONCE = 8


def due() -> list[int]:
    """Settle what was cancelled while nobody held it, and what takes every worker down; the runs
    whose doorbell must ring again."""
    cancelled, given_up = settle_cancelled(Run.objects.all()), _give_up()
    abandoned = list(Run.objects.lost().due().values_list("pk", flat=True))
    waiting = list(Run.objects.waiting().values_list("pk", flat=True)[:RUNG_AT_ONCE])
    if cancelled or given_up or abandoned:
        log.info("runs.swept", cancelled=cancelled, given_up=given_up, abandoned=abandoned)
    return [*abandoned, *waiting]


@transaction.atomic
def settle_cancelled(rows: RunQuerySet) -> list[int]:
    """End those of `rows` that are to stop and that no worker holds; their keys."""
    return _tell(rows.to_cancel().end(RunStatus.CANCELLED, RunStatus.CANCELLED))


@transaction.atomic
def _give_up() -> list[int]:
    """End those whose every worker was lost; their keys."""
    error = (
        f"Its worker was lost {ATTEMPTS} times: look for what ends it (memory, disk), then run it "
        "again."
    )
    return _tell(Run.objects.exhausted().end(RunStatus.FAILED, "lost", error=error))


def _tell(ended: list[Run]) -> list[int]:
    for run in ended:
        announce(run, RunStatus(run.status))
        if run.kind == RunKind.COMPARE:
            gate.settle_unweighed(run, run.error)
    return [run.pk for run in ended]


def remove_left_folders() -> int:
    """The number of folders removed that ended runs left: their worker died first, or the
    repository went, and with it the row, while they worked."""
    if not settings.RUNS_DIR.is_dir():
        return 0
    folders = {int(f.name): f for f in settings.RUNS_DIR.iterdir() if f.name.isdecimal()}
    live = Run.objects.live().filter(pk__in=folders).values_list("pk", flat=True)
    left = folders.keys() - set(live)
    for pk in left:
        shutil.rmtree(folders[pk], ignore_errors=True)
    return len(left)
