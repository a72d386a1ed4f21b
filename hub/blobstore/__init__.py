"""Large files by sha256: stored once per scope, whole or not at all, immutable."""

from hub.blobstore.store import Blob, BlobStore

__all__ = ["Blob", "BlobStore"]
