"""What people say about single items, and which of them must never be lost again."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class NoteKind(models.TextChoices):
    COMMENT = "comment", _("comment")
    ACCEPTABLE = "acceptable", _("acceptable")


class ItemNote(models.Model):
    """A word on one item of one pull request: a comment, or that its change is acceptable.

    It never changes the verdict; it tells the next reviewer what has been looked at.
    """

    repository = models.ForeignKey(
        "hub.Repository", on_delete=models.CASCADE, related_name="item_notes"
    )
    pull_request_number = models.PositiveIntegerField()
    benchmark = models.ForeignKey(
        "training.Benchmark", on_delete=models.CASCADE, related_name="notes"
    )
    item_id = models.CharField(max_length=64)
    kind = models.CharField(max_length=16, choices=NoteKind)
    body = models.TextField(blank=True)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="item_notes"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=NoteKind.values), name="item_note_kind_known"
            ),
            models.CheckConstraint(
                condition=Q(kind="acceptable") | ~Q(body=""), name="item_note_says_something"
            ),
            models.UniqueConstraint(
                fields=["repository", "pull_request_number", "benchmark", "item_id"],
                condition=Q(kind="acceptable"),
                name="item_accepted_once",
            ),
        ]
        indexes = [
            models.Index(fields=["repository", "pull_request_number"], name="item_notes_of_pull")
        ]


class Pin(models.Model):
    """An item that no later proposal may lose: a regression test made of an example.

    It is named by the place of its benchmark and by its own hash, so it outlives a new digest.
    """

    repository = models.ForeignKey("hub.Repository", on_delete=models.CASCADE, related_name="pins")
    benchmark = models.ForeignKey(
        "training.Benchmark", on_delete=models.CASCADE, related_name="pins"
    )
    reference = models.CharField(max_length=1500, help_text="namespace/name:path")
    item_id = models.CharField(max_length=64)
    note = models.CharField(max_length=300, blank=True)
    pull_request_number = models.PositiveIntegerField(null=True, blank=True)
    pinned_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="pins"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["repository", "reference", "item_id"], name="pin_unique"
            )
        ]


class BlindChoice(models.TextChoices):
    BASE = "base", _("base")
    CANDIDATE = "candidate", _("candidate")
    TIE = "tie", _("tie")


class BlindVote(models.Model):
    """One reviewer's judgement of one prompt, made without knowing which side was which.

    It counts for exactly this head on this base, like a verdict.
    """

    repository = models.ForeignKey(
        "hub.Repository", on_delete=models.CASCADE, related_name="blind_votes"
    )
    pull_request_number = models.PositiveIntegerField()
    head_oid = models.CharField(max_length=40)
    base_oid = models.CharField(max_length=40)
    benchmark = models.ForeignKey(
        "training.Benchmark", on_delete=models.CASCADE, related_name="votes"
    )
    item_id = models.CharField(max_length=64)
    reviewer = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="blind_votes"
    )
    choice = models.CharField(max_length=16, choices=BlindChoice)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=[
                    "repository", "pull_request_number", "head_oid", "base_oid", "benchmark",
                    "item_id", "reviewer",
                ],
                name="blind_vote_once",
            ),
            models.CheckConstraint(
                condition=Q(choice__in=BlindChoice.values), name="blind_choice_known"
            ),
        ]  # fmt: skip
