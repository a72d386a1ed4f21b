"""Kinds of files that browsers play or paint without running anything of them."""

from __future__ import annotations

IMAGES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
}
AUDIO = {
    ".mp3": "audio/mpeg",
    ".wav": "audio/wav",
    ".flac": "audio/flac",
    ".ogg": "audio/ogg",
    ".oga": "audio/ogg",
    ".opus": "audio/ogg",
    ".m4a": "audio/mp4",
}
VIDEO = {".mp4": "video/mp4", ".m4v": "video/mp4", ".webm": "video/webm", ".ogv": "video/ogg"}
INERT = {**IMAGES, **AUDIO, **VIDEO}
# A drawing is inert as a picture of a page, and only there.
DRAWING_SUFFIX, DRAWING = ".svg", "image/svg+xml"
