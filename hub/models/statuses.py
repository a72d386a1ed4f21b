"""What machines say about commits. Training writes them; a pull request shows them."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class StatusState(models.TextChoices):
    PENDING = "pending", _("pending")
    RUNNING = "running", _("running")
    SUCCESS = "success", _("success")
    FAILURE = "failure", _("failure")
    ERROR = "error", _("error")


class CommitStatus(models.Model):
    """The newest word of one `context` about `oid`, seen against `base_oid` where that matters."""

    repository = models.ForeignKey(
        "hub.Repository", on_delete=models.CASCADE, related_name="commit_statuses"
    )
    oid = models.CharField(max_length=40)
    base_oid = models.CharField(max_length=40, blank=True)
    context = models.CharField(max_length=64)
    state = models.CharField(max_length=8, choices=StatusState)
    description = models.CharField(max_length=300, blank=True)
    target_path = models.CharField(max_length=300, blank=True, help_text="A path on this server.")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["repository", "oid", "base_oid", "context"], name="commit_status_unique"
            ),
            models.CheckConstraint(
                condition=Q(state__in=StatusState.values), name="commit_status_state_known"
            ),
        ]
