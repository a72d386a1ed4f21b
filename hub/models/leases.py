"""The row is the job: a worker holds it by a lease and a fencing number (decision 2)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar, Self, TypeVar

from django.db import models, transaction
from django.db.models import F, Q
from django.db.models.functions import Now

# After so many workers that died of it, a row is left alone.
ATTEMPTS = 3

Row = TypeVar("Row", bound="Leased")


class LeasedQuerySet(models.QuerySet[Row]):
    """Every change is one conditional UPDATE, by the clock of the database."""

    def live(self) -> Self:
        """Those that still want a worker, or have one."""
        return self.filter(self.model.LIVE)

    def settled(self) -> Self:
        """Those of which it is known what came."""
        return self.exclude(self.model.LIVE)

    def under_way(self) -> Self:
        """Those whose worker has said so lately."""
        return self.live().filter(lease_ends_at__gt=Now())

    def lost(self) -> Self:
        """Those whose worker is gone."""
        return self.live().filter(lease_ends_at__lte=Now())

    def free(self) -> Self:
        """Those that no worker holds: not yet, or no more."""
        return self.live().filter(Q(lease_ends_at=None) | Q(lease_ends_at__lte=Now()))

    def due(self) -> Self:
        """Those that a worker may take now."""
        return self.free().filter(attempts_left__gt=0)

    def exhausted(self) -> Self:
        """Those whose every worker died of it."""
        return self.free().filter(attempts_left=0)

    @transaction.atomic
    def claim(self, pk: int, **columns: Any) -> Row | None:
        """Take a due row; None when somebody else was first, or it is settled.

        The fencing number rises with every claim: a worker that lost its lease and wakes up
        later holds an old number, and all its writes miss (`held`).
        """
        taken = (
            self.due()
            .filter(pk=pk)
            .update(
                fence=F("fence") + 1,
                attempts_left=F("attempts_left") - 1,
                lease_ends_at=Now() + self.model.lease(),
                **columns,
            )
        )
        return self.get(pk=pk) if taken else None

    def held(self, row: Row) -> Self:
        """The row while the claim that `row` was read under still holds."""
        return self.live().filter(pk=row.pk, fence=row.fence, lease_ends_at__isnull=False)

    def renew(self, row: Row, **columns: Any) -> bool:
        """Extend the lease and write `columns`. False when the claim no longer holds."""
        return self.held(row).update(lease_ends_at=Now() + self.model.lease(), **columns) == 1

    def settle(self, row: Row, **columns: Any) -> bool:
        """Write how the work ended and end the lease. False when the claim no longer holds."""
        return self.held(row).close(**columns) == 1

    def close(self, **columns: Any) -> int:
        """Write what came of these rows and end their leases, whoever holds them; how many."""
        return self.update(lease_ends_at=None, **columns)


class Leased(models.Model):
    """`fence` counts the claims; `attempts_left` says how many more there may be."""

    # The rows that want a worker: those of no other state are ever claimed or written to.
    LIVE: ClassVar[Q]
    # For the operator: which ended without a result, the columns that say when and why (a sentence,
    # or a code with parameters), and what such work is called.
    FAILED: ClassVar[Q | None] = None
    ENDED: ClassVar[str] = "finished_at"
    REASON: ClassVar[str] = "error"
    TITLE: ClassVar[Any]

    fence = models.PositiveIntegerField(default=0)
    attempts_left = models.PositiveSmallIntegerField(default=ATTEMPTS)
    lease_ends_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True

    @classmethod
    def lease(cls) -> timedelta:
        """A worker that says nothing for so long is gone, and another one takes over."""
        return timedelta(seconds=60)

    @property
    def attempt(self) -> int:
        """The number of the latest claim, from 1."""
        return self.fence


class RetriedQuerySet(LeasedQuerySet[Row]):
    """Of rows that wait for a moment, `due_at`: the first attempt, or the next one."""

    def due(self) -> Self:
        return super().due().filter(due_at__lte=Now())


def wait_after(waits: tuple[timedelta, ...], attempt: int) -> timedelta:
    """How long to wait after attempt number `attempt`; the last wait stands for all later ones."""
    return waits[min(attempt, len(waits)) - 1]
