"""Benchmarks that have been measured with: one row for each digest, with the texts of its items."""

from __future__ import annotations

from typing import Any, Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class BenchmarkDirection(models.TextChoices):
    HIGHER = "higher", _("higher is better")
    LOWER = "lower", _("lower is better")
    TARGET = "target", _("closest to target")


class BenchmarkQuerySet(models.QuerySet["Benchmark"]):
    def at(self, repository_id: int, path: str) -> Self:
        """Every digest that the file `path` of a data set has had, the newest first."""
        return self.filter(repository=repository_id, path=path).order_by("-pk")


class Benchmark(models.Model):
    """A benchmark as it was pinned: definition, items, examples, named by `digest`.

    `repository` is the data set with the definition, `items_repository` the one with the items:
    who may not read both sees neither definition nor texts (threat M5). `questions_sha256` names a
    Parquet file in the store of `items_repository` with one row an item, in canonical order: id,
    chunk, group, cluster, doc hash, prompt, choices, expected answer. It is empty until the
    benchmark has been asked for the first time.
    """

    repository = models.ForeignKey(
        "hub.Repository", on_delete=models.CASCADE, related_name="benchmarks"
    )
    items_repository = models.ForeignKey(
        "hub.Repository", on_delete=models.CASCADE, related_name="item_benchmarks"
    )
    digest = models.CharField(max_length=64)
    path = models.CharField(max_length=1024)
    revision = models.CharField(max_length=40, help_text="The commit that it was read from.")
    task = models.CharField(max_length=128)
    label = models.CharField(max_length=128)
    language = models.CharField(max_length=16, blank=True)
    output_type = models.CharField(max_length=32)
    metric = models.CharField(max_length=32, blank=True, help_text="The first one of its list.")
    metrics = models.JSONField(default=list)
    direction = models.CharField(max_length=8, choices=BenchmarkDirection)
    target = models.FloatField(null=True, blank=True)
    margin = models.CharField(max_length=16, blank=True, help_text="0.02 or 0.5%: its own advice.")
    item_count = models.PositiveIntegerField()
    cluster_count = models.PositiveIntegerField(null=True, blank=True)
    spec = models.JSONField(help_text="All that is needed to ask it again.")
    questions_sha256 = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = BenchmarkQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["repository", "digest", "path"], name="benchmark_unique"
            ),
            models.CheckConstraint(
                condition=Q(direction__in=BenchmarkDirection.values),
                name="benchmark_direction_known",
            ),
            models.CheckConstraint(
                condition=Q(direction="target", target__isnull=False)
                | ~Q(direction="target") & Q(target__isnull=True),
                name="benchmark_target_goes_with_direction",
            ),
        ]
        indexes = [models.Index(fields=["repository", "path", "-id"], name="benchmark_newest")]

    def __str__(self) -> str:
        return self.label

    @property
    def reference(self) -> str:
        """`namespace/name:path`, as gate files and recipes name it."""
        return f"{self.repository.repo_id}:{self.path}"

    @property
    def is_hidden(self) -> bool:
        """Whether it is hidden everywhere."""
        return bool(self.spec.get("hidden"))

    def is_hidden_in(self, model: int | None) -> bool:
        """Whether it is hidden in the repository of a model, by that model's rule if not at all."""
        return self.is_hidden or str(model) in self.spec.get("hidden_in", {})

    def get_absolute_url(self) -> str:
        return f"{self.repository.get_absolute_url()}/leaderboard/{self.path}"

    def metric_named(self, name: str) -> dict[str, Any]:
        """The entry of `metrics` called `name`, or the first one."""
        found = [metric for metric in self.metrics if metric["name"] == name]
        return found[0] if found else (self.metrics[0] if self.metrics else {})


class HiddenFile(models.Model):
    """That a gate's rule hides the benchmarks of a file: everywhere, or in one model's repository.

    Everywhere is for those who may write to the data set. The rows of its benchmarks say the same,
    so that pages need not ask here. What machines wrote before is written anew by a worker: not
    yet, as long as `done_at` is empty.
    """

    repository = models.ForeignKey(
        "hub.Repository", on_delete=models.CASCADE, related_name="hidden_files"
    )
    path = models.CharField(max_length=1024)
    model = models.ForeignKey(
        "hub.Repository", on_delete=models.CASCADE, null=True, blank=True, related_name="hides"
    )
    margins = models.JSONField(default=list, help_text="Of the rules: no finer step is told.")
    metric = models.CharField(max_length=32, blank=True, help_text="The only one that is told.")
    asked_at = models.DateTimeField(null=True, blank=True)
    done_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["repository", "path", "model"],
                nulls_distinct=False,
                name="hidden_file_unique",
            ),
        ]
        indexes = [
            models.Index(fields=["id"], condition=Q(done_at=None), name="hidden_file_undone")
        ]

    def __str__(self) -> str:
        return self.path

    def mark(self, spec: dict[str, Any]) -> dict[str, Any]:
        """The spec of a benchmark of this file, as it says that it is hidden."""
        if self.model_id is not None:
            here = {str(self.model_id): {"margins": self.margins, "metric": self.metric}}
            return spec | {"hidden_in": spec.get("hidden_in", {}) | here}
        metric = {"told_metric": self.metric} if self.metric else {}
        return spec | {"hidden": True, "rule_margins": self.margins} | metric
