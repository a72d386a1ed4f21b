"""Whether the disk of the repositories takes more (threats section 9)."""

from __future__ import annotations

from django.conf import settings

from hub.blobstore import landing


def require_room() -> None:
    """Refuse a change of git while the disk has only its reserve left: reading must go on.

    Raises: StorageFullError.
    """
    settings.REPOSITORIES_DIR.mkdir(parents=True, exist_ok=True)
    landing.require_room(settings.REPOSITORIES_DIR, reserve_bytes=settings.FREE_DISK_RESERVE_BYTES)
