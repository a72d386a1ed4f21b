"""Letters to people about what they were told: when they want one, and what became of each."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from hub.models.leases import Leased, RetriedQuerySet


class Digest(models.TextChoices):
    OFF = "off", _("Never")
    DAILY = "daily", _("Every day")
    WEEKLY = "weekly", _("Every week")


EVERY = {Digest.DAILY: timedelta(days=1), Digest.WEEKLY: timedelta(days=7)}
# Somebody who is named twice in a minute gets one letter.
PATIENCE = timedelta(seconds=60)
WAITS = tuple(timedelta(minutes=minutes) for minutes in (1, 10, 60, 360))
ATTEMPTS = len(WAITS) + 1


class MailChoice(models.Model):
    """Which letters a person wants. Without a row: at once for what is urgent, no digest."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="mail_choice"
    )
    urgent = models.BooleanField(default=True)
    digest = models.CharField(max_length=8, choices=Digest, default=Digest.OFF)
    language = models.CharField(max_length=16, default="en")
    # Urgent things told before are in a letter already.
    urgent_until = models.DateTimeField(default=timezone.now)
    digest_due_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(digest__in=Digest.values), name="mail_choice_digest_known"
            )
        ]
        indexes = [models.Index(fields=["digest_due_at"], name="mail_choice_due")]

    def next_digest(self, after: datetime) -> datetime | None:
        every = EVERY.get(Digest(self.digest))
        return None if every is None else after + every


class LetterState(models.TextChoices):
    WAITING = "waiting", _("waiting")
    SENT = "sent", _("sent")
    EMPTY = "empty", _("nothing left to say")
    UNSURE = "unsure", _("its worker ended while sending")
    FAILED = "failed", _("failed")


class LetterQuerySet(RetriedQuerySet["Letter"]):
    def free(self) -> Self:
        """Those that nobody has taken. What was claimed was perhaps sent: none is taken over."""
        return self.live().filter(lease_ends_at=None)

    def give_up_lost(self) -> int:
        """Letters whose worker is gone: nobody knows whether they were sent."""
        return self.lost().close(state=LetterState.UNSURE)


class Letter(Leased):
    """One letter: what it says is gathered when it is sent, of what its reader may still know."""

    LIVE: ClassVar[Q] = Q(state="waiting")
    FAILED: ClassVar[Q | None] = Q(state__in=("failed", "unsure"))
    ENDED: ClassVar[str] = "due_at"
    REASON: ClassVar[str] = "problem"
    TITLE: ClassVar[Any] = _("Letters")

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="letters"
    )
    is_digest = models.BooleanField()
    until = models.DateTimeField(help_text="It tells what was told before.")
    uid = models.UUIDField(default=uuid.uuid4, unique=True)
    state = models.CharField(max_length=8, choices=LetterState, default=LetterState.WAITING)
    attempts_left = models.PositiveSmallIntegerField(default=ATTEMPTS)
    due_at = models.DateTimeField()
    problem = models.CharField(max_length=300, blank=True)

    objects = LetterQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "is_digest", "until"], name="letter_unique"),
            models.CheckConstraint(
                condition=Q(state__in=LetterState.values), name="letter_state_known"
            ),
        ]
        indexes = [models.Index(fields=["due_at"], condition=Q(state="waiting"), name="letter_due")]

    @classmethod
    def lease(cls) -> timedelta:
        """A worker that has not said how a letter went by then is gone."""
        return timedelta(minutes=10)
