"""What a run reports while it works."""

from __future__ import annotations

from django.db import models


class Metric(models.Model):
    """One point of one curve; a resumed run writes the same steps again and replaces them."""

    run = models.ForeignKey("training.Run", on_delete=models.CASCADE, related_name="metrics")
    name = models.CharField(max_length=64)
    step = models.PositiveIntegerField()
    value = models.FloatField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "name", "step"], name="metric_point_unique")
        ]


class LogLine(models.Model):
    """One line of a run's log: control characters stripped, capped by RUN_LOG_LIMIT_BYTES."""

    run = models.ForeignKey("training.Run", on_delete=models.CASCADE, related_name="log_lines")
    attempt = models.PositiveIntegerField()
    text = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]
        indexes = [models.Index(fields=["run", "id"], name="log_in_order")]
