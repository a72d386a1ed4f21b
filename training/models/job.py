"""What a worker carries out for somebody: a run or a try. It can be cancelled, and ends once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar, Self, TypeVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from hub.models.leases import Leased, LeasedQuerySet

Row = TypeVar("Row", bound="Job")


class RunStatus(models.TextChoices):
    DRAFT = "draft", _("draft")
    QUEUED = "queued", _("queued")
    RUNNING = "running", _("running")
    SUCCEEDED = "succeeded", _("succeeded")
    FAILED = "failed", _("failed")
    CANCELLED = "cancelled", _("cancelled")


LIVE = (RunStatus.QUEUED, RunStatus.RUNNING)
FINAL = (RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.CANCELLED)


class JobQuerySet(LeasedQuerySet[Row]):
    def waiting(self) -> Self:
        """Queued rows, the one that waits longest first."""
        return self.filter(status=RunStatus.QUEUED).order_by("created_at", "pk")

    def due(self) -> Self:
        """Those that a worker may take now; what is to stop is taken by nobody any more."""
        return super().due().filter(cancel_requested_at=None)

    def to_cancel(self) -> Self:
        """Those that were asked to stop and that no worker holds."""
        return self.free().filter(cancel_requested_at__isnull=False)

    def claim(self, pk: int, **columns: Any) -> Row | None:
        return super().claim(pk, status=RunStatus.RUNNING, **columns)

    def finish(self, row: Row, status: RunStatus, **facts: Any) -> bool:
        """Write the one final state. False when the claim no longer holds the row."""
        return self.settle(row, **ended(status), **facts)


def ended(status: RunStatus) -> dict[str, Any]:
    """What every end of a job writes."""
    return {"status": status, "finished_at": timezone.now()}


class Job(Leased):
    LIVE: ClassVar[Q] = Q(status__in=("queued", "running"))
    FAILED: ClassVar[Q | None] = Q(status="failed")

    status = models.CharField(max_length=16, choices=RunStatus, default=RunStatus.QUEUED)
    result = models.JSONField(default=dict)
    error = models.TextField(blank=True, help_text="One sentence: the cause and the remedy.")
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    worker = models.CharField(max_length=128, blank=True)

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=RunStatus.values), name="%(class)s_status_known"
            ),
            models.CheckConstraint(
                condition=~Q(status="running") | Q(lease_ends_at__isnull=False),
                name="running_%(class)s_means_leased",
            ),
            models.CheckConstraint(
                condition=~Q(status="failed") | ~Q(error=""), name="failed_%(class)s_means_error"
            ),
            models.CheckConstraint(
                condition=Q(
                    status__in=("succeeded", "failed", "cancelled"), finished_at__isnull=False
                )
                | ~Q(status__in=("succeeded", "failed", "cancelled")),
                name="final_%(class)s_means_finished",
            ),
        ]

    @classmethod
    def lease(cls) -> timedelta:
        return settings.RUN_LEASE

    @property
    def is_live(self) -> bool:
        return self.status in LIVE

    @property
    def is_final(self) -> bool:
        return self.status in FINAL
