"""The merge queue: pull requests that somebody wants merged as soon as they may be, in order."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from hub.models.leases import ATTEMPTS, Leased, LeasedQuerySet


class QueueState(models.TextChoices):
    WAITING = "waiting", _("waiting")
    WORKING = "working", _("running")
    MERGED = "merged", _("merged")
    EJECTED = "ejected", _("ejected")
    WITHDRAWN = "withdrawn", _("withdrawn")


LIVE = (QueueState.WAITING, QueueState.WORKING)


class QueueEntryQuerySet(LeasedQuerySet["QueueEntry"]):
    def settled(self) -> Self:
        """Those whose wait is over, the newest first."""
        return super().settled().order_by("-settled_at", "-pk")

    def of(self, repository_id: int, branch: str) -> Self:
        """Those of one branch, in the order in which they came."""
        rows = self.filter(
            pull_request__repository=repository_id, pull_request__target_branch=branch
        )
        return rows.order_by("pk")

    def claim(self, pk: int, **columns: Any) -> QueueEntry | None:
        """Take an entry up; None when a worker has it, it is settled, or its workers die of it."""
        return super().claim(pk, state=QueueState.WORKING, is_rung=False, **columns)

    def release(self, entry: QueueEntry) -> bool:
        """Lay an entry down. True when somebody rang meanwhile: it has to be looked at again."""
        if self.held(entry).filter(is_rung=False).close(attempts_left=ATTEMPTS):
            return False
        return self.held(entry).close(attempts_left=ATTEMPTS) == 1

    def leave_word(self, pk: int) -> bool:
        """Have the worker that has an entry look at it again. False when none has it."""
        return self.under_way().filter(pk=pk).update(is_rung=True) == 1


class QueueEntry(Leased):
    """Somebody's wish to have a pull request merged once its turn comes and all is met.

    It is the wish for one version, `head_oid`, and for what the queue itself makes of that: with
    `weights`, a choice as `actions.weight_merges.choice_of` gives it, weights that the target has
    moved too are merged. The order is that of the keys. `reason` has a code and parameters. Every
    look at it is a claim; one that ends in a word makes good for those that were lost.
    """

    TITLE: ClassVar[Any] = _("Merge queue")

    LIVE: ClassVar[Q] = Q(state__in=LIVE)

    pull_request = models.ForeignKey(
        "reviews.Discussion", on_delete=models.CASCADE, related_name="queue_entries"
    )
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    head_oid = models.CharField(max_length=40)
    weights = models.JSONField(null=True, blank=True)
    state = models.CharField(max_length=9, choices=QueueState, default=QueueState.WAITING)
    reason = models.JSONField(default=dict, blank=True)
    asked = models.CharField(
        max_length=81, blank=True, help_text="Head and base of the checks that it has started."
    )
    added_at = models.DateTimeField(auto_now_add=True)
    settled_at = models.DateTimeField(null=True, blank=True)
    is_rung = models.BooleanField(default=False, help_text="While a worker had it.")

    objects = QueueEntryQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=QueueState.values), name="queue_entry_state_known"
            ),
            models.UniqueConstraint(
                fields=["pull_request"],
                condition=Q(state__in=("waiting", "working")),
                name="one_live_queue_entry",
            ),
            models.CheckConstraint(
                condition=Q(state__in=("waiting", "working"), settled_at=None)
                | ~Q(state__in=("waiting", "working")) & Q(settled_at__isnull=False),
                name="queue_entry_settled_once",
            ),
        ]
        indexes = [
            models.Index(
                fields=["id"],
                condition=Q(state__in=("waiting", "working")),
                name="queue_entry_live",
            )
        ]

    @property
    def is_live(self) -> bool:
        return self.state in LIVE
