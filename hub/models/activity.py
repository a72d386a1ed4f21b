"""What happened: events that people read, and the audit trail that nobody can change."""

from __future__ import annotations

from django.conf import settings
from django.db import models


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

    class Meta:
        indexes = [models.Index(fields=["repository", "-created_at"], name="event_recent")]


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
