"""Signed addresses of an upload in parts, as a batch of git-lfs names them."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.urls import reverse

from hub.api.grants import Act, Grant
from hub.models import MultipartUpload


def upload_action(upload: MultipartUpload, grant: Grant) -> dict[str, Any]:
    """The `upload` action of a batch: where each part goes, ascending, and where to finish."""
    addresses = {
        f"{number:05d}": _signed(Act.LFS_PART, upload, grant, "hub:lfs-part", number)
        for number in range(1, upload.part_count + 1)
    }
    return {
        "href": _signed(Act.LFS_FINISH, upload, grant, "hub:lfs-finish"),
        "header": {"chunk_size": str(upload.part_bytes), **addresses},
        "expires_in": int(settings.MULTIPART_LIFETIME.total_seconds()),
    }


def _signed(act: Act, upload: MultipartUpload, grant: Grant, route: str, *number: int) -> str:
    names = (str(upload.size_bytes), str(upload.pk))
    seal = grant.also(act, upload.sha256, *names, *map(str, number)).seal()
    query = urlencode({"size": names[0], "upload": names[1], "grant": seal})
    return f"{settings.PUBLIC_URL}{reverse(route, args=[upload.sha256, *number])}?{query}"
