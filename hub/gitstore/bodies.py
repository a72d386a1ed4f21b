"""The body of a git request: unpacked where it is gzipped, fed to git while git answers."""

import io
import logging
import threading
import time
import zlib
from typing import IO

from hub.errors import BadInputError, HubError, TooLargeError
from hub.gitstore.packets import ByteStream
from hub.gitstore.process import CHUNK_BYTES, Limits
from hub.gitstore.receive import DRAIN_LIMIT_BYTES, drain

_log = logging.getLogger(__name__)


def request_body(
    stream: ByteStream, *, content_encoding: str = "", limit_bytes: int = Limits.input_bytes
) -> ByteStream:
    """The body as git wrote it: unpacked when the client sent it gzipped, within the limit."""
    if content_encoding in ("", "identity"):
        return stream
    if content_encoding not in ("gzip", "x-gzip"):
        raise BadInputError(f"git bodies come plain or gzipped, not as {content_encoding[:40]!r}.")
    return io.BufferedReader(_Gunzip(stream, limit_bytes))


class _Gunzip(io.RawIOBase):
    """A gzipped stream unpacked a piece at a time."""

    def __init__(self, source: ByteStream, limit_bytes: int) -> None:
        self._source, self._left = source, limit_bytes
        self._unpack = zlib.decompressobj(31)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = b""
        while not data and not self._unpack.eof:
            packed = self._unpack.unconsumed_tail or self._source.read(CHUNK_BYTES)
            if not packed:
                raise BadInputError("The gzipped request broke off.")
            try:
                data = self._unpack.decompress(packed, len(buffer))
            except zlib.error as error:
                raise BadInputError("The request is not gzipped as it says.") from error
        self._left -= len(data)
        if self._left < 0:
            raise TooLargeError("The gzipped request unpacks to more than the limit.")
        buffer[: len(data)] = data
        return len(data)


class Feeder(threading.Thread):
    """Hands the request to git while git already answers; reads on when git has had enough."""

    def __init__(self, source: ByteStream, sink: IO[bytes] | None, limits: Limits) -> None:
        super().__init__(daemon=True)
        assert sink is not None  # noqa: S101, spawn_git was asked for a pipe
        self._source, self._sink, self._limits = source, sink, limits
        self.moved_at = time.monotonic()
        self.stopped = False

    def run(self) -> None:
        # This thread alone closes the pipe: closed by another while it writes, the descriptor's
        # number could already be someone else's file.
        try:
            with self._sink:
                self._feed()
            if not self.stopped:
                drain(self._source, DRAIN_LIMIT_BYTES)
        except (OSError, ValueError, HubError) as error:
            # The client went away, or sent what cannot be unpacked: git sees a cut-off request.
            _log.info("a git request broke off: %s", error)

    def _feed(self) -> None:
        left = self._limits.input_bytes
        while left > 0 and not self.stopped and (chunk := self._source.read(CHUNK_BYTES)):
            left -= len(chunk)
            self.moved_at = time.monotonic()
            try:
                _write_all(self._sink, chunk)
            except BrokenPipeError:
                return  # git has decided already; its answer says why
            self.moved_at = time.monotonic()


def _write_all(sink: IO[bytes], chunk: bytes) -> None:
    view = memoryview(chunk)
    while view:
        view = view[sink.write(view) :]
