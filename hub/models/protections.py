"""Protected branches: they move only by merging a pull request."""

from __future__ import annotations

from django.db import models


class BranchProtection(models.Model):
    repository = models.ForeignKey(
        "hub.Repository", on_delete=models.CASCADE, related_name="protections"
    )
    branch = models.CharField(max_length=200)
    required_approvals = models.PositiveSmallIntegerField(default=1)
    require_gate = models.BooleanField(
        default=True, help_text="The gate of the target branch must pass before a merge."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["repository", "branch"], name="protection_unique")
        ]
