"""Pictures and sounds inside rows, told by their first bytes and by nothing that anybody says."""

from __future__ import annotations

LIMIT_BYTES = 8 * 1024**2
_MAGIC: tuple[tuple[bytes, int, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", 0, "image/png"),
    (b"\xff\xd8\xff", 0, "image/jpeg"),
    (b"GIF87a", 0, "image/gif"),
    (b"GIF89a", 0, "image/gif"),
    (b"fLaC", 0, "audio/flac"),
    (b"OggS", 0, "audio/ogg"),
    (b"ID3", 0, "audio/mpeg"),
    (b"\xff\xfb", 0, "audio/mpeg"),
    (b"WEBP", 8, "image/webp"),
    (b"WAVE", 8, "audio/wav"),
)


def media_type(content: bytes) -> str:
    """The content type of a raster picture or a sound that browsers may show; "" for all else."""
    for magic, at, name in _MAGIC:
        if content[at : at + len(magic)] == magic and (at == 0 or content[:4] == b"RIFF"):
            return name
    return ""
