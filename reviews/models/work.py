"""Work of a worker whose row is the job: a claim with a lease, and what comes of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Self, TypeVar

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

# A worker that says nothing for so long is gone, and another one takes over.
LEASE = timedelta(seconds=60)
# After so many workers that died of it, the work is left alone.
ATTEMPTS = 3

Row = TypeVar("Row", bound="Work")


class WorkState(models.TextChoices):
    WAITING = "waiting", _("waiting")
    RUNNING = "running", _("running")
    DONE = "done", _("done")
    FAILED = "failed", _("failed")


class WorkQuerySet(models.QuerySet[Row]):
    def due(self) -> Self:
        """Those that wait for a worker, or whose worker is gone."""
        abandoned = Q(state=WorkState.RUNNING, lease_until__lt=timezone.now())
        return self.filter(Q(state=WorkState.WAITING) | abandoned)

    def unfinished(self) -> Self:
        return self.filter(state__in=(WorkState.WAITING, WorkState.RUNNING))

    def claim(self, pk: int) -> Row | None:
        """Take a due row; None when somebody else was first, or it is settled."""
        now = timezone.now()
        taken = (
            self.due()
            .filter(pk=pk, attempts_left__gt=0)
            .update(
                state=WorkState.RUNNING,
                fence=F("fence") + 1,
                attempts_left=F("attempts_left") - 1,
                lease_until=now + LEASE,
                started_at=now,
            )
        )
        return self.get(pk=pk) if taken else None

    def give_up(self) -> int:
        """Settle those whose every worker died; how many."""
        return (
            self.due()
            .filter(attempts_left=0)
            .update(
                state=WorkState.FAILED,
                error={"code": "workers_died"},
                finished_at=timezone.now(),
            )
        )

    def held(self, row: Row) -> Self:
        """The row while the claim that `row` was read under still holds."""
        return self.filter(pk=row.pk, fence=row.fence, state=WorkState.RUNNING)


class Work(models.Model):
    """`fence` counts the claims; `error` has code and parameters."""

    state = models.CharField(max_length=8, choices=WorkState, default=WorkState.WAITING)
    fence = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    attempts_left = models.PositiveSmallIntegerField(default=ATTEMPTS)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    progress = models.JSONField(default=dict, blank=True)
    error = models.JSONField(default=dict, blank=True)

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=WorkState.values),
                name="%(class)s_state_known",
            )
        ]
        indexes = [
            models.Index(
                fields=["lease_until"],
                condition=Q(state__in=("waiting", "running")),
                name="%(class)s_due",
            )
        ]

    @property
    def is_settled(self) -> bool:
        return self.state in (WorkState.DONE, WorkState.FAILED)
