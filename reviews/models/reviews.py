"""Reviews: the verdict of one person on one exact head."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class ReviewVerdict(models.TextChoices):
    APPROVE = "approve", _("approves")
    REQUEST_CHANGES = "request_changes", _("requests changes")
    COMMENT = "comment", _("comments")


class Review(models.Model):
    """Counts only for `head_oid`: a push makes it stale, it is never dismissed."""

    pull_request = models.ForeignKey(
        "reviews.Discussion", on_delete=models.CASCADE, related_name="reviews"
    )
    reviewer = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="reviews"
    )
    head_oid = models.CharField(max_length=40)
    verdict = models.CharField(max_length=16, choices=ReviewVerdict)
    body = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["pull_request", "reviewer", "head_oid"], name="review_unique"
            ),
            models.CheckConstraint(
                condition=Q(verdict__in=ReviewVerdict.values), name="review_verdict_known"
            ),
        ]
