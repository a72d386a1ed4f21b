"""What lies between two revisions' weights: computed once, shared by all who may read both."""

from __future__ import annotations

from datetime import timedelta
from typing import Self

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

# A worker that says nothing for so long is gone, and another one takes over.
LEASE = timedelta(seconds=60)


class ComparisonState(models.TextChoices):
    WAITING = "waiting", _("waiting")
    RUNNING = "running", _("running")
    DONE = "done", _("done")
    FAILED = "failed", _("failed")


class WeightsComparisonQuerySet(models.QuerySet["WeightsComparison"]):
    def due(self) -> Self:
        """Those that wait for a worker, or whose worker is gone."""
        abandoned = Q(state=ComparisonState.RUNNING, lease_until__lt=timezone.now())
        return self.filter(Q(state=ComparisonState.WAITING) | abandoned)

    def claim(self, pk: int) -> WeightsComparison | None:
        """Take a due row; None when somebody else was first, or it is settled."""
        now = timezone.now()
        taken = self.due().filter(pk=pk, attempts_left__gt=0).update(
            state=ComparisonState.RUNNING,
            fence=F("fence") + 1,
            attempts_left=F("attempts_left") - 1,
            lease_until=now + LEASE,
            started_at=now,
        )  # fmt: skip
        return self.get(pk=pk) if taken else None

    def give_up(self) -> int:
        """Settle those whose every worker died; how many."""
        return self.due().filter(attempts_left=0).update(
            state=ComparisonState.FAILED,
            error={"code": "workers_died"},
            finished_at=timezone.now(),
        )  # fmt: skip

    def held(self, row: WeightsComparison) -> Self:
        """The row while the claim that `row` was read under still holds."""
        return self.filter(pk=row.pk, fence=row.fence, state=ComparisonState.RUNNING)


class WeightsComparison(models.Model):
    """Two checkpoints by the digests of their files, and what is known of their differences.

    `structure` has a row a tensor: what headers tell at once, and numbers as they come. All there
    is to tell of a changed tensor is a row of TensorComparison, which comparisons share.
    """

    # After so many workers that died of it, the weights are left alone.
    ATTEMPTS = 3

    base_digest = models.CharField(max_length=64)
    candidate_digest = models.CharField(max_length=64)
    version = models.PositiveSmallIntegerField(help_text="Of the formulas.")
    base_repository = models.ForeignKey(
        "hub.Repository", on_delete=models.CASCADE, related_name="+", help_text="Read from here."
    )
    candidate_repository = models.ForeignKey(
        "hub.Repository", on_delete=models.CASCADE, related_name="+", help_text="Read from here."
    )
    base_files = models.JSONField()
    candidate_files = models.JSONField()
    state = models.CharField(max_length=8, choices=ComparisonState, default=ComparisonState.WAITING)
    fence = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    attempts_left = models.PositiveSmallIntegerField(default=ATTEMPTS)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    progress = models.JSONField(default=dict, blank=True)
    error = models.JSONField(default=dict, blank=True, help_text="code and parameters.")
    structure = models.JSONField(default=list, blank=True)
    problems = models.JSONField(
        null=True, blank=True, help_text="What the candidate has wrong and the base had not."
    )
    summary = models.JSONField(default=dict, blank=True, help_text="As Summary.to_dict gives it.")

    objects = WeightsComparisonQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["base_digest", "candidate_digest", "version"],
                name="weights_comparison_unique",
            ),
            models.CheckConstraint(
                condition=Q(state__in=ComparisonState.values),
                name="weights_comparison_state_known",
            ),
        ]
        indexes = [
            models.Index(
                fields=["lease_until"],
                condition=Q(state__in=("waiting", "running")),
                name="weights_comparison_due",
            )
        ]

    @property
    def is_settled(self) -> bool:
        return self.state in (ComparisonState.DONE, ComparisonState.FAILED)


class TensorComparison(models.Model):
    """The numbers of one pair of tensors, named by the digests of their bytes."""

    base_digest = models.CharField(max_length=80)
    candidate_digest = models.CharField(max_length=80)
    version = models.PositiveSmallIntegerField()
    stats = models.JSONField(help_text="As TensorStats.to_dict gives them.")
    spectrum = models.JSONField(null=True, blank=True, help_text="As Spectrum.to_dict gives it.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["base_digest", "candidate_digest", "version"],
                name="tensor_comparison_unique",
            )
        ]
