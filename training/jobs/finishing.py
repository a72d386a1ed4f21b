"""The one final state of a run that succeeded, with its line in the activity."""

from __future__ import annotations

from typing import Any

import structlog
from django.db import transaction

from hub.jobs.working import ClaimLostError
from hub.models import Event
from training.models import Run, RunStatus

log = structlog.get_logger(__name__)


@transaction.atomic
def finish(run: Run, status: RunStatus, **facts: Any) -> None:
    """Settle `run` in the caller's transaction. Raises: ClaimLostError; nothing is written then."""
    if not Run.objects.finish(run, status, **facts):
        raise ClaimLostError
    announce(run, status)
    log.info("run.ended", run_id=run.pk, status=str(status), error=facts.get("error", ""))


def announce(run: Run, status: RunStatus) -> None:
    """One line in the repository's activity."""
    Event.objects.create(
        repository=run.repository,
        actor=run.created_by,
        kind="run.finished",
        path=run.get_absolute_url(),
        data={"number": run.number, "kind": run.kind, "status": str(status), "title": run.title},
    )
