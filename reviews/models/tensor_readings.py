"""The numbers of one tensor of a stored file: worked out once, shared by all who may read it."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from hub.models.work import Work, WorkQuerySet


class TensorReading(Work):
    """`file` is the file as WeightFile tells it; `digest` names its bytes."""

    TITLE: ClassVar[Any] = _("Looks at tensors")

    digest = models.CharField(max_length=64)
    tensor = models.CharField(max_length=512)
    version = models.PositiveSmallIntegerField(help_text="Of the formulas.")
    repository = models.ForeignKey(
        "hub.Repository", on_delete=models.CASCADE, related_name="+", help_text="Read from here."
    )
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    file = models.JSONField()
    numbers = models.JSONField(default=dict, blank=True, help_text="As TensorNumbers.to_dict.")

    objects: ClassVar[WorkQuerySet[TensorReading]] = WorkQuerySet.as_manager()  # type: ignore[assignment]

    class Meta(Work.Meta):
        constraints = [
            *Work.Meta.constraints,
            models.UniqueConstraint(
                fields=["digest", "tensor", "version"], name="tensor_reading_unique"
            ),
        ]
