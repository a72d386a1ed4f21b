"""What no message will bring back: abandoned leases, forgotten queued runs, cancelled ones."""

from __future__ import annotations

import structlog

from training.models import Run

log = structlog.get_logger(__name__)
# Any free worker takes the run that waits longest: ringing for more would only pile up messages.
RUNG_AT_ONCE = 8


def due() -> list[int]:
    """Settle what was cancelled while nobody held it; the runs whose doorbell must ring again."""
    cancelled = Run.objects.settle_cancelled()
    abandoned = list(Run.objects.abandoned().values_list("pk", flat=True))
    waiting = list(Run.objects.waiting().values_list("pk", flat=True)[:RUNG_AT_ONCE])
    if cancelled or abandoned:
        log.info("runs.swept", cancelled=cancelled, abandoned=abandoned)
    return [*abandoned, *waiting]
