"""A part of a file, read as if it were a whole one."""

import io
from typing import BinaryIO


class RangeReader(io.RawIOBase):
    """The bytes [start, end) of `file`, which it owns and closes."""

    def __init__(self, file: BinaryIO, start: int, end: int) -> None:
        super().__init__()
        self._file = file
        self._remaining_bytes = end - start
        file.seek(start)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        data = self._file.read(min(len(buffer), self._remaining_bytes))
        buffer[: len(data)] = data
        self._remaining_bytes -= len(data)
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()
