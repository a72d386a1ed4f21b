"""Item results: computed once for (model, benchmark, settings), kept for ever in Parquet."""

from __future__ import annotations

from django.db import models


class Evaluation(models.Model):
    """Scores of one model on one benchmark, each named by digest.

    `items_sha256` names a Parquet file in the repository's object store with one row an item:
    id, group, score, prediction, target, log-likelihoods, tie.
    """

    repository = models.ForeignKey(
        "hub.Repository", on_delete=models.CASCADE, related_name="evaluations"
    )
    model_digest = models.CharField(max_length=64)
    benchmark_digest = models.CharField(max_length=64)
    settings_digest = models.CharField(max_length=64)
    benchmark_name = models.CharField(max_length=128)
    revision = models.CharField(max_length=40, help_text="The commit or tree that was evaluated.")
    items_sha256 = models.CharField(max_length=64)
    item_count = models.PositiveIntegerField()
    score = models.FloatField()
    seconds = models.FloatField(null=True, blank=True)
    run = models.ForeignKey("training.Run", on_delete=models.SET_NULL, null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["repository", "model_digest", "benchmark_digest", "settings_digest"],
                name="evaluation_unique",
            )
        ]
