"""Rows from the files that people upload: JSON lines, CSV, TSV, plain text and Parquet, bounded."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, time
from decimal import Decimal
from itertools import groupby, islice
from math import isfinite
from pathlib import PurePosixPath
from typing import IO, Any

from hub.errors import BadInputError
from training.specs.sampling import MAX_ROWS, read_json_lines

LINE_LIMIT_BYTES = 1 << 20
FILE_LIMIT_BYTES = 256 * 1024**2  # of a file that has to be read whole: Parquet, one document
VALUES_LIMIT_BYTES = 1024**3  # of a Parquet file's values, written out
MAX_COLUMNS = 1_000
MAX_WORDS = 10_000
MAX_WORD = 100
SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".txt", ".parquet")


def read_rows(stream: IO[bytes], path: str, *, sample_by: str = "line") -> Iterator[dict[str, Any]]:
    """The rows of a file, read as its name says; of plain text one row `text` for each sample.

    Rows without anything in them are skipped.
    Raises:
        BadInputError: a name that says nothing, rows that cannot be read, or too many of them.
    """
    suffix = PurePosixPath(path).suffix.lower()
    if suffix in (".jsonl", ".ndjson", ".json"):
        return read_json_lines(_lines(stream, path), path)
    if suffix in (".csv", ".tsv"):
        return _table(stream, path, "\t" if suffix == ".tsv" else ",")
    if suffix == ".txt":
        return _texts(stream, path, sample_by)
    if suffix == ".parquet":
        return _parquet(stream, path)
    raise BadInputError(f"{path} cannot be read: items are in one of {', '.join(SUFFIXES)}.")


def read_words(lines: Iterable[bytes], path: str) -> tuple[str, ...]:
    """The words of a word list: one a line, in lower case, sorted; `#` begins a remark.

    Raises:
        BadInputError: none, too many, or one that is too long.
    """
    words = set()
    for number, line in enumerate(lines, start=1):
        word = _decoded(line, f"{path}, line {number}").split("#", 1)[0].strip().lower()
        if len(word) > MAX_WORD:
            raise BadInputError(f"{path}, line {number} has more than {MAX_WORD} characters.")
        words |= {word} if word else set()
        if len(words) > MAX_WORDS:
            raise BadInputError(f"{path} has more than {MAX_WORDS} words; shorten it.")
    if not words:
        raise BadInputError(f"{path} has no words; write one a line.")
    return tuple(sorted(words))


def _lines(stream: IO[bytes], path: str) -> Iterator[bytes]:
    number = 0
    while line := stream.readline(LINE_LIMIT_BYTES + 1):
        number += 1
        if len(line) > LINE_LIMIT_BYTES:
            raise BadInputError(f"{path}, line {number} exceeds {LINE_LIMIT_BYTES} bytes; cut it.")
        yield line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line


def _decoded(line: bytes, place: str) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError:
        raise BadInputError(f"{place} is not UTF-8; save the file as UTF-8.") from None


def _bounded(rows: Iterable[dict[str, Any]], path: str) -> Iterator[dict[str, Any]]:
    for number, row in enumerate(rows):
        if number == MAX_ROWS:
            raise BadInputError(f"{path} has more than {MAX_ROWS} rows; split it.")
        yield row


def _table(stream: IO[bytes], path: str, delimiter: str) -> Iterator[dict[str, Any]]:
    """The rows of a table whose first line names the columns; every value is text."""
    texts = (_decoded(line, path) for line in _lines(stream, path))
    reader = csv.reader(texts, delimiter=delimiter, strict=True)
    try:
        header = next(reader, None)
        if not header or not all(header) or len(set(header)) < len(header):
            raise BadInputError(f"{path}: the first line must name every column, each once.")
        if len(header) > MAX_COLUMNS:
            raise BadInputError(f"{path} has more than {MAX_COLUMNS} columns.")
        yield from _bounded(_cells(reader, header, path), path)
    except csv.Error as error:
        raise BadInputError(f"{path}, line {reader.line_num}: {error}.") from error


def _cells(reader: Any, header: list[str], path: str) -> Iterator[dict[str, Any]]:
    for cells in reader:
        if not cells:
            continue
        if len(cells) != len(header):
            raise BadInputError(
                f"{path}, line {reader.line_num} has {len(cells)} values for {len(header)} columns."
            )
        yield dict(zip(header, cells, strict=True))


def _texts(stream: IO[bytes], path: str, sample_by: str) -> Iterator[dict[str, Any]]:
    """One row a line, a paragraph (blank lines between them), or the whole document."""
    if sample_by == "document":
        text = _decoded(_whole(stream, path), path)
        return iter([{"text": text}] if text.strip() else [])
    lines = (_decoded(line, path) for line in _lines(stream, path))
    if sample_by == "line":
        texts = (line.rstrip("\r\n") for line in lines)
    else:
        together = groupby(lines, key=lambda line: bool(line.strip()))
        texts = (_paragraph(group, path) for has_text, group in together if has_text)
    return _bounded(({"text": text} for text in texts if text.strip()), path)


def _paragraph(lines: Iterable[str], path: str) -> str:
    """The lines of one paragraph, of at most LINE_LIMIT_BYTES characters."""
    parts, size = [], 0
    for line in lines:
        size += len(line)
        if size > LINE_LIMIT_BYTES:
            raise BadInputError(f"{path} has a paragraph above {LINE_LIMIT_BYTES} characters.")
        parts.append(line)
    return "".join(parts).rstrip("\r\n")


def _whole(stream: IO[bytes], path: str) -> bytes:
    content = stream.read(FILE_LIMIT_BYTES + 1)
    if len(content) > FILE_LIMIT_BYTES:
        raise BadInputError(f"{path} exceeds {FILE_LIMIT_BYTES} bytes; cut it, or use JSON lines.")
    return content


def _parquet(stream: IO[bytes], path: str) -> Iterator[dict[str, Any]]:
    import pyarrow as pa  # here, because only those who read Parquet pay for it
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(io.BytesIO(_whole(stream, path)))
        described = file.metadata
        sizes = [described.row_group(i).total_byte_size for i in range(described.num_row_groups)]
        if described.num_rows > MAX_ROWS or described.num_columns > MAX_COLUMNS:
            raise BadInputError(f"{path} has more than {MAX_ROWS} rows or {MAX_COLUMNS} columns.")
        if sum(sizes) > VALUES_LIMIT_BYTES:
            raise BadInputError(f"{path} unpacks to more than {VALUES_LIMIT_BYTES} bytes; cut it.")
        left = VALUES_LIMIT_BYTES
        for batch in file.iter_batches(batch_size=256):
            left -= batch.nbytes
            if left < 0:
                raise BadInputError(f"{path} unpacks to more than {VALUES_LIMIT_BYTES} bytes.")
            for row in batch.to_pylist():
                yield {name: _plain(value, f"{path}: {name}") for name, value in row.items()}
    except (pa.ArrowException, OSError) as error:
        reason = " ".join(islice(str(error).split(), 30))
        raise BadInputError(f"{path} is not a Parquet file that can be read: {reason}.") from error


def _plain(value: Any, name: str) -> Any:
    """`value` as JSON can hold it: moments and decimals as text."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if not isfinite(value):
            raise BadInputError(f"{name} holds {value}, which is no number; leave it empty.")
        return value
    if isinstance(value, list | tuple):
        return [_plain(each, name) for each in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(each, name) for key, each in value.items()}
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    raise BadInputError(f"{name} holds {type(value).__name__}, which is no text or number.")
