"""The Xet wire formats, and how an upload in them becomes blobs."""

from hub.blobstore.xet.ingest import IngestedFile
from hub.blobstore.xet.store import XetStore

__all__ = ["IngestedFile", "XetStore"]
