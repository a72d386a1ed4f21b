"""What lies between two revisions' weights: computed once, shared by all who may read both."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from hub.models.work import Work, WorkQuerySet


class WeightsComparison(Work):
    """Two checkpoints by the digests of their files, and what is known of their differences.

    `structure` has a row a tensor: what headers tell at once, and numbers as they come. All there
    is to tell of a changed tensor is a row of TensorComparison, which comparisons share.
    """

    TITLE: ClassVar[Any] = _("Comparisons of weights")

    base_digest = models.CharField(max_length=64)
    candidate_digest = models.CharField(max_length=64)
    version = models.PositiveSmallIntegerField(help_text="Of the formulas.")
    base_repository = models.ForeignKey(
        "hub.Repository", on_delete=models.CASCADE, related_name="+", help_text="Read from here."
    )
    candidate_repository = models.ForeignKey(
        "hub.Repository", on_delete=models.CASCADE, related_name="+", help_text="Read from here."
    )
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        help_text="Who asked for it, where no proposal does.",
    )
    base_files = models.JSONField()
    candidate_files = models.JSONField()
    progress = models.JSONField(default=dict, blank=True)
    structure = models.JSONField(default=list, blank=True)
    problems = models.JSONField(
        null=True, blank=True, help_text="What the candidate has wrong and the base had not."
    )
    summary = models.JSONField(default=dict, blank=True, help_text="As Summary.to_dict gives it.")

    objects: ClassVar[WorkQuerySet[WeightsComparison]] = WorkQuerySet.as_manager()  # type: ignore[assignment]

    class Meta(Work.Meta):
        constraints = [
            *Work.Meta.constraints,
            models.UniqueConstraint(
                fields=["base_digest", "candidate_digest", "version"],
                name="weights_comparison_unique",
            ),
        ]


class TensorComparison(models.Model):
    """The numbers of one pair of tensors, named by the digests of their bytes."""

    base_digest = models.CharField(max_length=80)
    candidate_digest = models.CharField(max_length=80)
    version = models.PositiveSmallIntegerField()
    stats = models.JSONField(help_text="As TensorStats.to_dict gives them.")
    spectrum = models.JSONField(null=True, blank=True, help_text="As Spectrum.to_dict gives it.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["base_digest", "candidate_digest", "version"],
                name="tensor_comparison_unique",
            )
        ]


class WeightMerge(Work):
    """Weights that a proposal and its target have both moved, made one by a recipe.

    `theirs_oid` is the head of the proposal, `ours_oid` that of the target branch, `base_oid` what
    both came from. What comes of it is `result_oid`, the proposal's new head, which builds on both.
    """

    TITLE: ClassVar[Any] = _("Merges of weights")

    pull_request = models.ForeignKey(
        "reviews.Discussion", on_delete=models.CASCADE, related_name="weight_merges"
    )
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    base_oid = models.CharField(max_length=40)
    ours_oid = models.CharField(max_length=40)
    theirs_oid = models.CharField(max_length=40)
    choice = models.JSONField(help_text="Method, parameters and rules, as in a recipe.")
    conditions = models.JSONField(default=list, blank=True)
    made_oid = models.CharField(
        max_length=40, blank=True, help_text="Of a trial: its commit lands, nothing is worked out."
    )
    result_oid = models.CharField(
        max_length=40, blank=True, help_text="Written before the head moves."
    )
    queue_entry = models.ForeignKey(
        "reviews.QueueEntry",
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="weight_merges",
        help_text="The place in the merge queue that it was made for.",
    )

    objects: ClassVar[WorkQuerySet[WeightMerge]] = WorkQuerySet.as_manager()  # type: ignore[assignment]

    class Meta(Work.Meta):
        constraints = [
            *Work.Meta.constraints,
            models.UniqueConstraint(
                fields=["pull_request"],
                condition=Q(state__in=("waiting", "running")),
                name="one_live_weight_merge",
            ),
        ]
