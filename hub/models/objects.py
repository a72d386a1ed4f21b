"""Which large files lie in the object store, and which repository may read which."""

from __future__ import annotations

from typing import Self

from django.conf import settings
from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone


class StoredObject(models.Model):
    """A large file that lies in one scope of the object store, verified and durable."""

    scope = models.CharField(max_length=64)
    sha256 = models.CharField(max_length=64)
    size_bytes = models.BigIntegerField()
    xet_hash = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    # Since when no repository links to it; it is collected once its quarantine is over.
    unlinked_at = models.DateTimeField(null=True, blank=True)

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


class DerivedObjectQuerySet(models.QuerySet["DerivedObject"]):
    def live(self) -> Self:
        """Those that are kept still: the others go with the next collection."""
        return self.filter(used_at__gt=timezone.now() - settings.DERIVED_LIFETIME)


class DerivedObject(models.Model):
    """A stored object that the hub worked out from a repository's files, kept while it is used.

    It gives the right to read it there, not to commit it: no history may lead to what goes away.
    """

    repository = models.ForeignKey(
        "hub.Repository", on_delete=models.CASCADE, related_name="derived_objects"
    )
    stored_object = models.ForeignKey(
        StoredObject, on_delete=models.PROTECT, related_name="derivations"
    )
    used_at = models.DateTimeField()

    objects = DerivedObjectQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["repository", "stored_object"], name="derived_object_unique"
            )
        ]
        indexes = [models.Index(fields=["used_at"], name="derived_object_used")]


class RemovedObject(models.Model):
    """A large file that was removed from a repository for good; old pointers may still name it."""

    repository = models.ForeignKey(
        "hub.Repository", on_delete=models.CASCADE, related_name="removed_objects"
    )
    sha256 = models.CharField(max_length=64)
    removed_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["repository", "sha256"], name="removed_object_unique")
        ]


class MultipartUploadQuerySet(models.QuerySet["MultipartUpload"]):
    @transaction.atomic
    def end(self) -> int:
        """Remove uploads with what is noted of their parts; how many.

        A part that is just being noted is waited for, and none is noted afterwards.
        """
        keys = list(self.order_by("pk").select_for_update().values_list("pk", flat=True))
        self.model.objects.filter(pk__in=keys).delete()
        return len(keys)


class MultipartUpload(models.Model):
    """A large file on its way into a repository, part by part (see `hub.blobstore.parts`)."""

    repository = models.ForeignKey(
        "hub.Repository", on_delete=models.CASCADE, related_name="multipart_uploads"
    )
    user = models.ForeignKey("hub.User", on_delete=models.CASCADE, related_name="+")
    scope = models.CharField(max_length=64)
    sha256 = models.CharField(max_length=64)
    size_bytes = models.BigIntegerField()
    part_bytes = models.BigIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)
    touched_at = models.DateTimeField(auto_now=True)

    objects = MultipartUploadQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["repository", "user", "scope", "sha256", "size_bytes"],
                name="multipart_upload_unique",
            ),
            models.CheckConstraint(
                condition=Q(sha256__regex=r"^[0-9a-f]{64}$"), name="multipart_upload_sha256_hex"
            ),
            models.CheckConstraint(
                condition=Q(size_bytes__gte=0, part_bytes__gt=0), name="multipart_upload_sizes"
            ),
        ]

    @property
    def part_count(self) -> int:
        return -(-self.size_bytes // self.part_bytes)

    def part_span(self, number: int) -> tuple[int, int]:
        """The bytes [start, end) of the file that part `number`, from 1, holds."""
        start = (number - 1) * self.part_bytes
        return start, min(self.size_bytes, start + self.part_bytes)


class UploadedPart(models.Model):
    """A part that lies in its place; `etag` is the hash of what was sent last."""

    upload = models.ForeignKey(MultipartUpload, on_delete=models.CASCADE, related_name="parts")
    number = models.PositiveIntegerField()
    etag = models.CharField(max_length=64)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["upload", "number"], name="uploaded_part_unique"),
            models.CheckConstraint(condition=Q(number__gte=1), name="uploaded_part_number"),
        ]
