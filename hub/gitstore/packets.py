"""pkt-lines: git's framing on the wire. Source: gitprotocol-common(5), gitprotocol-pack(5)."""

from typing import Protocol

from hub.errors import BadInputError

FLUSH = b"0000"
_SIDEBAND_BYTES = 65515
_HEX = frozenset(b"0123456789abcdefABCDEF")


class ByteStream(Protocol):
    def read(self, size: int, /) -> bytes: ...


def packet(payload: bytes) -> bytes:
    return b"%04x" % (len(payload) + 4) + payload


def sideband(channel: int, payload: bytes) -> bytes:
    """`payload` on one band of a multiplexed stream: 1 data, 2 words for the person."""
    pieces = range(0, len(payload), _SIDEBAND_BYTES)
    mark = bytes([channel])
    return b"".join(packet(mark + payload[at : at + _SIDEBAND_BYTES]) for at in pieces)


def read_packet(stream: ByteStream) -> tuple[bytes, bytes | None]:
    """(the bytes as they came, the payload). The payload is None for a flush or at the end."""
    head = read_exactly(stream, 4)
    if head in (b"", FLUSH):
        return head, None
    if len(head) < 4 or not set(head) <= _HEX or int(head, 16) < 4:
        raise BadInputError("This is no git request: a length of four hex digits is missing.")
    body = read_exactly(stream, int(head, 16) - 4)
    if len(body) < int(head, 16) - 4:
        raise BadInputError("The git request ended in the middle of a line.")
    return head + body, body


def read_exactly(stream: ByteStream, size: int) -> bytes:
    """`size` bytes, or fewer where the stream ends."""
    got = bytearray()
    while len(got) < size:
        chunk = stream.read(size - len(got))
        if not chunk:
            break
        got += chunk
    return bytes(got)
