"""What nobody links to any more goes away: objects, then what Xet kept for them, then strays.

Marked are links, never counters. An object without a link waits for its quarantine; whatever was
used within the grace of uploads stays whatever the rows say, because its link may be on its way:
linking and collecting meet in the lock of the row and in the time of last use of the file.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from hub.blobstore import BlobStore
from hub.blobstore.xet import XetStore
from hub.models import DerivedObject, Repository, StoredObject


@dataclass
class Collected:
    """How many of each kind were removed."""

    objects: int = 0
    strays: int = 0
    recipes: int = 0
    xorbs: int = 0


def collect(*, xorbs_at_once: bool = False) -> Collected:
    """Remove what is garbage now.

    `xorbs_at_once` drops orphaned xorbs without waiting until clients have forgotten them, and
    gives the stores new epochs first, so that clients do not rely on them.
    """
    done = Collected()
    forget_derived()
    mark()
    due = timezone.now() - settings.GARBAGE_QUARANTINE
    for pk in StoredObject.objects.filter(unlinked_at__lte=due).values_list("pk", flat=True):
        done.objects += collect_object(pk)
    for scope in scopes():
        done.strays += _collect_strays(scope)
        _collect_xet(scope, done, at_once=xorbs_at_once)
    return done


def mark() -> None:
    """Note since when an object has no link, and forget it of those that have one again."""
    rows = StoredObject.objects
    unused = Q(links=None, derivations=None)
    rows.filter(unused, unlinked_at=None).update(unlinked_at=timezone.now())
    rows.exclude(unlinked_at=None).exclude(unused).update(unlinked_at=None)


def forget_derived() -> int:
    """Let go of what was worked out and not asked for lately; how many. It can be made again."""
    ended = timezone.now() - settings.DERIVED_LIFETIME
    return DerivedObject.objects.filter(used_at__lte=ended).delete()[0]


def collect_object(pk: int) -> bool:
    """Remove one object unless it is linked or was used just now. Its row goes first."""
    with transaction.atomic():
        rows = StoredObject.objects.select_for_update(skip_locked=True, of=("self",))
        row = rows.filter(pk=pk).first()
        if row is None or row.links.exists() or row.derivations.exists():
            return False
        store = store_of(row.scope)
        if not store.is_unused(row.sha256, settings.UPLOAD_GRACE):
            return False
        row.delete()
    # A file that somebody has used since stays: they link it, or it becomes a stray.
    store.discard(row.sha256, unused_for=settings.UPLOAD_GRACE)
    return True


def scopes() -> list[str]:
    """The scopes that have a folder."""
    if not settings.OBJECTS_DIR.is_dir():
        return []
    return sorted(root.name for root in settings.OBJECTS_DIR.iterdir() if root.is_dir())


def store_of(scope: str) -> BlobStore:
    return BlobStore(settings.OBJECTS_DIR / scope, reserve_bytes=settings.FREE_DISK_RESERVE_BYTES)


def _collect_strays(scope: str) -> int:
    """Files that no row names: uploads that ended between their bytes and their link."""
    # A database that knows no repository at all was emptied or is another one's: touch nothing.
    if not Repository.objects.exists():
        return 0
    store = store_of(scope)
    found = [blob.sha256 for blob in store.iter_blobs()]
    kept = set(StoredObject.objects.filter(scope=scope).values_list("sha256", flat=True))
    unused_for = settings.UPLOAD_GRACE + settings.GARBAGE_QUARANTINE
    strays = (sha256 for sha256 in found if sha256 not in kept)
    return sum(store.discard(sha256, unused_for=unused_for) for sha256 in strays)


def _collect_xet(scope: str, done: Collected, *, at_once: bool) -> None:
    blobs = store_of(scope)
    store = XetStore(blobs.root, blobs)
    if at_once:
        store.renew_epoch()
    grace: timedelta = settings.UPLOAD_GRACE
    removed = store.collect(
        files_unused_for=grace, xorbs_unused_for=grace if at_once else settings.XORB_GRACE
    )
    done.recipes += removed.recipes
    done.xorbs += removed.xorbs
