"""What killed requests leave behind, and how it goes away."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from hub.blobstore import BlobStore
from hub.blobstore.parts import PartialFiles
from hub.models import (
    BrowserSession,
    DeviceLogin,
    MultipartUpload,
    Repository,
    SignUpInvitation,
)

KEEP = timedelta(hours=24)


def stray_folders(older_than: timedelta) -> Iterator[Path]:
    """Repository folders, whole or half made, that no row has, untouched for `older_than`."""
    ends_at = time.time() - older_than.total_seconds()
    if not settings.REPOSITORIES_DIR.is_dir():
        return
    kept = {f"{pk}.git" for pk in Repository.objects.values_list("pk", flat=True)}
    for folder in settings.REPOSITORIES_DIR.iterdir():
        if folder.name not in kept and folder.lstat().st_ctime <= ends_at:
            yield folder


def remove_stray_folders() -> int:
    """The number of folders removed."""
    # A row is committed after its folder is made: what is a day old and has none never will.
    stray = list(stray_folders(KEEP))
    for folder in stray:
        shutil.rmtree(folder, ignore_errors=True)
    return len(stray)


def end_abandoned_uploads() -> int:
    """The number of uploads in parts that were given up: nothing came, and addresses ended."""
    ends_at = timezone.now() - settings.MULTIPART_LIFETIME
    count = MultipartUpload.objects.filter(touched_at__lt=ends_at).end()
    for root in settings.OBJECTS_DIR.glob("*"):
        files = PartialFiles(root, BlobStore(root).landing)
        quiet = files.names(settings.MULTIPART_LIFETIME)
        live = {str(pk) for pk in MultipartUpload.objects.values_list("pk", flat=True)}
        for name in quiet:
            if name not in live:
                files.drop(name)
    return count


def remove_stray_uploads() -> int:
    """The number of drafts removed from every scope of the object store."""
    if not settings.OBJECTS_DIR.is_dir():
        return 0
    stores = [BlobStore(root) for root in settings.OBJECTS_DIR.iterdir() if root.is_dir()]
    return sum(store.remove_stray_files(KEEP) for store in stores)


def remove_ended_sessions() -> int:
    """The number of rows removed of browsers whose cookie is too old, and of old invitations."""
    now = timezone.now()
    age = timedelta(seconds=settings.SESSION_COOKIE_AGE)
    ended = BrowserSession.objects.filter(last_seen_at__lt=now - age).delete()[0]
    return ended + SignUpInvitation.objects.filter(expires_at__lt=now - KEEP).delete()[0]


def remove_ended_device_logins() -> int:
    """The number of wishes of devices removed whose codes ended a day ago."""
    ended = DeviceLogin.objects.filter(expires_at__lt=timezone.now() - KEEP)
    return ended.delete()[0]
