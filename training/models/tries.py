"""Tries: one person asks one revision of a model something. The row is the job, as with runs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Self

from django.conf import settings
from django.db import models, transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from training.models.runs import FINAL, LIVE, RunStatus


class TryTask(models.TextChoices):
    """What a model can be asked, by the words that cards use."""

    GENERATION = "text-generation", _("text generation")
    FILL_MASK = "fill-mask", _("fill in the mask")
    CLASSIFICATION = "text-classification", _("text classification")
    EMBEDDING = "feature-extraction", _("embeddings")


class TryQuerySet(models.QuerySet["Try"]):
    def live(self) -> Self:
        return self.filter(status__in=LIVE)

    def of(self, user_id: int) -> Self:
        """The tries of one person, the newest first: nobody else ever sees them."""
        return self.filter(created_by=user_id).order_by("-pk")

    def waiting(self) -> Self:
        return self.filter(status=RunStatus.QUEUED).order_by("pk")

    def abandoned(self) -> Self:
        """Running rows whose worker has stopped renewing its lease."""
        return self.filter(status=RunStatus.RUNNING, lease_ends_at__lt=timezone.now())

    def claim(self, pk: int, *, worker: str, lease: timedelta, is_warm: bool = False) -> Try | None:
        """Give a try to `worker`, emptied of what an earlier one wrote. None when it is finished,
        cancelled, or held by another."""
        now = timezone.now()
        free = Q(status=RunStatus.QUEUED) | Q(status=RunStatus.RUNNING, lease_ends_at__lt=now)
        claimed = self.filter(free, pk=pk, cancel_requested_at__isnull=True).update(
            status=RunStatus.RUNNING,
            worker=worker,
            lease_ends_at=now + lease,
            started_at=now,
            first_answer_at=None,
            is_warm=is_warm,
            text="",
            fence=F("fence") + 1,
            attempt=F("attempt") + 1,
        )
        if claimed != 1:
            return None
        related = "repository__namespace", "base__namespace", "created_by"
        return self.select_related(*related).get(pk=pk)

    def held(self, row: Try) -> Self:
        """The row, only while the claim that `row` was read under still holds it."""
        return self.filter(pk=row.pk, fence=row.fence, status=RunStatus.RUNNING)

    def finish(self, row: Try, status: RunStatus, **facts: Any) -> bool:
        """Write the one final state. False when another worker has the row by now."""
        ended = self.held(row).update(
            status=status, finished_at=timezone.now(), lease_ends_at=None, **facts
        )
        return ended == 1

    def settle_cancelled(self) -> int:
        """End the live tries that were asked to stop and that no worker holds."""
        now = timezone.now()
        unheld = Q(status=RunStatus.QUEUED) | Q(status=RunStatus.RUNNING, lease_ends_at__lt=now)
        return self.filter(unheld, cancel_requested_at__isnull=False).update(
            status=RunStatus.CANCELLED, finished_at=now, lease_ends_at=None, fence=F("fence") + 1
        )

    @transaction.atomic
    def trim(self, user_id: int, *, keep: int, within: timedelta) -> None:
        """Forget a person's older tries; those of the last `within` still count to their limit."""
        newest = list(self.of(user_id).values_list("pk", flat=True)[:keep])
        old = self.filter(created_by=user_id, status__in=FINAL)
        old.filter(created_at__lt=timezone.now() - within).exclude(pk__in=newest).delete()


class Try(models.Model):
    """`request` is what was asked, `text` what has been written so far, `result` the answer."""

    repository = models.ForeignKey("hub.Repository", on_delete=models.CASCADE, related_name="tries")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="tries"
    )
    revision = models.CharField(max_length=250, help_text="As it was asked for.")
    oid = models.CharField(max_length=40)
    model_digest = models.CharField(max_length=64)
    base = models.ForeignKey(
        "hub.Repository",
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        help_text="The model whose weights an adapter that lies alone is put on.",
    )
    base_oid = models.CharField(max_length=40, blank=True)
    is_proposal = models.BooleanField(default=False)
    task = models.CharField(max_length=32, choices=TryTask)
    dtype = models.CharField(max_length=16, default="float32")
    request = models.JSONField()
    status = models.CharField(max_length=16, choices=RunStatus, default=RunStatus.QUEUED)
    text = models.TextField(blank=True)
    result = models.JSONField(default=dict)
    error = models.TextField(blank=True, help_text="One sentence: the cause and the remedy.")
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    first_answer_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    is_warm = models.BooleanField(default=False, help_text="The model was loaded already.")
    worker = models.CharField(max_length=128, blank=True)
    lease_ends_at = models.DateTimeField(null=True, blank=True)
    fence = models.PositiveIntegerField(default=0)
    attempt = models.PositiveIntegerField(default=0)

    objects = TryQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=RunStatus.values), name="try_status_known"
            ),
            models.CheckConstraint(condition=Q(task__in=TryTask.values), name="try_task_known"),
            models.CheckConstraint(
                condition=~Q(status="running") | Q(lease_ends_at__isnull=False),
                name="running_try_means_leased",
            ),
            models.CheckConstraint(
                condition=~Q(status="failed") | ~Q(error=""), name="failed_try_means_error"
            ),
            models.CheckConstraint(
                condition=Q(status__in=FINAL, finished_at__isnull=False) | ~Q(status__in=FINAL),
                name="final_try_means_finished",
            ),
        ]
        indexes = [
            models.Index(
                fields=["status", "id"],
                name="try_live",
                condition=Q(status__in=("queued", "running")),
            ),
            models.Index(fields=["created_by", "-id"], name="try_of_person"),
        ]

    def __str__(self) -> str:
        return f"try {self.pk}"

    @property
    def is_live(self) -> bool:
        return self.status in LIVE

    @property
    def seconds_to_first(self) -> float | None:
        """From the request to the first word of the answer."""
        if self.first_answer_at is None:
            return None
        return (self.first_answer_at - self.created_at).total_seconds()

    def get_absolute_url(self) -> str:
        return f"{self.repository.get_absolute_url()}/try/{self.pk}"
