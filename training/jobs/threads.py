"""What people's inboxes need to know of runs and verdicts: that they ended, never a number."""

from __future__ import annotations

from hub.extensions import Notable, Threads
from hub.models import Event, Reason, Repository
from training.models import Run, RunKind, RunStatus

FOLDER = "runs"


def _is_news(event: Event) -> bool:
    """A person knows that they cancelled; of a gate that ended, its verdict is told."""
    status, kind = event.data.get("status"), event.data.get("kind")
    weighed = kind == RunKind.COMPARE and status == RunStatus.SUCCEEDED
    return status != RunStatus.CANCELLED and not weighed


NOTABLE = {
    "run.finished": Notable(FOLDER, str(Reason.RUN), by_machine=True, is_told=_is_news),
    "bisect.found": Notable(FOLDER, str(Reason.RUN), by_machine=True),
    "gate.decided": Notable("discussions", str(Reason.GATE), by_machine=True),
}


def participants(repository: Repository, number: int) -> dict[int, str]:
    rows = Run.objects.filter(repository=repository, number=number)
    return dict.fromkeys(rows.values_list("created_by", flat=True), str(Reason.RUN))


def title(repository: Repository, number: int) -> str:
    rows = Run.objects.filter(repository=repository, number=number)
    return rows.values_list("title", flat=True).first() or ""


THREADS = Threads(participants=participants, title=title)
