"""Writing into people's inboxes, in the transaction of the caller."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils import timezone

from hub.models import (
    Listening,
    Namespace,
    Notification,
    NotificationState,
    Repository,
    Subscription,
    User,
)
from hub.models.inbox import STRENGTH
from hub.policies import readers


def stronger(one: str, other: str) -> str:
    """The better of two reasons to tell somebody."""
    return max(one, other, key=lambda reason: STRENGTH.get(reason, -1))


def choices(repository: Repository, thread: str) -> dict[int, str]:
    """What people chose to hear of a thread: for itself, else for its repository."""
    rows = Subscription.objects.filter(repository=repository, thread__in={"", thread})
    ordered = rows.order_by("thread").values_list("user", "level")  # the thread's own comes last
    return dict(ordered)


def tell_about(
    repository: Repository, thread: str, reasons: Mapping[int, str], **what: Any
) -> set[int]:
    """Tell people of a thread, but for those who want to hear nothing of it or may not read it."""
    muted = {pk for pk, level in choices(repository, thread).items() if level == Listening.MUTED}
    told = readers(repository, set(reasons) - muted)
    _write({pk: reasons[pk] for pk in told}, {"repository": repository, "thread": thread}, what)
    return told


def tell_member(namespace: Namespace, user: User, reason: str, **what: Any) -> None:
    """Tell one person of an organisation that they belong to now."""
    _write({user.pk: reason}, {"namespace": namespace, "thread": ""}, what)


@transaction.atomic
def _write(reasons: Mapping[int, str], place: dict[str, Any], what: dict[str, Any]) -> None:
    """One row a person: new, or told again. Rows are locked in one order, so nobody waits in a
    circle."""
    if not reasons:
        return
    now = timezone.now()
    new = [
        Notification(**place, **what, user_id=pk, reason=reasons[pk], told_at=now)
        for pk in sorted(reasons)
    ]
    Notification.objects.bulk_create(new, ignore_conflicts=True)
    rows = Notification.objects.filter(**place, user__in=reasons).exclude(told_at=now)
    for row in rows.select_for_update().order_by("pk"):
        reason = reasons[row.user_id]
        if row.state == NotificationState.UNREAD:
            reason = stronger(reason, row.reason)
        values = what | {"reason": reason, "state": NotificationState.UNREAD, "told_at": now}
        Notification.objects.filter(pk=row.pk).update(**values)
