"""What happened: events that people read, and the audit trail that nobody can change."""

from __future__ import annotations

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from hub.models.repositories import HEAVY

# What a feed of activity shows; other events matter to those who are in the thread.
FEED = (
    "repository.created",
    "repository.liked",
    "revision.pushed",
    "collection.added",
    "discussion.opened",
    "pull_request.opened",
    "pull_request.merged",
    "gate.decided",
    "run.finished",
)
TAG = "refs/tags/"


class EventQuerySet(models.QuerySet["Event"]):
    def feed(self) -> Self:
        """What a feed shows, the newest first, each with what a line names."""
        rows = self.filter(kind__in=FEED).select_related("repository__namespace", "actor")
        return rows.defer(*(f"repository__{name}" for name in HEAVY)).order_by("-pk")

    def untold(self) -> Self:
        return self.filter(told_at=None)


class Event(models.Model):
    """One line of a repository's activity."""

    repository = models.ForeignKey(
        "hub.Repository", on_delete=models.CASCADE, related_name="events"
    )
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    kind = models.CharField(max_length=64, help_text="pull_request.merged, run.finished, …")
    path = models.CharField(max_length=300, blank=True, help_text="Where to read more.")
    data = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)
    told_at = models.DateTimeField(
        null=True, blank=True, help_text="When those whom it concerns were told."
    )

    objects = EventQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["repository", "-created_at"], name="event_recent"),
            models.Index(F("actor"), F("id").desc(), name="event_of_actor"),
            models.Index(F("repository"), F("id").desc(), name="event_of_repository"),
            models.Index(fields=["id"], condition=Q(told_at=None), name="event_untold"),
        ]

    @property
    def tag(self) -> str:
        """The name of the release that it tells of; empty for other events."""
        ref = str(self.data.get("ref", ""))
        return ref.removeprefix(TAG) if ref.startswith(TAG) else ""


class AuditEntry(models.Model):
    """Who did what with which token; a trigger in the database refuses UPDATE and DELETE."""

    actor_name = models.CharField(max_length=150)
    token_hint = models.CharField(max_length=4, blank=True)
    action = models.CharField(max_length=64)
    subject = models.CharField(max_length=300)
    old = models.CharField(max_length=64, blank=True)
    new = models.CharField(max_length=64, blank=True)
    # Numbers, not keys: the trail outlives what it tells of.
    namespace_number = models.BigIntegerField(null=True, blank=True)
    repository_number = models.BigIntegerField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [
            models.Index(fields=["namespace_number", "-id"], name="audit_of_namespace"),
            models.Index(fields=["repository_number", "-id"], name="audit_of_repository"),
        ]
