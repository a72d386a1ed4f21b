"""Who asked for the files of a gated repository, and what was decided."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class RequestStatus(models.TextChoices):
    PENDING = "pending", _("pending")
    ACCEPTED = "accepted", _("accepted")
    REJECTED = "rejected", _("rejected")


class AccessRequest(models.Model):
    """One person's standing with one gated repository. It outlives the gate being opened."""

    repository = models.ForeignKey(
        "hub.Repository", on_delete=models.CASCADE, related_name="access_requests"
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="access_requests"
    )
    status = models.CharField(max_length=8, choices=RequestStatus, default=RequestStatus.PENDING)
    fields = models.JSONField(default=dict, blank=True, help_text="Answers by the card's labels.")
    rejection_reason = models.CharField(max_length=200, blank=True)
    asked_at = models.DateTimeField(
        null=True, blank=True, help_text="Empty when access was granted without being asked for."
    )
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    decided_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["repository", "user"], name="access_request_unique"),
            models.CheckConstraint(
                condition=Q(status__in=RequestStatus.values), name="access_request_status_known"
            ),
        ]
        indexes = [models.Index(fields=["repository", "status", "-id"], name="access_request_list")]
