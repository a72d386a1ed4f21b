"""Pictures that people and organisations have chosen for themselves."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class Picture(models.Model):
    """A small square, as the hub itself has written it, named by what is in it.

    Rows that show it hold its key, so that a list needs no question for its pictures.
    """

    sha256 = models.CharField(max_length=64, primary_key=True)
    content = models.BinaryField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(sha256__regex=r"^[0-9a-f]{64}$"), name="picture_sha256_hex"
            )
        ]
