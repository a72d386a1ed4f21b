"""Merges: the intent that makes a merge survive a crash between git and the database."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q


class MergeState(models.TextChoices):
    INTENDED = "intended"
    DONE = "done"
    DROPPED = "dropped"


class Merge(models.Model):
    """Written before the branch moves, settled after; recovery looks at the branch."""

    pull_request = models.ForeignKey(
        "reviews.Discussion", on_delete=models.CASCADE, related_name="merges"
    )
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    head_oid = models.CharField(max_length=40)
    base_oid = models.CharField(max_length=40)
    merge_oid = models.CharField(max_length=40)
    state = models.CharField(max_length=8, choices=MergeState, default=MergeState.INTENDED)
    created_at = models.DateTimeField(auto_now_add=True)
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["pull_request"],
                condition=~Q(state="dropped"),
                name="one_merge_a_pull_request",
            ),
            models.CheckConstraint(
                condition=Q(state__in=MergeState.values), name="merge_state_known"
            ),
        ]
