"""Whom a proposal waits for, by name."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class ReviewRequest(models.Model):
    """Somebody was asked for a review; the row goes when they have given one."""

    pull_request = models.ForeignKey(
        "reviews.Discussion", on_delete=models.CASCADE, related_name="review_requests"
    )
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="review_requests"
    )
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["pull_request", "person"], name="review_request_unique")
        ]
