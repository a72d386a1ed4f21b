"""Telling people what happened: every event once, whoever is killed and however often it rings.

An event is written in the transaction of the change itself. Here a worker takes it under a lock,
writes the rows of those whom it concerns and marks it told, all in one transaction.
"""

from __future__ import annotations

import structlog
from django.db import transaction
from django.utils import timezone

from hub.extensions import Notable, registries
from hub.jobs import inbox
from hub.models import Access, Event, Listening, Notification, Reason
from hub.models.inbox import PERSONAL
from hub.policies import holders, people_named
from hub.rendering import mentioned_in

log = structlog.get_logger(__name__)

BATCH = 200


def tell_pending() -> int:
    """Tell everything that is untold, in order; returns how many events.

    One that cannot be told is left for the next time and keeps none of the others waiting.
    """
    count = last = 0
    rows = Event.objects.untold().order_by("pk").values_list("pk", flat=True)
    while keys := list(rows.filter(pk__gt=last)[:BATCH]):
        count += sum(_told(pk) for pk in keys)
        last = keys[-1]
    return count


def _told(pk: int) -> bool:
    try:
        return tell(pk)
    except Exception:
        log.exception("inbox.not_told", event_id=pk)
        return False


@transaction.atomic
def tell(pk: int) -> bool:
    """Tell one event. False when it is told, or another worker has it."""
    rows = Event.objects.select_for_update(skip_locked=True, of=("self",)).untold()
    event = rows.select_related("repository__namespace", "actor").filter(pk=pk).first()
    if event is None:
        return False
    notable = registries.notable.get(event.kind)
    number = event.data.get("number")
    if notable is not None and isinstance(number, int) and notable.is_told(event):
        _tell_people(event, notable, number)
    Event.objects.filter(pk=pk).update(told_at=timezone.now())
    return True


def _tell_people(event: Event, notable: Notable, number: int) -> None:
    thread = f"{notable.thread}/{number}"
    threads = registries.threads[notable.thread]
    reasons: dict[int, str] = {}
    if not notable.only_asked:
        participants = threads.participants(event.repository, number)
        reasons = _audience(event, notable, thread, participants)
    reasons |= threads.asked(event)
    named = people_named(mentioned_in(threads.said(event)))
    reasons |= dict.fromkeys(named.values(), str(Reason.MENTION))
    if not notable.by_machine and event.actor_id is not None:
        reasons.pop(event.actor_id, None)
    told = inbox.tell_about(
        event.repository,
        thread,
        reasons,
        kind=event.kind,
        actor=event.actor,
        title=threads.title(event.repository, number)[:256],
        data={
            key: event.data[key] for key in ("comment", "verdict", "status") if key in event.data
        },
    )
    log.info("inbox.told", event_id=event.pk, kind=event.kind, people=len(told))


def _audience(
    event: Event, notable: Notable, thread: str, participants: dict[int, str]
) -> dict[int, str]:
    """Everyone who listens, each with the strongest reason; who was asked by name earlier too."""
    repository = event.repository
    chosen = inbox.choices(repository, thread)
    watching = {pk for pk, level in chosen.items() if level == Listening.WATCHING}
    if repository.created_by_id in holders(repository, Access.WRITE) - set(chosen):
        watching.add(repository.created_by_id)
    reasons = dict.fromkeys(watching, str(Reason.WATCHING))
    earlier = Notification.objects.filter(repository=repository, thread=thread)
    for pk in earlier.filter(reason__in=PERSONAL).values_list("user", flat=True):
        reasons[pk] = str(Reason.COMMENT)
    for pk, reason in participants.items():
        own = notable.reason if notable.by_machine else reason
        reasons[pk] = inbox.stronger(own, reasons.get(pk, own))
    return reasons
