"""Text files as records that begin at known bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import IO

from hub.formats.encodings import codec_of
from hub.formats.tables.errors import TableError
from hub.formats.tables.rows import (
    PASSED,
    RECORD_LIMIT_BYTES,
    SAMPLE_BYTES,
    SAMPLE_ROWS,
    Budget,
    Mark,
    Record,
    nearest,
)

_BOM = b"\xef\xbb\xbf"
_OTHER_ENCODINGS = (b"\xff\xfe", b"\xfe\xff")
_SKIP_BYTES = 1024**2
PASSED_TOLD = 64  # of so many that were passed over, one is told


class LineFile:
    """Records of a seekable file: lines, or with `quoted` what lies between newlines outside of
    double quotes. Blank ones are passed over. The first `head` records are not counted.

    Whatever goes over bytes spends of `budget`. Raises: BudgetSpentError.
    """

    def __init__(
        self,
        file: IO[bytes],
        budget: Budget,
        *,
        quoted: bool = False,
        head: int = 0,
        is_cut: bool = False,
    ) -> None:
        self._file, self._quoted, self._head, self.is_cut = file, quoted, head, is_cut
        self._budget = budget
        file.seek(0)
        begin = file.read(3)
        if begin[:2] in _OTHER_ENCODINGS:
            raise TableError("encoding", "This file is not UTF-8: save it as UTF-8.")
        self._start = len(_BOM) if begin == _BOM else 0

    def codec(self) -> str:
        """The encoding of the text, by its beginning."""
        self._file.seek(self._start)
        return codec_of(self._file.read(SAMPLE_BYTES))

    def sample(self, rows: int = SAMPLE_ROWS, size_bytes: int = SAMPLE_BYTES) -> list[Record]:
        """The first records, as many as say what the columns are."""
        found: list[Record] = []
        for record in islice(self.records(), rows):
            size_bytes -= len(record.content or b"")
            found.append(record)
            if size_bytes < 0:
                break
        return found

    def records(self, first: int = 0, marks: tuple[Mark, ...] = ()) -> Iterator[Record]:
        mark = nearest(first, marks)
        at, number, head = mark.at, mark.row, 0
        if mark.at == 0:
            at, head = self._start, self._head
        self._file.seek(at)
        number -= head
        for begin, content in self._split(at):
            if number >= first:
                yield Record(number, begin, content)
            number += 1

    def sifted(
        self, first: int, marks: tuple[Mark, ...], passes: Callable[[bytes], bool] | None
    ) -> Iterator[Record]:
        """The same; what does not pass is passed over."""
        last = None
        for record in self.records(first, marks):
            last = None
            if passes is None or record.content is None or passes(record.content):
                yield record
            else:
                last = Record(record.number, record.at, PASSED)
                if record.number % PASSED_TOLD == 0:
                    yield last
        if last is not None:
            yield last

    def heading(self) -> bytes:
        """The first record of all: what names the columns. Raises: TableError."""
        self._file.seek(self._start)
        for _begin, content in self._split(self._start):
            if content is None:
                break
            return content
        raise TableError("empty", "The first line must name the columns.")

    def _split(self, at: int) -> Iterator[tuple[int, bytes | None]]:
        """(where it begins, content) of each record; no content of one that is too long."""
        read = self._file.readline
        while line := read(RECORD_LIMIT_BYTES + 1):
            self._budget.spend()
            begin, at = at, at + len(line)
            if len(line) > RECORD_LIMIT_BYTES:
                at += self._skip_line(line)
                yield begin, None
                continue
            if self._quoted and line.count(b'"') % 2:
                line, added, is_whole = self._until_closed(line)
                at += added
                yield begin, line if is_whole else None
                continue
            if line.strip():
                if self.is_cut and not line.endswith(b"\n"):
                    return  # what follows in the file is not here
                yield begin, line

    def _until_closed(self, line: bytes) -> tuple[bytes, int, bool]:
        """A record whose quotes go over several lines, the bytes added, and whether it closed.

        One that does not close within the limit is given up there, and the next line is a new one.
        """
        parts, size, added, is_open = [line], len(line), 0, True
        while is_open:
            more = self._file.readline(RECORD_LIMIT_BYTES + 1)
            if not more:
                return b"".join(parts), added, False
            added, size = added + len(more), size + len(more)
            if size > RECORD_LIMIT_BYTES:
                return b"", added + self._skip_line(more), False
            parts.append(more)
            is_open ^= more.count(b'"') % 2 == 1
        return b"".join(parts), added, True

    def _skip_line(self, line: bytes) -> int:
        """Go to the end of a line that has been read in part; how many bytes that was."""
        skipped = 0
        while line and not line.endswith(b"\n"):
            line = self._file.readline(_SKIP_BYTES)
            skipped += len(line)
            self._budget.require()
        return skipped
