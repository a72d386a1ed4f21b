"""What models were made from, as their cards say it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.db import connection, models
from django.db.models import Q
from django.db.models.functions import Upper
from django.utils.translation import gettext_lazy as _

from hub.models.repositories import Kind, Repository

if TYPE_CHECKING:
    from collections.abc import Iterable


class Relation(models.TextChoices):
    ADAPTER = "adapter", _("adapter")
    FINETUNE = "finetune", _("fine-tune")
    MERGE = "merge", _("merge")
    QUANTIZED = "quantized", _("quantisation")
    DATASET = "dataset", _("trained on")


def parent_kind(relation: str) -> Kind:
    """What a link of this relation names."""
    return Kind.DATASET if relation == Relation.DATASET else Kind.MODEL


class ModelLinkQuerySet(models.QuerySet["ModelLink"]):
    def naming(self, kind: str, repo_id: str) -> Self:
        """Links whose card spells this repository so, in any case."""
        is_dataset = Q(relation=Relation.DATASET)
        relation = is_dataset if kind == Kind.DATASET else ~is_dataset
        return self.filter(relation, named__iexact=repo_id)

    def hold_names(self, keys: Iterable[int]) -> None:
        """Nobody else resolves these names until the transaction ends."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_advisory_xact_lock(key) FROM unnest(%s::bigint[]) AS key",
                [sorted(set(keys))],
            )


class ModelLink(models.Model):
    """One parent that the card of `repository` names.

    `named` is the card's own text; `parent` is the repository of that name, or that had it, on
    this server: it says nothing of who may see it.
    """

    repository = models.ForeignKey(
        Repository, on_delete=models.CASCADE, related_name="parent_links"
    )
    relation = models.CharField(max_length=9, choices=Relation)
    named = models.CharField(max_length=193)
    parent = models.ForeignKey(
        Repository, on_delete=models.SET_NULL, null=True, blank=True, related_name="child_links"
    )
    position = models.PositiveSmallIntegerField()

    objects = ModelLinkQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["repository", "relation", "named"], name="model_link_unique"
            ),
            models.CheckConstraint(
                condition=Q(relation__in=Relation.values), name="model_link_relation_known"
            ),
        ]
        indexes = [models.Index(Upper("named"), name="model_link_named")]

    @property
    def parent_kind(self) -> Kind:
        return parent_kind(self.relation)
