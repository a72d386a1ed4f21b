"""Discussions and pull requests share one number sequence per repository."""

from __future__ import annotations

from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class DiscussionStatus(models.TextChoices):
    DRAFT = "draft", _("draft")
    OPEN = "open", _("open")
    CLOSED = "closed", _("closed")
    MERGED = "merged", _("merged")


UNDECIDED = (DiscussionStatus.DRAFT, DiscussionStatus.OPEN)


class DiscussionQuerySet(models.QuerySet["Discussion"]):
    def open(self) -> Self:
        """Open ones; a draft is open to the client."""
        return self.filter(status__in=UNDECIDED)

    def settled(self) -> Self:
        return self.exclude(status__in=UNDECIDED)

    def pull_requests(self) -> Self:
        return self.filter(is_pull_request=True)

    def decide(self, pk: int, status: str, *, by: Any, merge_oid: str = "") -> bool:
        """Settle an undecided row once. False when someone else settled it first."""
        decided = {"status": status, "decided_by": by, "decided_at": timezone.now()}
        return self.filter(pk=pk, status__in=UNDECIDED).update(**decided, merge_oid=merge_oid) == 1


class Discussion(models.Model):
    repository = models.ForeignKey(
        "hub.Repository", on_delete=models.CASCADE, related_name="discussions"
    )
    number = models.PositiveIntegerField()
    title = models.CharField(max_length=256)
    status = models.CharField(max_length=8, choices=DiscussionStatus, default=DiscussionStatus.OPEN)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="discussions"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
    )
    decided_at = models.DateTimeField(null=True, blank=True)
    # Only of pull requests:
    is_pull_request = models.BooleanField(default=False)
    target_branch = models.CharField(max_length=201, blank=True)
    head_oid = models.CharField(max_length=40, blank=True, help_text="Where refs/pr/N stands.")
    opened_on_oid = models.CharField(
        max_length=40, blank=True, help_text="The head of the target branch when it was opened."
    )
    merge_oid = models.CharField(max_length=40, blank=True)

    objects = DiscussionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["repository", "number"], name="discussion_number_unique"
            ),
            models.CheckConstraint(
                condition=Q(status__in=DiscussionStatus.values), name="discussion_status_known"
            ),
            models.CheckConstraint(
                condition=Q(status="merged") & ~Q(merge_oid="")
                | ~Q(status="merged") & Q(merge_oid=""),
                name="merged_means_merge_oid",
            ),
            models.CheckConstraint(
                condition=Q(is_pull_request=False, head_oid="", target_branch="")
                | Q(is_pull_request=True) & ~Q(head_oid="") & ~Q(target_branch=""),
                name="pull_request_has_head_and_target",
            ),
        ]
        indexes = [models.Index(F("repository"), F("number").desc(), name="discussion_newest")]

    def __str__(self) -> str:
        return f"#{self.number} {self.title}"

    @property
    def ref(self) -> str:
        return f"refs/pr/{self.number}"

    @property
    def is_decided(self) -> bool:
        return self.status not in UNDECIDED

    @property
    def is_draft(self) -> bool:
        return self.status == DiscussionStatus.DRAFT

    @property
    def is_being_merged(self) -> bool:
        """Whether a merge is written down whose outcome is not; ask under the row's lock."""
        return self.merges.filter(state="intended").exists()

    def get_absolute_url(self) -> str:
        return f"{self.repository.get_absolute_url()}/discussions/{self.number}"


class PatchSet(models.Model):
    """A head oid that a pull request has had, numbered."""

    pull_request = models.ForeignKey(
        Discussion, on_delete=models.CASCADE, related_name="patch_sets"
    )
    number = models.PositiveIntegerField()
    head_oid = models.CharField(max_length=40)
    pushed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["pull_request", "number"], name="patch_set_number_unique"
            )
        ]
        ordering = ["number"]
