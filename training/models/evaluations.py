"""Item results: computed once for (model, benchmark, settings), kept for ever in Parquet."""

from __future__ import annotations

from typing import Any, Self

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _


class Origin(models.TextChoices):
    HERE = "here", _("verified")
    REPORTED = "reported", _("self-reported")


class EvaluationQuerySet(models.QuerySet["Evaluation"]):
    def whole(self) -> Self:
        """Those that hold every item of their benchmark."""
        return self.filter(item_count=F("benchmark__item_count"))

    def verified(self) -> Self:
        """Those that ran here."""
        return self.filter(origin=Origin.HERE)


class Evaluation(models.Model):
    """Scores of one model on one benchmark, each named by digest.

    `items_sha256` names a Parquet file in the store of `repository` with one row an item (see
    `jobs.items`); it is replaced by one that holds more, never by one that holds less, when a
    gate that stopped early left items unasked. `scores` has for every metric its value over the
    items at hand with a two-sided 95 % interval: {"acc": {"value", "lower", "upper"}}.
    `settings_digest` names precision, batches, threads and library versions; `protocol_digest`
    the same without the precision, which a leaderboard leaves to the model.
    """

    repository = models.ForeignKey(
        "hub.Repository", on_delete=models.CASCADE, related_name="evaluations"
    )
    benchmark = models.ForeignKey(
        "training.Benchmark", on_delete=models.CASCADE, related_name="evaluations"
    )
    model_digest = models.CharField(max_length=64)
    benchmark_digest = models.CharField(max_length=64)
    settings_digest = models.CharField(max_length=64)
    protocol_digest = models.CharField(max_length=64)
    settings = models.JSONField(default=dict)
    origin = models.CharField(max_length=8, choices=Origin, default=Origin.HERE)
    revision = models.CharField(max_length=40, help_text="The commit or tree that was evaluated.")
    items_sha256 = models.CharField(max_length=64, blank=True)
    item_count = models.PositiveIntegerField()
    score = models.FloatField(null=True, blank=True, help_text="Of the first metric.")
    scores = models.JSONField(default=dict)
    seconds = models.FloatField(null=True, blank=True)
    source = models.JSONField(default=dict, help_text="Who reported it, and made with what.")
    run = models.ForeignKey("training.Run", on_delete=models.SET_NULL, null=True, blank=True)
    reported_by = models.ForeignKey(
        "hub.User", on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = EvaluationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["repository", "model_digest", "benchmark_digest", "settings_digest"],
                name="evaluation_unique",
            ),
            models.CheckConstraint(
                condition=Q(origin__in=Origin.values), name="evaluation_origin_known"
            ),
        ]
        indexes = [
            models.Index(fields=["benchmark", "-id"], name="evaluation_of_benchmark"),
            models.Index(
                fields=["model_digest", "benchmark_digest", "settings_digest"],
                name="evaluation_by_digests",
            ),
        ]

    @property
    def is_whole(self) -> bool:
        return self.item_count == self.benchmark.item_count

    def score_of(self, metric: str) -> dict[str, Any]:
        """{"value", "lower", "upper"} of `metric`; empty when it was not measured."""
        found: dict[str, Any] = self.scores.get(metric) or {}
        return found
