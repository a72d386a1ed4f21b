"""Several models made one, as a proposal on one of them."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from hub.models.work import Work, WorkQuerySet


class ModelMerge(Work):
    """What somebody asked for: `parts` of one `base` merged into a proposal on `repository`.

    Each source is {"key", "repo_id", "oid"}: the repository's primary key, what it was called, and
    a commit; a model has its "weight" and "density" too. One of the models is of `repository`, and
    the proposal builds on its commit.
    """

    TITLE: ClassVar[Any] = _("Merges of models")

    repository = models.ForeignKey(
        "hub.Repository", on_delete=models.CASCADE, related_name="model_merges"
    )
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    title = models.CharField(max_length=256)
    target_branch = models.CharField(max_length=200)
    base = models.JSONField()
    parts = models.JSONField(help_text="The models, in the recipe's order.")
    choice = models.JSONField(help_text="Method, parameters, rules, seed, and what was confirmed.")
    conditions = models.JSONField(default=list, blank=True)
    progress = models.JSONField(default=dict, blank=True)
    result_oid = models.CharField(max_length=40, blank=True)
    pull_request_number = models.PositiveIntegerField(null=True, blank=True)

    objects: ClassVar[WorkQuerySet[ModelMerge]] = WorkQuerySet.as_manager()  # type: ignore[assignment]

    class Meta(Work.Meta):
        constraints = [
            *Work.Meta.constraints,
            models.UniqueConstraint(
                fields=["repository", "by"],
                condition=Q(state__in=("waiting", "running")),
                name="one_live_model_merge",
            ),
        ]

    @property
    def sources(self) -> list[dict[str, Any]]:
        """The base, then the models in their order."""
        return [self.base, *self.parts]

    def get_absolute_url(self) -> str:
        return f"/{self.repository.path}/merge-models/{self.pk}"
