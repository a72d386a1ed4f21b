"""What the hub found when it looked into files that may hold more than numbers."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class ScanFormat(models.TextChoices):
    SAFETENSORS = "safetensors", "safetensors"
    PICKLE = "pickle", "pickle"


class ScanVerdict(models.TextChoices):
    SAFE = "safe", _("safe")
    SUSPICIOUS = "suspicious", _("suspicious")
    UNREADABLE = "unreadable", _("not readable")


class FileScan(models.Model):
    """The result of one scan: it follows from the bytes and the rules, `version`, alone.

    `digest` is the sha256 of a large file, or the oid of a blob in git.
    """

    repository = models.ForeignKey(
        "hub.Repository", on_delete=models.CASCADE, related_name="file_scans"
    )
    format = models.CharField(max_length=16, choices=ScanFormat)
    digest = models.CharField(max_length=64)
    version = models.PositiveSmallIntegerField()
    verdict = models.CharField(max_length=16, choices=ScanVerdict)
    # Why it could not be read; "" otherwise.
    problem = models.CharField(max_length=300, blank=True)
    # What loading a pickle would import: {"reaching": […], "unknown": […], "known": […]}
    imports = models.JSONField(default=dict)
    scanned_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["repository", "format", "digest"], name="file_scan_unique"
            ),
            models.CheckConstraint(
                condition=Q(format__in=ScanFormat.values), name="file_scan_format_known"
            ),
            models.CheckConstraint(
                condition=Q(verdict__in=ScanVerdict.values), name="file_scan_verdict_known"
            ),
        ]
