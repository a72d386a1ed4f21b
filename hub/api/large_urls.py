"""Routes of large files: over a whole repository, by parts, and what safetensors hold."""

from __future__ import annotations

from django.urls import path

from hub.api import lfs_files, multipart, safetensors
from hub.http.routing import api

urlpatterns = [
    path("-/lfs/<slug:oid>/parts/<int:part>", multipart.PartView.as_view(), name="lfs-part"),
    path("-/lfs/<slug:oid>/finish", multipart.FinishView.as_view(), name="lfs-finish"),
    api(
        "/safetensors-metadata/<entry:path>",
        safetensors.SafetensorsView.as_view(),
        "safetensors-metadata",
    ),
    api("/lfs-files", lfs_files.LfsFilesView.as_view(), "lfs-files"),
    api("/lfs-files/batch", lfs_files.LfsFilesBatchView.as_view(), "lfs-files-batch"),
    api("/lfs-files/duplicate", lfs_files.LfsFilesDuplicateView.as_view(), "lfs-files-duplicate"),
]
