"""Letters: written when somebody has something to hear, sent at most once each.

Nobody can know whether a mail server took a letter when the worker that gave it dies: such a
letter stays `unsure` and is not sent again. What it told stays unmailed, so the next letter to
that person tells it: nothing is lost and no letter comes twice (decision 28).
"""

from __future__ import annotations

import smtplib
from collections.abc import Iterable
from datetime import timedelta
from email.errors import MessageError

import structlog
from django.conf import settings
from django.core.mail import get_connection
from django.db import transaction
from django.db.models import F, Max, Q
from django.utils import timezone

from hub.jobs.letter_text import compose
from hub.models import Digest, Letter, LetterState, MailChoice, Notification, Repository, User
from hub.models.inbox import URGENT
from hub.models.leases import wait_after
from hub.models.letters import PATIENCE, WAITS

log = structlog.get_logger(__name__)

BATCH, ROWS_A_LETTER = 500, 50
KEPT = timedelta(days=30)


def is_possible() -> bool:
    """Whether the operator has said how letters leave."""
    return bool(settings.EMAIL_URL)


def write() -> list[int]:
    """Write every letter that is due and return those that may be sent now, lost ones aside."""
    lost = Letter.objects.give_up_lost()
    if lost:
        log.warning("letters.unsure", count=lost)
    if not is_possible():
        return []
    _choose_for_new_people()
    for choice in _digests_due():
        _write_digest(choice)
    for choice in _urgent_due():
        _write_urgent(choice)
    return list(Letter.objects.due().order_by("due_at").values_list("pk", flat=True)[:BATCH])


def _choose_for_new_people() -> None:
    """Whoever was told something urgent and has chosen nothing gets the usual choice."""
    told = Notification.objects.unmailed().filter(reason__in=URGENT, user__mail_choice=None)
    told = told.exclude(user__email="")
    first = told.values_list("user").annotate(last=Max("told_at"))[:BATCH]
    rows = [MailChoice(user_id=pk, urgent_until=last - PATIENCE) for pk, last in first]
    MailChoice.objects.bulk_create(rows, ignore_conflicts=True)


def _reachable() -> Q:
    return Q(user__is_active=True) & ~Q(user__email="")


def _digests_due() -> Iterable[MailChoice]:
    due = MailChoice.objects.filter(_reachable(), digest_due_at__lte=timezone.now())
    return due.exclude(digest=Digest.OFF).order_by("digest_due_at")[:BATCH]


@transaction.atomic
def _write_digest(choice: MailChoice) -> bool:
    """One digest for the time that has passed; of several writers one wins."""
    now, due = timezone.now(), choice.digest_due_at
    moved = MailChoice.objects.filter(pk=choice.pk, digest_due_at=due)
    # Days in which nothing ran bring no letters of their own.
    if not moved.update(digest_due_at=choice.next_digest(now)):
        return False
    unread = Notification.objects.unmailed().filter(user=choice.user_id, told_at__lte=now)
    if unread.exists():
        Letter.objects.create(user_id=choice.user_id, is_digest=True, until=now, due_at=now)
    return True


def _urgent_due() -> Iterable[MailChoice]:
    """Those who were told something urgent a moment ago that no letter was written for."""
    settled = timezone.now() - PATIENCE
    told = Notification.objects.unmailed().filter(reason__in=URGENT, told_at__lte=settled)
    told = told.filter(told_at__gt=F("user__mail_choice__urgent_until"))
    chosen = MailChoice.objects.filter(_reachable(), urgent=True)
    return chosen.filter(user__in=told.values("user"))[:BATCH]


@transaction.atomic
def _write_urgent(choice: MailChoice) -> bool:
    until = timezone.now() - PATIENCE
    moved = MailChoice.objects.filter(pk=choice.pk, urgent_until=choice.urgent_until)
    if not moved.update(urgent_until=until):
        return False
    now = timezone.now()
    Letter.objects.create(user_id=choice.user_id, is_digest=False, until=until, due_at=now)
    return True


def send(pk: int) -> bool:
    """Send one letter. False when it is not due, or another worker has taken it."""
    letter = Letter.objects.claim(pk) if is_possible() else None
    if letter is None:
        return False
    rows = _rows(letter)
    if not rows or not letter.user.email or not letter.user.is_active:
        return Letter.objects.settle(letter, state=LetterState.EMPTY)
    message = compose(letter, rows)
    try:
        with get_connection() as connection:
            message.connection = connection
            message.send()
    except (OSError, smtplib.SMTPException, MessageError, ValueError) as error:
        return _refused(letter, error)
    with transaction.atomic():
        Letter.objects.settle(letter, state=LetterState.SENT)
        told = Notification.objects.filter(pk__in=[row.pk for row in rows])
        told.update(mailed_at=letter.until)
    log.info("letter.sent", letter=str(letter.uid), digest=letter.is_digest, rows=len(rows))
    return True


def _rows(letter: Letter) -> list[Notification]:
    """What it tells: unread, not in a letter yet, of what its reader may read at this moment."""
    user: User = letter.user
    seen = Repository.objects.readable_by(user).order_by()
    rows = Notification.objects.of(user, seen).unmailed().filter(told_at__lte=letter.until)
    if not letter.is_digest:
        rows = rows.filter(reason__in=URGENT)
    rows = rows.select_related("repository__namespace", "namespace", "actor")
    return list(rows.order_by("-told_at")[:ROWS_A_LETTER])


def _refused(letter: Letter, error: Exception) -> bool:
    """The server did not take it: later again, at last never."""
    columns: dict[str, object] = {"problem": str(error)[:300]}
    if letter.attempts_left:
        columns |= {"due_at": timezone.now() + wait_after(WAITS, letter.attempt)}
    else:
        columns |= {"state": LetterState.FAILED}
    log.warning("letter.refused", letter=str(letter.uid), error=type(error).__name__)
    return Letter.objects.settle(letter, **columns)


def forget_old() -> int:
    """Drop letters that went long ago; returns how many."""
    old = Letter.objects.filter(due_at__lt=timezone.now() - KEPT)
    return old.delete()[0]
