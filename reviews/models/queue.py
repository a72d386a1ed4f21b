"""The merge queue: pull requests that somebody wants merged as soon as they may be, in order."""

from __future__ import annotations

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from reviews.models.work import ATTEMPTS, LEASE


class QueueState(models.TextChoices):
    WAITING = "waiting", _("waiting")
    WORKING = "working", _("running")
    MERGED = "merged", _("merged")
    EJECTED = "ejected", _("ejected")
    WITHDRAWN = "withdrawn", _("withdrawn")


LIVE = (QueueState.WAITING, QueueState.WORKING)


class QueueEntryQuerySet(models.QuerySet["QueueEntry"]):
    def live(self) -> Self:
        return self.filter(state__in=LIVE)

    def settled(self) -> Self:
        """Those whose wait is over, the newest first."""
        return self.exclude(state__in=LIVE).order_by("-settled_at", "-pk")

    def of(self, repository_id: int, branch: str) -> Self:
        """Those of one branch, in the order in which they came."""
        rows = self.filter(
            pull_request__repository=repository_id, pull_request__target_branch=branch
        )
        return rows.order_by("pk")

    def claim(self, pk: int) -> QueueEntry | None:
        """Take an entry up; None when a worker has it, it is settled, or its workers die of it."""
        now = timezone.now()
        free = Q(lease_until=None) | Q(lease_until__lt=now)
        taken = (
            self.live()
            .filter(free, pk=pk, lost__lt=ATTEMPTS)
            .update(
                state=QueueState.WORKING,
                fence=F("fence") + 1,
                lost=F("lost") + 1,
                lease_until=now + LEASE,
                is_rung=False,
            )
        )
        if not taken:
            return None
        return self.select_related("pull_request__repository__namespace", "by").get(pk=pk)

    def held(self, entry: QueueEntry) -> Self:
        """The row while the claim that `entry` was read under still holds."""
        return self.filter(pk=entry.pk, fence=entry.fence, state=QueueState.WORKING)

    def release(self, entry: QueueEntry) -> bool:
        """Lay an entry down. True when somebody rang meanwhile: it has to be looked at again."""
        rows = self.held(entry)
        if rows.filter(is_rung=False).update(lease_until=None, lost=0):
            return False
        return rows.update(lease_until=None, lost=0) == 1

    def leave_word(self, pk: int) -> bool:
        """Have the worker that has an entry look at it again. False when none has it."""
        return self.live().filter(pk=pk, lease_until__gte=timezone.now()).update(is_rung=True) == 1

    def abandoned(self) -> Self:
        """Those whose every worker died."""
        return self.live().filter(lost__gte=ATTEMPTS, lease_until__lt=timezone.now())


class QueueEntry(models.Model):
    """Somebody's wish to have a pull request merged once its turn comes and all is met.

    It is the wish for one version, `head_oid`, and for what the queue itself makes of that: with
    `weights`, a choice as `actions.weight_merges.choice_of` gives it, weights that the target has
    moved too are merged. The order is that of the keys. `reason` has a code and parameters.
    """

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
    fence = models.PositiveIntegerField(default=0, help_text="Counts the claims.")
    lost = models.PositiveSmallIntegerField(
        default=0, help_text="Claims in a row after which no worker laid it down."
    )
    lease_until = models.DateTimeField(null=True, blank=True)
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
