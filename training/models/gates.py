"""Gate records: the verdict on one exact (head, base, rule, merge result)."""

from __future__ import annotations

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class GateVerdict(models.TextChoices):
    PASS = "pass", _("pass")
    FAIL = "fail", _("fail")
    BLOCKED = "blocked", _("inconclusive")
    ERROR = "error", _("error")


class GateRecordQuerySet(models.QuerySet["GateRecord"]):
    def of(self, repository_id: int, number: int) -> Self:
        """Those of one pull request, the newest first."""
        rows = self.filter(repository=repository_id, pull_request_number=number)
        return rows.order_by("-attempt")


class GateRecord(models.Model):
    """A merge may rely on it only if all four digests are those of the merge at hand.

    `merge_tree` pins every file of the merge result, large ones through their pointers.
    `results` holds per benchmark the inputs and the outcome of the test, so that the verdict can
    be recomputed without running a model. `looks` tells how the verdict was reached: items,
    level and verdicts at every look. `comparison_sha256` names a Parquet file in the store of the
    repository: every item with both sides, those that changed first (see `jobs.comparisons`).
    """

    repository = models.ForeignKey(
        "hub.Repository", on_delete=models.CASCADE, related_name="gate_records"
    )
    pull_request_number = models.PositiveIntegerField()
    attempt = models.PositiveIntegerField(help_text="How often this pull request was weighed.")
    head_oid = models.CharField(max_length=40)
    base_oid = models.CharField(max_length=40)
    merge_tree = models.CharField(max_length=40)
    config_digest = models.CharField(max_length=64)
    verdict = models.CharField(max_length=16, choices=GateVerdict)
    sentence = models.JSONField(
        default=dict, help_text="Facts the one-sentence verdict is made of."
    )
    results = models.JSONField(default=list)
    looks = models.JSONField(default=list)
    contamination = models.JSONField(default=dict)
    comparison_sha256 = models.CharField(max_length=64, blank=True)
    run = models.OneToOneField("training.Run", on_delete=models.CASCADE, related_name="gate_record")
    overridden_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    override_reason = models.TextField(blank=True)
    overridden_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = GateRecordQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["repository", "pull_request_number", "attempt"], name="gate_attempt_unique"
            ),
            models.CheckConstraint(
                condition=Q(verdict__in=GateVerdict.values), name="gate_verdict_known"
            ),
            models.CheckConstraint(
                condition=Q(overridden_at__isnull=True)
                | (Q(verdict="blocked", overridden_by__isnull=False) & ~Q(override_reason="")),
                name="gate_override_only_of_blocked",
            ),
        ]

    @property
    def is_overridden(self) -> bool:
        return self.overridden_at is not None

    @property
    def allows_merge(self) -> bool:
        return self.verdict == GateVerdict.PASS or self.is_overridden
