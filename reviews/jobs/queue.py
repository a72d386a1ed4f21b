"""The merge queue of a branch: its first entry is taken up until it has to wait, then the next.

A row is the job: claimed with a lease, so that one worker at a time looks at it, and settled once.
Nothing is kept in between: each look begins with what git and the rows say then.
"""

from __future__ import annotations

from typing import Any

import structlog
from django.db import DatabaseError, transaction
from django.utils import timezone

from hub.actions import audit
from hub.errors import HubError, StorageFullError, StorageUnavailableError, ThrottledError
from hub.policies import Actor
from reviews.extensions import registries
from reviews.jobs.telling import tell
from reviews.models import (
    Discussion,
    QueueEntry,
    QueueState,
    TimelineEvent,
    TimelineKind,
    WeightMerge,
)

log = structlog.get_logger(__name__)
# More than this in one go, and the sweeper goes on.
LOOKS_AT_ONCE = 100
# What passes by itself: the entry keeps its place.
PASSING = (ThrottledError, StorageUnavailableError, StorageFullError)


def advance(entry_id: int) -> None:
    """Go through the queue in which an entry stands, or stood, until its first one has to wait.

    Safe to call at any time and any number of times: the rows decide.
    """
    found = QueueEntry.objects.select_related("pull_request").filter(pk=entry_id).first()
    if found is None:
        return
    place = found.pull_request.repository_id, found.pull_request.target_branch
    for _look in range(LOOKS_AT_ONCE):
        first = QueueEntry.objects.of(*place).live().first()
        if first is None or not _take_up(first.pk):
            return


def _take_up(pk: int) -> bool:
    """Look at one entry. Whether to look at the queue again at once."""
    entry = QueueEntry.objects.claim(pk)
    if entry is None:
        _settle_abandoned(pk)
        # Settled, or laid down, between the two questions: look again.
        return not QueueEntry.objects.leave_word(pk)
    moved = False
    try:
        moved = registries.queue_step(entry)
    except PASSING as error:
        log.info("queue.waits", entry_id=pk, reason=str(error))
    except HubError as error:
        moved = eject(entry, "refused", said=str(error))
    except DatabaseError:
        raise  # nothing can be written now: the lease runs out and the sweeper rings again
    except Exception:
        log.exception("queue.broken", entry_id=pk)
        moved = eject(entry, "internal")
    return QueueEntry.objects.release(entry) or moved


def _settle_abandoned(pk: int) -> None:
    """Eject an entry whose every worker died."""
    rows = QueueEntry.objects.exhausted().filter(pk=pk)
    for entry in rows.select_related("pull_request__repository__namespace", "by"):
        settle(entry, QueueState.EJECTED, Actor(entry.by), "workers_died")


def first_ones(**wanted: Any) -> list[int]:
    """The first live entry of every queue, or of those with `wanted` entries."""
    place = ("pull_request__repository", "pull_request__target_branch")
    rows = QueueEntry.objects.live().filter(**wanted).order_by(*place, "pk").distinct(*place)
    return list(rows.values_list("pk", flat=True))


# How an entry ends --------------------------------------------------------------------------------


def eject(entry: QueueEntry, code: str, **parameters: Any) -> bool:
    """Take an entry that the caller has claimed out of the queue. False when it lost the claim."""
    return settle(entry, QueueState.EJECTED, Actor(entry.by), code, is_held=True, **parameters)


@transaction.atomic
def settle(
    entry: QueueEntry,
    state: QueueState,
    actor: Actor,
    code: str,
    *,
    is_held: bool = False,
    **parameters: Any,
) -> bool:
    """End an entry's wait without a merge, and tell. False when somebody was first.

    `is_held`: only while the claim that `entry` was read under holds.
    """
    # Before the entry, as everybody takes the two: else two of them could wait for each other.
    Discussion.objects.select_for_update().only("pk").filter(pk=entry.pull_request_id).first()
    rows = QueueEntry.objects.held(entry) if is_held else QueueEntry.objects.filter(pk=entry.pk)
    reason = {"code": code, "parameters": parameters}
    ended = {"state": state, "reason": reason, "settled_at": timezone.now()}
    if not rows.live().close(**ended):
        return False
    # What still works at its weights must not move the proposal any more: its claim is lost.
    WeightMerge.objects.filter(queue_entry=entry).fail("left_queue")
    entry.state, entry.reason = state, reason
    record(entry, actor, "left" if state == QueueState.WITHDRAWN else "ejected", why=reason)
    return True


def settle_merged(pull_request: Discussion) -> None:
    """End the wait of a pull request that is merged, within the transaction that says so."""
    QueueEntry.objects.live().filter(pull_request=pull_request).close(
        state=QueueState.MERGED, settled_at=timezone.now()
    )


def settle_closed(pull_request: Discussion, actor: Actor) -> None:
    """End the wait of a pull request that is closed, within the transaction that does so."""
    entry = live_entry(pull_request)
    if entry is not None:
        settle(entry, QueueState.WITHDRAWN, actor, "closed")


def live_entry(pull_request: Discussion) -> QueueEntry | None:
    """The place in the queue that a pull request holds."""
    rows = QueueEntry.objects.live().select_related("by").filter(pull_request=pull_request)
    entry = rows.first()
    if entry is not None:
        entry.pull_request = pull_request
    return entry


@transaction.atomic
def follow_head(pull_request: Discussion) -> None:
    """Eject a pull request whose head is not the one that was queued, nor what the queue made."""
    row = Discussion.objects.select_for_update().get(pk=pull_request.pk)
    row.repository = pull_request.repository
    entry = live_entry(row)
    if entry is not None and not row.is_being_merged and not is_queued_head(entry, row.head_oid):
        settle(entry, QueueState.EJECTED, Actor(entry.by), "new_version", head_oid=row.head_oid)


def is_queued_head(entry: QueueEntry, head_oid: str) -> bool:
    """Whether a head is the one that was queued, or the queue has merged its weights."""
    if head_oid == entry.head_oid:
        return True
    return entry.weight_merges.filter(result_oid=head_oid).exists()


def record(entry: QueueEntry, actor: Actor, what: str, **data: Any) -> None:
    """One line each in the conversation, the activity and the audit trail, and a webhook."""
    row = entry.pull_request
    repository = row.repository
    TimelineEvent.objects.record(row, TimelineKind.QUEUE, actor.user, what=what, **data)
    path = row.get_absolute_url()
    audit.announce(repository, actor, f"queue.{what}", path=path, number=row.number)
    subject = f"{repository.path}#{row.number} into {row.target_branch}"
    audit.record(actor, f"queue.{what}", subject, new=entry.head_oid)
    tell(row, "update", actor.user)
    log.info(f"queue.{what}", number=row.number, **repository.as_facts())
