"""What people do in their inbox, and what they choose to hear of repositories and threads."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from hub.errors import BadInputError, NotFoundError
from hub.extensions import registries
from hub.models import (
    Digest,
    Listening,
    MailChoice,
    Notification,
    NotificationState,
    Reason,
    Repository,
    Subscription,
)
from hub.models.inbox import NotificationQuerySet
from hub.policies import Actor, require_person, visible_notifications

_THREAD = re.compile(r"([a-z]{1,32})/[1-9][0-9]{0,8}")
CHANGES = {
    "read": NotificationState.READ,
    "unread": NotificationState.UNREAD,
    "done": NotificationState.DONE,
}


Narrow = Callable[[NotificationQuerySet], NotificationQuerySet]


def _open(*reasons: str) -> Narrow:
    return lambda rows: rows.filter(reason__in=reasons).exclude(state=NotificationState.DONE)


VIEWS: dict[str, Narrow] = {
    "unread": lambda rows: rows.unread(),
    "all": lambda rows: rows.exclude(state=NotificationState.DONE),
    "mentions": _open(Reason.MENTION),
    "reviews": _open(Reason.REVIEW),
    "mine": _open(Reason.AUTHOR, Reason.RUN, Reason.GATE),
    "done": lambda rows: rows.filter(state=NotificationState.DONE),
}


def narrowed(actor: Actor, view: str, repo: str = "") -> NotificationQuerySet:
    """What one was told, of a view and perhaps of one repository. Raises: BadInputError."""
    if view not in VIEWS:
        raise BadInputError(f"“{view[:40]}” is no view: use {', '.join(VIEWS)}.")
    rows = VIEWS[view](visible_notifications(actor))
    if repo:
        owner, _slash, name = repo[:200].replace("\0", "").partition("/")
        rows = rows.filter(repository__namespace__slug__iexact=owner, repository__name__iexact=name)
    return rows


def mark(actor: Actor, keys: Sequence[int], change: str) -> int:
    """Mark some of one's own: `read`, `unread` or `done`; returns how many there were."""
    require_person(actor)
    if change not in CHANGES:
        raise BadInputError(f"“{change[:40]}” is nothing to mark: use {', '.join(CHANGES)}.")
    return visible_notifications(actor).filter(pk__in=keys).update(state=CHANGES[change])


def mark_all(rows: NotificationQuerySet, change: str, *, until: datetime) -> int:
    """Mark what a list shows, but nothing that was told after it was shown."""
    if change not in CHANGES:
        raise BadInputError(f"“{change[:40]}” is nothing to mark: use {', '.join(CHANGES)}.")
    return rows.filter(told_at__lte=until).update(state=CHANGES[change])


@transaction.atomic
def listen(repository: Repository, actor: Actor, thread: str, level: str) -> None:
    """Choose what to hear of a thread, or with an empty one of the repository; "" ends the choice.

    Who mutes a thread has done with what they were told of it.
    """
    user = require_person(actor)
    check_thread(thread)
    if level and level not in Listening.values:
        raise BadInputError(f"“{level[:40]}” cannot be chosen: use {', '.join(Listening.values)}.")
    rows = Subscription.objects.filter(user=user, repository=repository, thread=thread)
    if not level:
        rows.delete()
        return
    # One statement: whoever is quicker, the last word stands.
    Subscription.objects.bulk_create(
        [Subscription(user=user, repository=repository, thread=thread, level=level)],
        update_conflicts=True,
        unique_fields=["user", "repository", "thread"],
        update_fields=["level"],
    )
    if level == Listening.MUTED and thread:
        heard = Notification.objects.filter(user=user, repository=repository, thread=thread)
        heard.update(state=NotificationState.DONE)


def saw(repository: Repository, actor: Actor, thread: str) -> None:
    """Whoever opens the page of a thread has read what they were told of it."""
    if actor.person is not None:
        told = Notification.objects.filter(user=actor.person, repository=repository, thread=thread)
        told.unread().update(state=NotificationState.READ)


def check_thread(thread: str) -> None:
    """Raises: BadInputError for what can be no thread of a repository."""
    found = _THREAD.fullmatch(thread)
    if thread and (found is None or found[1] not in registries.threads):
        raise BadInputError("This is no thread: open the page and choose there.")


def mute(actor: Actor, key: int) -> None:
    """Mute the thread of something that one was told."""
    row = visible_notifications(actor).select_related("repository").filter(pk=key).first()
    if row is None:
        raise NotFoundError("There is no such thing in your inbox.")
    if row.repository is None or not _THREAD.fullmatch(row.thread):
        raise BadInputError("This cannot be muted: it tells of what was done for you.")
    listen(row.repository, actor, row.thread, Listening.MUTED)


def choose_letters(actor: Actor, *, urgent: bool, digest: str, language: str) -> MailChoice:
    """Which letters the person wants, from now on."""
    user = require_person(actor)
    row, _created = MailChoice.objects.get_or_create(user=user)
    is_new = row.digest != digest
    row.urgent, row.digest, row.language = urgent, digest, language
    if is_new or row.digest_due_at is None:
        row.digest_due_at = row.next_digest(timezone.now())
    row.save(update_fields=["urgent", "digest", "language", "digest_due_at"])
    return row


def end_letters(user_pk: int, kind: str) -> None:
    """What the link in a letter asks for: no more of its kind. Asking twice changes nothing."""
    ended = {"urgent": False} if kind == "urgent" else {"digest": Digest.OFF, "digest_due_at": None}
    rows = MailChoice.objects.filter(user=user_pk)
    if not rows.update(**ended):
        MailChoice.objects.bulk_create(
            [MailChoice(user_id=user_pk, **ended)], ignore_conflicts=True
        )
