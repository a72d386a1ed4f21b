"""Runs: a frozen spec, a lease, a fencing number. The row is the job; messages are doorbells."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from training.models.job import Job, JobQuerySet, RunStatus, ended

# A run that takes its worker down this often is not given to a next one.
ATTEMPTS = 5


class RunKind(models.TextChoices):
    FINETUNE = "finetune", _("fine-tune")
    EVALUATE = "evaluate", _("evaluation")
    COMPARE = "compare", _("gate")
    BISECT = "bisect", _("bisect")
    QUICK = "quick", _("quick look")


class RunQuerySet(JobQuerySet["Run"]):
    @transaction.atomic
    def claim(self, pk: int, **columns: Any) -> Run | None:
        """Give run `pk` to a worker. None when it is finished or another worker holds it."""
        run = super().claim(pk, **columns)
        if run is not None:
            now = timezone.now()
            RunAttempt.objects.of([pk]).end("lost")
            RunAttempt.objects.create(run=run, number=run.attempt, worker=run.worker)
            self.filter(pk=pk, started_at=None).update(started_at=now)
        return run

    @transaction.atomic
    def finish(self, row: Run, status: RunStatus, **facts: Any) -> bool:
        """Write the one final state. False when the claim no longer holds the run."""
        is_mine = super().finish(row, status, **facts)
        if is_mine:
            RunAttempt.objects.of([row.pk]).end(status)
        return is_mine

    @transaction.atomic
    def end(self, status: RunStatus, outcome: str, *, error: str = "") -> list[Run]:
        """End runs that no worker holds; those runs."""
        keys = list(self.select_for_update(skip_locked=True).values_list("pk", flat=True))
        RunAttempt.objects.of(keys).end(outcome)
        rows = self.model.objects.filter(pk__in=keys)
        rows.close(**ended(status), error=error)
        return list(rows.select_related("repository__namespace", "created_by"))


class Run(Job):
    """One job. `spec` names every input by digest; `spec_digest` is the SHA-256 of its JSON."""

    TITLE: ClassVar[Any] = _("Runs")

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
    attempts_left = models.PositiveSmallIntegerField(default=ATTEMPTS)
    progress = models.JSONField(
        default=dict, help_text='{"done", "total", "unit", "checkpoint_step"}'
    )
    cpu_seconds = models.FloatField(null=True, blank=True)
    peak_memory_bytes = models.BigIntegerField(null=True, blank=True)

    objects = RunQuerySet.as_manager()

    class Meta(Job.Meta):
        constraints = [
            *Job.Meta.constraints,
            models.UniqueConstraint(fields=["repository", "number"], name="run_number_unique"),
            models.CheckConstraint(condition=Q(kind__in=RunKind.values), name="run_kind_known"),
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


class RunAttemptQuerySet(models.QuerySet["RunAttempt"]):
    def of(self, runs: Iterable[int]) -> Self:
        return self.filter(run__in=runs)

    def end(self, outcome: str) -> int:
        """Say how those ended that are under way."""
        under_way = self.filter(ended_at=None)
        return under_way.update(ended_at=timezone.now(), outcome=outcome)


class RunAttempt(models.Model):
    """One worker's try at a run; `lost` when its lease ran out."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="attempts")
    number = models.PositiveIntegerField()
    worker = models.CharField(max_length=128)
    started_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=16, blank=True)
    resumed_from_step = models.PositiveIntegerField(null=True, blank=True)

    objects = RunAttemptQuerySet.as_manager()

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["run", "number"], name="attempt_number_unique"),
            models.UniqueConstraint(
                fields=["run"], condition=Q(ended_at__isnull=True), name="one_attempt_at_a_time"
            ),
        ]
