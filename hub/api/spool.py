"""Lines of a commit's body, read as they arrive; long texts in them lie in a file meanwhile."""

from __future__ import annotations

import base64
import binascii
import re
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Self

from django.conf import settings

from hub.errors import BadInputError, TooLargeError
from hub.formats.bounded_json import load_json
from hub.gitstore import KeptContent
from hub.gitstore.packets import ByteStream

CHUNK_BYTES = 256 * 1024
# A line is parsed in memory up to here (a header with a long description, escaped); one text of
# it may be longer.
SHORT_LINE_BYTES = 512 * 1024
KEPT_ABOVE_BYTES = 4 * 1024
# A file as base64, whose slashes some writers escape.
TEXT_LIMIT_BYTES = settings.REGULAR_FILE_LIMIT_BYTES * 4 // 3 + 64 * 1024
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_REST_OF_STRING = re.compile(rb'(?:[^"\\\n]|\\[^\n])*+')


@dataclass(frozen=True)
class Line:
    """One line. Its long text, if any, is replaced by `Spool.mark` in `head`."""

    head: bytes
    has_long_text: bool = False


class Spool:
    """The open files of one commit's body; they have no names and are gone when it ends."""

    def __init__(self) -> None:
        settings.SPOOL_DIR.mkdir(parents=True, exist_ok=True)
        self._files = ExitStack()
        self._text, self._contents = (
            self._files.enter_context(tempfile.TemporaryFile(dir=settings.SPOOL_DIR))  # noqa: SIM115
            for _ in range(2)
        )
        # Nobody can guess it, so no text of a body is taken for it.
        self.mark = secrets.token_hex(16)
        self._is_escaped = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._files.close()

    def keep(self, content: bytes) -> bytes | KeptContent:
        """`content` itself when it is small, else the place in the file where it lies."""
        if len(content) <= KEPT_ABOVE_BYTES:
            return content
        start = self._contents.tell()
        self._contents.write(content)
        self._contents.flush()
        return KeptContent(self._contents, start, len(content))

    def keep_base64(self) -> KeptContent:
        """What the long text of the last line encodes. Raises: binascii.Error."""
        start = self._contents.tell()
        if self._is_escaped:
            self._contents.write(base64.b64decode(self.text(), validate=True))
        else:
            self._decode()
        self._contents.flush()
        return KeptContent(self._contents, start, self._contents.tell() - start)

    def _decode(self) -> None:
        self._text.seek(0)
        ended = False
        while chunk := self._text.read(CHUNK_BYTES):
            if ended:
                raise binascii.Error("data after the padding")
            ended = b"=" in chunk
            self._contents.write(base64.b64decode(chunk, validate=True))

    def text(self) -> str:
        """The long text of the last line, in memory. Raises: JsonError."""
        self._text.seek(0)
        raw = b'"' + self._text.read() + b'"'
        found: str = load_json(raw, max_bytes=len(raw))
        return found

    def lines(self, stream: ByteStream, *, limit_bytes: int) -> Iterator[Line]:
        """The lines of a body of at most `limit_bytes`. Raises: BadInputError, TooLargeError."""
        source = _Source(stream, limit_bytes)
        while not source.at_end():
            head, ended = source.until_newline(SHORT_LINE_BYTES)
            yield Line(head) if ended else self._long(head, source)

    def _long(self, head: bytes, source: _Source) -> Line:
        last: re.Match[bytes] | None = None
        for last in _STRING.finditer(head):  # noqa: B007, the last one is wanted
            pass
        if last is None or (len(last[0]) > 1 and last[0].endswith(b'"')):
            raise TooLargeError("A line of this commit is too long: only a content may be.")
        source.put_back(head[last.start() + 1 :])
        self._take_text(source)
        rest, ended = source.until_newline(SHORT_LINE_BYTES)
        if not ended:
            raise TooLargeError("A line of this commit is too long: only a content may be.")
        return Line(head[: last.start()] + b'"%s"' % self.mark.encode() + rest, True)

    def _take_text(self, source: _Source) -> None:
        """Write the string that `source` is in to the file, up to its closing quote."""
        self._text.seek(0)
        self._text.truncate()
        self._is_escaped = False
        size, carried = 0, b""
        while chunk := source.read():
            piece = carried + chunk
            found = _REST_OF_STRING.match(piece)
            end = found.end() if found else 0
            self._text.write(piece[:end])
            self._is_escaped |= b"\\" in piece[:end]
            size += end
            if size > TEXT_LIMIT_BYTES:
                raise TooLargeError(
                    "A file in this commit is too large to be sent in it: "
                    "send large files over LFS or Xet."
                )
            carried = piece[end:]
            if carried and carried != b"\\":  # whose next character is yet to come
                source.put_back(carried)
                break
        rest = source.take(1)
        if rest != b'"':
            raise BadInputError("A line of this commit ends in the middle of a text.")


class _Source:
    """A body read in chunks, with a way back."""

    def __init__(self, stream: ByteStream, limit_bytes: int) -> None:
        self._stream, self._left, self._limit = stream, limit_bytes, limit_bytes
        self._buffer = b""

    def read(self) -> bytes:
        """What is at hand, else the next chunk; nothing at the end."""
        if self._buffer:
            data, self._buffer = self._buffer, b""
            return data
        data = self._stream.read(CHUNK_BYTES)
        self._left -= len(data)
        if self._left < 0:
            raise TooLargeError(
                f"A commit is sent in one body of at most {self._limit} bytes: "
                "send large files over LFS or Xet, or split the commit."
            )
        return data

    def put_back(self, data: bytes) -> None:
        self._buffer = data + self._buffer

    def at_end(self) -> bool:
        self.put_back(self.read())
        return not self._buffer

    def take(self, size: int) -> bytes:
        data = self.read()
        self.put_back(data[size:])
        return data[:size]

    def until_newline(self, limit_bytes: int) -> tuple[bytes, bool]:
        """(what comes, whether it is the rest of the line). False once it passes the limit."""
        got = bytearray()
        while chunk := self.read():
            seen = len(got)
            got += chunk
            end = got.find(b"\n", seen, limit_bytes)
            if end >= 0:
                self.put_back(bytes(got[end + 1 :]))
                return bytes(got[: end + 1]), True
            if len(got) >= limit_bytes:
                self.put_back(bytes(got[limit_bytes:]))
                return bytes(got[:limit_bytes]), False
        return bytes(got), True
