"""How large a picture is, from its first bytes: PNG, GIF, JPEG and WebP."""

from struct import unpack_from

HEAD_BYTES = 256 * 1024  # thumbnails and colour profiles stand before the size of a JPEG
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def picture_size(head: bytes) -> tuple[int, int] | None:
    """Width and height in pixels; None for anything else, or where the head is too short."""
    try:
        found = _size(head)
    except (IndexError, ValueError):
        return None
    return found if found and 0 < found[0] <= 65_535 and 0 < found[1] <= 65_535 else None


def _size(head: bytes) -> tuple[int, int] | None:
    if head.startswith(b"\x89PNG\r\n\x1a\n") and head[12:16] == b"IHDR":
        return _at(">II", head, 16)
    if head.startswith((b"GIF87a", b"GIF89a")):
        return _at("<HH", head, 6)
    if head.startswith(b"\xff\xd8"):
        return _jpeg(head)
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return _webp(head)
    return None


def _at(layout: str, head: bytes, place: int) -> tuple[int, int] | None:
    if len(head) < place + 8:
        return None
    width, height = unpack_from(layout, head, place)
    return width, height


def _jpeg(head: bytes) -> tuple[int, int] | None:
    place = 2
    while place + 9 < len(head):
        if head[place] != 0xFF:
            return None
        marker = head[place + 1]
        if marker in _START_OF_FRAME:
            height, width = unpack_from(">HH", head, place + 5)
            return width, height
        if marker == 0xFF or 0xD0 <= marker <= 0xD8:  # padding, or a marker that stands alone
            place += 1 if marker == 0xFF else 2
            continue
        length = int.from_bytes(head[place + 2 : place + 4], "big")
        if length < 2:
            return None
        place += 2 + length
    return None


def _webp(head: bytes) -> tuple[int, int] | None:
    kind = head[12:16]
    if kind == b"VP8X" and len(head) >= 30:
        width, height = head[24:27], head[27:30]
        return int.from_bytes(width, "little") + 1, int.from_bytes(height, "little") + 1
    if kind == b"VP8L" and len(head) >= 25:
        bits = int.from_bytes(head[21:25], "little")
        return (bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1
    if kind == b"VP8 " and len(head) >= 30:
        width, height = unpack_from("<HH", head, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None
