"""Which large files lie in the object store, and which repository may read which."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class StoredObject(models.Model):
    """A large file that lies in one scope of the object store, verified and durable."""

    scope = models.CharField(max_length=64)
    sha256 = models.CharField(max_length=64)
    size_bytes = models.BigIntegerField()
    xet_hash = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["scope", "sha256"], name="stored_object_unique"),
            models.CheckConstraint(
                condition=Q(sha256__regex=r"^[0-9a-f]{64}$"), name="stored_object_sha256_hex"
            ),
            models.CheckConstraint(condition=Q(size_bytes__gte=0), name="stored_object_size"),
        ]


class ObjectLinkQuerySet(models.QuerySet["ObjectLink"]):
    def of(self, repository_id: int, sha256: str) -> ObjectLinkQuerySet:
        return self.filter(repository=repository_id, stored_object__sha256=sha256)


class ObjectLink(models.Model):
    """A repository's right to one stored object: made by bytes that hash to its id, or a copy."""

    repository = models.ForeignKey(
        "hub.Repository", on_delete=models.CASCADE, related_name="object_links"
    )
    stored_object = models.ForeignKey(StoredObject, on_delete=models.PROTECT, related_name="links")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ObjectLinkQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["repository", "stored_object"], name="object_link_unique"
            )
        ]
