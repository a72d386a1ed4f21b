"""CRC-32C (Castagnoli), as TFRecord files mask it."""

from __future__ import annotations

_POLYNOMIAL = 0x82F63B78
_MASK = 0xFFFF_FFFF


def _entry(byte: int) -> int:
    for _ in range(8):
        byte = (byte >> 1) ^ (_POLYNOMIAL if byte & 1 else 0)
    return byte


_TABLE = tuple(_entry(byte) for byte in range(256))


def crc32c(content: bytes) -> int:
    """The checksum of `content` (RFC 3720, B.4)."""
    found = _MASK
    for byte in content:
        found = (found >> 8) ^ _TABLE[(found ^ byte) & 0xFF]
    return found ^ _MASK


def masked_crc(content: bytes) -> int:
    """The checksum turned and shifted, so that one may stand inside what is summed again."""
    found = crc32c(content)
    return (((found >> 15) | (found << 17)) + 0xA282EAD8) & _MASK
