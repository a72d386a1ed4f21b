"""What ways of merging weights would give, made before anybody chooses one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from hub.models.work import Work, WorkQuerySet, WorkState


def choice_digest(choice: Mapping[str, Any]) -> str:
    """SHA-256 by which equal choices are the same trial."""
    return hashlib.sha256(json.dumps(choice, sort_keys=True).encode()).hexdigest()


class WeightTrialQuerySet(WorkQuerySet["WeightTrial"]):
    def kept(self) -> Self:
        """Those that have not been let go."""
        return self.filter(is_going=False)

    def between(self, ours_oid: str, theirs_oid: str) -> Self:
        """Those that merge exactly these two heads."""
        return self.filter(ours_oid=ours_oid, theirs_oid=theirs_oid)

    def holding(self) -> Self:
        """Those that hold weights, or will."""
        return self.kept().exclude(state=WorkState.FAILED)


class WeightTrial(Work):
    """One way of merging a proposal's weights with its target's; the oids are as in WeightMerge.

    The commit `result_oid` is what a direct merge would make the proposal's head. A ref that
    clients never see keeps it, until head or target moves or the pull request is decided; a row
    that `is_going` is shown no more. `files` are the sha256 of its weights.
    """

    TITLE: ClassVar[Any] = _("Trials of merges")

    pull_request = models.ForeignKey(
        "reviews.Discussion", on_delete=models.CASCADE, related_name="weight_trials"
    )
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    base_oid = models.CharField(max_length=40)
    ours_oid = models.CharField(max_length=40)
    theirs_oid = models.CharField(max_length=40)
    choice = models.JSONField(help_text="Method, parameters and rules, as in a recipe.")
    choice_digest = models.CharField(max_length=64)
    conditions = models.JSONField(default=list, blank=True)
    distances = models.JSONField(
        default=dict, blank=True, help_text="Of the merge from each parent, and the farthest."
    )
    files = models.JSONField(default=list, blank=True)
    result_oid = models.CharField(max_length=40, blank=True)
    is_going = models.BooleanField(default=False)

    objects: ClassVar[WeightTrialQuerySet] = WeightTrialQuerySet.as_manager()  # type: ignore[assignment]

    class Meta(Work.Meta):
        constraints = [
            *Work.Meta.constraints,
            models.UniqueConstraint(
                fields=["pull_request", "ours_oid", "theirs_oid", "choice_digest"],
                condition=Q(is_going=False),
                name="weight_trial_once",
            ),
        ]

    @property
    def held_name(self) -> str:
        """Under which the repository holds the commit."""
        return f"trials/{self.pk}"

    def unmet(self) -> Iterable[dict[str, Any]]:
        """The conditions of averaging that do not hold."""
        return [each for each in self.conditions if not each["holds"]]
