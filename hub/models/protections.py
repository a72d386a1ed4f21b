"""Protected branches: they move only by merging a pull request."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Q

if TYPE_CHECKING:
    from hub.models.repositories import Repository


class BranchProtectionManager(models.Manager["BranchProtection"]):
    def of_branch(self, repository: Repository | int, branch: str) -> BranchProtection | None:
        """The rule that `branch` is under: the one of its name, else of the longest pattern."""
        rows = self.filter(Q(branch=branch) | Q(branch__contains="*"), repository=repository)
        found = [row for row in rows if fnmatchcase(branch, row.pattern)]
        return max(found, key=lambda row: (row.branch == branch, len(row.branch)), default=None)


class BranchProtection(models.Model):
    repository = models.ForeignKey(
        "hub.Repository", on_delete=models.CASCADE, related_name="protections"
    )
    branch = models.CharField(
        max_length=200, help_text="A name, or a pattern where * stands for anything."
    )
    required_approvals = models.PositiveSmallIntegerField(default=1)
    require_gate = models.BooleanField(
        default=True, help_text="The gate of the target branch must pass before a merge."
    )

    objects: BranchProtectionManager = BranchProtectionManager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["repository", "branch"], name="protection_unique")
        ]

    @property
    def pattern(self) -> str:
        """For `fnmatch`, where only * has a meaning here."""
        return self.branch.replace("[", "[[]").replace("?", "[?]")
