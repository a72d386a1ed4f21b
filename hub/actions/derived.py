"""Files that the hub works out from a repository's own: kept while they are used, in no commit."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from hub.actions.large_files import kept_row
from hub.blobstore import landing
from hub.models import DerivedObject, Repository, StoredObject

# A download in many ranges notes its use once.
NOTED_EVERY = timedelta(hours=1)


def require_room(size_bytes: int, *folders: Path) -> None:
    """Refuse work whose results would eat into a disk's reserve. Raises: StorageFullError."""
    for folder in (settings.OBJECTS_DIR, *folders):
        folder.mkdir(parents=True, exist_ok=True)
        landing.require_room(folder, size_bytes, reserve_bytes=settings.FREE_DISK_RESERVE_BYTES)


def keep_derived(repository: Repository, path: Path) -> StoredObject:
    """Store the file at `path`, without a copy where possible, for readers of `repository`."""
    blob = repository.blobs().adopt(path, limit_bytes=settings.LARGE_FILE_LIMIT_BYTES)
    with transaction.atomic():
        stored = kept_row(repository, blob)
        DerivedObject.objects.update_or_create(
            repository=repository, stored_object=stored, defaults={"used_at": timezone.now()}
        )
    return stored


def derived(repository: Repository, sha256s: Iterable[str]) -> dict[str, StoredObject]:
    """Those of `sha256s` that are kept for readers of `repository`, in one query."""
    rows = DerivedObject.objects.live().filter(repository=repository)
    found = rows.filter(stored_object__sha256__in=set(sha256s)).select_related("stored_object")
    return {row.stored_object.sha256: row.stored_object for row in found}


def let_go(repository: Repository, sha256s: Iterable[str]) -> None:
    """Keep files no longer: what nothing else leads to goes with the next collections."""
    rows = DerivedObject.objects.filter(repository=repository)
    rows.filter(stored_object__sha256__in=set(sha256s)).delete()


def note_use(repository: Repository, sha256s: Iterable[str]) -> None:
    """Keep files on: they are asked for."""
    now = timezone.now()
    rows = DerivedObject.objects.live().filter(repository=repository, used_at__lt=now - NOTED_EVERY)
    rows.filter(stored_object__sha256__in=set(sha256s)).update(used_at=now)
