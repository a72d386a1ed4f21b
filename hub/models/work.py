"""Work that ends with a result or with the reason why there is none; the row is the job."""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from hub.models.leases import ATTEMPTS, Leased, LeasedQuerySet

Row = TypeVar("Row", bound="Work")


class WorkState(models.TextChoices):
    WAITING = "waiting", _("waiting")
    RUNNING = "running", _("running")
    DONE = "done", _("done")
    FAILED = "failed", _("failed")


class WorkQuerySet(LeasedQuerySet[Row]):
    def claim(self, pk: int, **columns: Any) -> Row | None:
        return super().claim(pk, state=WorkState.RUNNING, started_at=timezone.now(), **columns)

    def give_up(self) -> int:
        """Settle those whose every worker died; how many."""
        return self.exhausted().fail("workers_died")

    def fail(self, code: str, **parameters: Any) -> int:
        """Settle live ones with a reason; how many."""
        error = {"code": code, "parameters": parameters}
        return self.live().close(state=WorkState.FAILED, error=error, finished_at=timezone.now())

    def ask_again(self, **columns: Any) -> int:
        """Have settled ones done once more, with `columns` changed; how many."""
        return self.settled().update(
            state=WorkState.WAITING, error={}, attempts_left=ATTEMPTS, **columns
        )


class Work(Leased):
    """`error` has code and parameters."""

    LIVE: ClassVar[Q] = Q(state__in=("waiting", "running"))
    FAILED: ClassVar[Q | None] = Q(state="failed")

    state = models.CharField(max_length=8, choices=WorkState, default=WorkState.WAITING)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
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
                fields=["lease_ends_at"],
                condition=Q(state__in=("waiting", "running")),
                name="%(class)s_due",
            )
        ]

    @property
    def is_settled(self) -> bool:
        return self.state in (WorkState.DONE, WorkState.FAILED)
