"""A part of a file, read as if it were a whole one."""

import errno
import io
from typing import BinaryIO


class RangeReader(io.RawIOBase):
    """The bytes [start, end) of `file`, which it owns and closes."""

    def __init__(self, file: BinaryIO, start: int, end: int) -> None:
        super().__init__()
        self._file = file
        self._start, self._size_bytes = start, end - start
        self._at = 0
        file.seek(start)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        from_where = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size_bytes}
        place = from_where[whence] + offset
        if place < 0:
            raise OSError(errno.EINVAL, "There is nothing before the beginning.")
        self._at = place
        self._file.seek(self._start + place)
        return place

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer) -> int:
        data = self._file.read(min(len(buffer), max(0, self._size_bytes - self._at)))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()
