"""What is known of a table: how many rows, where they begin, what its columns hold."""

from __future__ import annotations

from datetime import timedelta
from typing import Self

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

# A worker that says nothing for so long is gone, and another one takes over.
LEASE = timedelta(seconds=60)
# After so many workers that died of it, a table is left alone.
ATTEMPTS = 3


class TableState(models.TextChoices):
    WAITING = "waiting", _("waiting")
    RUNNING = "running", _("running")
    DONE = "done", _("done")
    FAILED = "failed", _("failed")


class TableFactsQuerySet(models.QuerySet["TableFacts"]):
    def due(self) -> Self:
        """Those that wait for a worker, or whose worker is gone."""
        abandoned = Q(state=TableState.RUNNING, lease_until__lt=timezone.now())
        return self.filter(Q(state=TableState.WAITING) | abandoned)

    def claim(self, pk: int) -> TableFacts | None:
        """Take a due row; None when somebody else was first, or it is settled."""
        taken = (
            self.due()
            .filter(pk=pk, attempts_left__gt=0)
            .update(
                state=TableState.RUNNING,
                fence=F("fence") + 1,
                attempts_left=F("attempts_left") - 1,
                lease_until=timezone.now() + LEASE,
            )
        )
        return self.get(pk=pk) if taken else None

    def held(self, row: TableFacts) -> Self:
        """The row while the claim that `row` was read under still holds."""
        return self.filter(pk=row.pk, fence=row.fence, state=TableState.RUNNING)

    def give_up(self) -> int:
        """Settle those whose every worker died; how many."""
        dead = self.due().filter(attempts_left=0)
        return dead.update(state=TableState.FAILED, fault="workers_died")


class TableFacts(models.Model):
    """One or more files that are one table, by the digest of their contents; the row is the job.

    Whoever may read such files may read this: it is shared by all repositories that have them.
    """

    digest = models.CharField(max_length=64)
    version = models.PositiveSmallIntegerField(help_text="Of what is worked out.")
    repository = models.ForeignKey(
        "hub.Repository", on_delete=models.CASCADE, related_name="+", help_text="Read from here."
    )
    parts = models.JSONField(help_text="The files, in order: path, format, size, where they lie.")
    state = models.CharField(max_length=8, choices=TableState, default=TableState.WAITING)
    fence = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    attempts_left = models.PositiveSmallIntegerField(default=ATTEMPTS)
    created_at = models.DateTimeField(auto_now_add=True)
    used_at = models.DateTimeField(default=timezone.now)
    fault = models.CharField(max_length=32, blank=True)
    counts = models.JSONField(default=list, help_text="Rows of each file.")
    marks = models.JSONField(default=list, help_text="For each file: rows and where they begin.")
    columns = models.JSONField(default=list, help_text="Statistics of each column.")
    counted_rows = models.BigIntegerField(default=0, help_text="Those the statistics are over.")
    broken_rows = models.BigIntegerField(default=0, help_text="Of these, unreadable ones.")
    is_cut = models.BooleanField(default=False, help_text="There are rows that nobody counted.")

    objects = TableFactsQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["digest", "version"], name="table_facts_unique"),
            models.CheckConstraint(
                condition=Q(state__in=TableState.values), name="table_facts_state_known"
            ),
        ]
        indexes = [
            models.Index(
                fields=["lease_until"],
                condition=Q(state__in=("waiting", "running")),
                name="table_facts_due",
            ),
            models.Index(fields=["used_at"], name="table_facts_used"),
        ]

    @property
    def rows(self) -> int:
        """All rows, or with `is_cut` at least so many."""
        return sum(self.counts)

    @property
    def is_partial(self) -> bool:
        """Whether the statistics are over the first rows only."""
        return self.is_cut or self.counted_rows < self.rows

    @property
    def is_done(self) -> bool:
        return self.state == TableState.DONE

    @property
    def is_settled(self) -> bool:
        return self.state in (TableState.DONE, TableState.FAILED)
