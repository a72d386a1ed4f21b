"""What people said and what happened on a discussion, in order."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q

from reviews.models.discussions import Discussion


class TimelineKind(models.TextChoices):
    COMMENT = "comment"
    STATUS = "status-change"
    TITLE = "title-change"
    COMMIT = "commit"
    REVIEW = "review"
    QUEUE = "queue"


class TimelineEventManager(models.Manager["TimelineEvent"]):
    def record(
        self, discussion: Discussion, kind: TimelineKind, actor: Any, **data: Any
    ) -> TimelineEvent:
        """Add one line to `discussion`."""
        return self.create(discussion=discussion, kind=kind, actor=actor, data=data)


class TimelineEvent(models.Model):
    """One line of a discussion. `data` has the keys that huggingface_hub reads for its kind."""

    discussion = models.ForeignKey(
        "reviews.Discussion", on_delete=models.CASCADE, related_name="timeline"
    )
    kind = models.CharField(max_length=16, choices=TimelineKind)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    data = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    objects: TimelineEventManager = TimelineEventManager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=TimelineKind.values), name="timeline_kind_known"
            )
        ]


class Comment(models.Model):
    """The text of a timeline event of kind `comment`; earlier texts are kept."""

    event = models.OneToOneField(TimelineEvent, on_delete=models.CASCADE, related_name="comment")
    body = models.TextField()
    edited_at = models.DateTimeField(null=True, blank=True)
    hidden_at = models.DateTimeField(null=True, blank=True)
    history = models.JSONField(default=list, help_text="Earlier texts, oldest first.")
