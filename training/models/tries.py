"""Tries: one person asks one revision of a model something. The row is the job, as with runs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from training.models.job import FINAL, Job, JobQuerySet, RunStatus, ended

# A model that takes its worker down this often is not given to a next one.
ATTEMPTS = 2


class TryTask(models.TextChoices):
    """What a model can be asked, by the words that cards use."""

    GENERATION = "text-generation", _("text generation")
    FILL_MASK = "fill-mask", _("fill in the mask")
    CLASSIFICATION = "text-classification", _("text classification")
    EMBEDDING = "feature-extraction", _("embeddings")


class TryQuerySet(JobQuerySet["Try"]):
    def of(self, user_id: int) -> Self:
        """The tries of one person, the newest first: nobody else ever sees them."""
        return self.filter(created_by=user_id).order_by("-pk")

    def claim(self, pk: int, **columns: Any) -> Try | None:
        """Give a try to a worker, emptied of what an earlier one wrote. None when it is finished,
        cancelled, or held by another."""
        return super().claim(
            pk, started_at=timezone.now(), first_answer_at=None, text="", **columns
        )

    def settle_cancelled(self) -> int:
        """End those that were asked to stop and that no worker holds; how many."""
        return self.to_cancel().close(**ended(RunStatus.CANCELLED))

    def give_up(self) -> int:
        """End those whose every worker was lost; how many."""
        error = f"Its worker was lost {ATTEMPTS} times: ask again, or try a smaller model."
        return self.exhausted().close(**ended(RunStatus.FAILED), error=error)

    @transaction.atomic
    def trim(self, user_id: int, *, keep: int, within: timedelta) -> None:
        """Forget a person's older tries; those of the last `within` still count to their limit."""
        newest = list(self.of(user_id).values_list("pk", flat=True)[:keep])
        old = self.filter(created_by=user_id, status__in=FINAL)
        old.filter(created_at__lt=timezone.now() - within).exclude(pk__in=newest).delete()


class Try(Job):
    """`request` is what was asked, `text` what has been written so far, `result` the answer."""

    TITLE: ClassVar[Any] = _("Tries of models")

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
    text = models.TextField(blank=True)
    first_answer_at = models.DateTimeField(null=True, blank=True)
    is_warm = models.BooleanField(default=False, help_text="The model was loaded already.")
    attempts_left = models.PositiveSmallIntegerField(default=ATTEMPTS)

    objects = TryQuerySet.as_manager()

    class Meta(Job.Meta):
        constraints = [
            *Job.Meta.constraints,
            models.CheckConstraint(condition=Q(task__in=TryTask.values), name="try_task_known"),
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
    def seconds_to_first(self) -> float | None:
        """From the request to the first word of the answer."""
        if self.first_answer_at is None:
            return None
        return (self.first_answer_at - self.created_at).total_seconds()

    def get_absolute_url(self) -> str:
        return f"{self.repository.get_absolute_url()}/try/{self.pk}"
