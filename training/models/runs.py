"""Runs: a frozen spec, a lease, a fencing number. The row is the job; messages are doorbells."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Self

from django.conf import settings
from django.db import models, transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _


class RunKind(models.TextChoices):
    FINETUNE = "finetune", _("fine-tune")
    EVALUATE = "evaluate", _("evaluation")
    COMPARE = "compare", _("gate")
    BISECT = "bisect", _("bisect")
    QUICK = "quick", _("quick look")


class RunStatus(models.TextChoices):
    DRAFT = "draft", _("draft")
    QUEUED = "queued", _("queued")
    RUNNING = "running", _("running")
    SUCCEEDED = "succeeded", _("succeeded")
    FAILED = "failed", _("failed")
    CANCELLED = "cancelled", _("cancelled")


LIVE = (RunStatus.QUEUED, RunStatus.RUNNING)
FINAL = (RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.CANCELLED)


class RunQuerySet(models.QuerySet["Run"]):
    def live(self) -> Self:
        return self.filter(status__in=LIVE)

    def abandoned(self) -> Self:
        """Running rows whose worker has stopped renewing its lease."""
        return self.filter(status=RunStatus.RUNNING, lease_ends_at__lt=timezone.now())

    def waiting(self) -> Self:
        """Queued rows, the one that waits longest first."""
        return self.filter(status=RunStatus.QUEUED).order_by("created_at", "pk")

    def claim(self, pk: int, *, worker: str, lease: timedelta) -> Run | None:
        """Give run `pk` to `worker`. None when it is finished or another worker holds it.

        The fencing number rises with every claim: a worker that lost its lease and wakes up
        later holds an old number, and all its writes miss (`held`).
        """
        now = timezone.now()
        free = Q(status=RunStatus.QUEUED) | Q(status=RunStatus.RUNNING, lease_ends_at__lt=now)
        held = {"status": RunStatus.RUNNING, "worker": worker, "lease_ends_at": now + lease}
        with transaction.atomic():
            claimed = self.filter(free, pk=pk, cancel_requested_at__isnull=True).update(
                **held, fence=F("fence") + 1, attempt=F("attempt") + 1
            )
            if claimed != 1:
                return None
            run = self.select_related("repository__namespace", "created_by").get(pk=pk)
            RunAttempt.objects.filter(run=run, ended_at__isnull=True).update(
                ended_at=now, outcome="lost"
            )
            RunAttempt.objects.create(run=run, number=run.attempt, worker=worker)
            self.filter(pk=pk, started_at__isnull=True).update(started_at=now)
        return run

    def held(self, pk: int, fence: int) -> Self:
        """The row, only while the claim with `fence` still holds it."""
        return self.filter(pk=pk, fence=fence, status=RunStatus.RUNNING)

    def renew(self, pk: int, fence: int, *, lease: timedelta) -> bool:
        """Extend the lease. False when another worker has taken the run over."""
        return self.held(pk, fence).update(lease_ends_at=timezone.now() + lease) == 1

    def finish(self, pk: int, fence: int, status: RunStatus, **facts: Any) -> bool:
        """Write the one final state. False when the claim with `fence` no longer holds the run."""
        now = timezone.now()
        with transaction.atomic():
            ended = self.held(pk, fence).update(
                status=status, finished_at=now, lease_ends_at=None, **facts
            )
            if ended == 1:
                RunAttempt.objects.filter(run=pk, ended_at__isnull=True).update(
                    ended_at=now, outcome=status
                )
        return ended == 1

    def settle_cancelled(self) -> list[Run]:
        """End the live runs that were asked to stop and that no worker holds; those runs."""
        now = timezone.now()
        unheld = Q(status=RunStatus.QUEUED) | Q(status=RunStatus.RUNNING, lease_ends_at__lt=now)
        asked = self.filter(unheld, cancel_requested_at__isnull=False)
        with transaction.atomic():
            ended = list(asked.select_for_update(skip_locked=True).values_list("pk", flat=True))
            RunAttempt.objects.filter(run__in=ended, ended_at__isnull=True).update(
                ended_at=now, outcome=RunStatus.CANCELLED
            )
            rows = self.model.objects.filter(pk__in=ended)
            rows.update(
                status=RunStatus.CANCELLED,
                finished_at=now,
                lease_ends_at=None,
                fence=F("fence") + 1,
            )
            return list(rows.select_related("repository__namespace", "created_by"))


class Run(models.Model):
    """One job. `spec` names every input by digest; `spec_digest` is the SHA-256 of its JSON."""

    repository = models.ForeignKey("hub.Repository", on_delete=models.CASCADE, related_name="runs")
    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=16, choices=RunKind)
    status = models.CharField(max_length=16, choices=RunStatus, default=RunStatus.DRAFT)
    title = models.CharField(max_length=256)
    spec = models.JSONField()
    spec_digest = models.CharField(max_length=64)
    pull_request_number = models.PositiveIntegerField(
        null=True, blank=True, help_text="The one it weighs, or the one it opened."
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="runs"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    worker = models.CharField(max_length=128, blank=True)
    lease_ends_at = models.DateTimeField(null=True, blank=True)
    fence = models.PositiveIntegerField(default=0)
    attempt = models.PositiveIntegerField(default=0)
    progress = models.JSONField(
        default=dict, help_text='{"done", "total", "unit", "checkpoint_step"}'
    )
    result = models.JSONField(default=dict)
    error = models.TextField(blank=True, help_text="One sentence: the cause and the remedy.")
    cpu_seconds = models.FloatField(null=True, blank=True)
    peak_memory_bytes = models.BigIntegerField(null=True, blank=True)

    objects = RunQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["repository", "number"], name="run_number_unique"),
            models.CheckConstraint(
                condition=Q(status__in=RunStatus.values), name="run_status_known"
            ),
            models.CheckConstraint(condition=Q(kind__in=RunKind.values), name="run_kind_known"),
            models.CheckConstraint(
                condition=~Q(status="running") | Q(lease_ends_at__isnull=False),
                name="running_means_leased",
            ),
            models.CheckConstraint(
                condition=~Q(status="failed") | ~Q(error=""), name="failed_means_error"
            ),
            models.CheckConstraint(
                condition=Q(
                    status__in=("succeeded", "failed", "cancelled"), finished_at__isnull=False
                )
                | ~Q(status__in=("succeeded", "failed", "cancelled")),
                name="final_means_finished",
            ),
        ]
        indexes = [models.Index(fields=["status", "created_at"], name="run_waiting")]

    def __str__(self) -> str:
        return f"run {self.number}"

    @property
    def heading(self) -> str:
        """The title in the reader's language, where the hub itself has made it."""
        if self.kind == RunKind.COMPARE and self.pull_request_number:
            return gettext("Gate of pull request %(number)s") % {"number": self.pull_request_number}
        return self.title

    @property
    def seconds(self) -> float | None:
        """Wall time since the first attempt began, up to the end or now."""
        if self.started_at is None:
            return None
        return ((self.finished_at or timezone.now()) - self.started_at).total_seconds()

    @property
    def is_live(self) -> bool:
        return self.status in LIVE

    @property
    def is_final(self) -> bool:
        return self.status in FINAL

    def get_absolute_url(self) -> str:
        return f"{self.repository.get_absolute_url()}/runs/{self.number}"

    @property
    def api_url(self) -> str:
        return f"/{self.repository.api_path}/runs/{self.number}"

    @property
    def metrics_url(self) -> str:
        return f"{self.api_url}/metrics"

    @property
    def log_url(self) -> str:
        return f"{self.api_url}/log"

    @property
    def progress_unit(self) -> str:
        units = {"steps": _("steps"), "items": _("items")}
        return str(units.get(self.progress.get("unit"), ""))

    def inputs(self, role: str) -> list[dict[str, Any]]:
        """The inputs of one role: model, data, base, candidate, benchmark."""
        return [given for given in self.spec["inputs"] if given["role"] == role]


class RunAttempt(models.Model):
    """One worker's try at a run; `lost` when its lease ran out."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="attempts")
    number = models.PositiveIntegerField()
    worker = models.CharField(max_length=128)
    started_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=16, blank=True)
    resumed_from_step = models.PositiveIntegerField(null=True, blank=True)

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["run", "number"], name="attempt_number_unique"),
            models.UniqueConstraint(
                fields=["run"], condition=Q(ended_at__isnull=True), name="one_attempt_at_a_time"
            ),
        ]
