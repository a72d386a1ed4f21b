"""Full weights of revisions that hold an adapter or a sparse patch."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from hub.models.work import Work, WorkQuerySet


class FullWeights(Work):
    """The whole files that an adapter or a patch makes of the base beside it.

    Named by the digest of the revision's files: commits with the same weights share them.
    `results` are the files that changed, as path, sha256 and size_bytes; they are kept as derived
    objects of the repository and made anew when they are gone.
    """

    TITLE: ClassVar[Any] = _("Full weights of adapters and patches")

    repository = models.ForeignKey(
        "hub.Repository", on_delete=models.CASCADE, related_name="full_weights"
    )
    digest = models.CharField(max_length=64)
    version = models.PositiveSmallIntegerField(help_text="Of the bytes that come out.")
    files = models.JSONField()
    results = models.JSONField(default=list, blank=True)
    asked_at = models.DateTimeField()
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        help_text="Who had them written.",
    )

    objects: ClassVar[WorkQuerySet[FullWeights]] = WorkQuerySet.as_manager()  # type: ignore[assignment]

    class Meta(Work.Meta):
        constraints = [
            *Work.Meta.constraints,
            models.UniqueConstraint(
                fields=["repository", "digest", "version"], name="full_weights_unique"
            ),
        ]

    @property
    def sha256s(self) -> set[str]:
        """Of the files that changed."""
        return {each["sha256"] for each in self.results}


class WeightsWriting(Work):
    """Full weights put in place of the sparse patch of a proposal, whose head is `head_oid`.

    What comes of it is `result_oid`, which builds on it; it is named before the head moves.
    """

    TITLE: ClassVar[Any] = _("Full weights in proposals")

    pull_request = models.ForeignKey(
        "reviews.Discussion", on_delete=models.CASCADE, related_name="weights_writings"
    )
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    head_oid = models.CharField(max_length=40)
    result_oid = models.CharField(max_length=40, blank=True)

    objects: ClassVar[WorkQuerySet[WeightsWriting]] = WorkQuerySet.as_manager()  # type: ignore[assignment]

    class Meta(Work.Meta):
        constraints = [
            *Work.Meta.constraints,
            models.UniqueConstraint(
                fields=["pull_request"],
                condition=Q(state__in=("waiting", "running")),
                name="one_live_weights_writing",
            ),
        ]
