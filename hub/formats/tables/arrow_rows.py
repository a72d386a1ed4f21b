"""Rows of Parquet, by row groups, and of Arrow files, by record batches.

pyarrow is imported here alone and late: processes that show no such table never load it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from itertools import islice
from typing import IO, Any

from hub.formats.tables import rows as kinds
from hub.formats.tables.conditions import Query
from hub.formats.tables.errors import TableError
from hub.formats.tables.rows import (
    COLUMNS_LIMIT,
    PASSED,
    Budget,
    Column,
    Mark,
    Media,
    Record,
    Row,
)
from hub.formats.tables.sieve import ColumnSieve

FOOTER_LIMIT_BYTES = 16 * 1024**2
BATCH_BYTES = 4 * 1024**2
BATCH_ROWS = 2_000
DECODED_ROWS = 100
# A row group is decoded from its beginning: what is larger is not gone into in one request.
GROUP_LIMIT_BYTES = 1024**3
_LABELS_LIMIT = 1_000


class Parquet:
    """A Parquet file: its footer, and row groups as they are needed."""

    is_cut = False
    has_more_columns = False

    def __init__(self, file: IO[bytes], size_bytes: int, budget: Budget) -> None:
        import pyarrow.parquet as pq

        self._budget = budget
        _require_footer(file, size_bytes)
        with _refused():
            self._file = pq.ParquetFile(
                file,
                thrift_string_size_limit=FOOTER_LIMIT_BYTES,
                thrift_container_size_limit=1_000_000,
            )
            self._metadata = self._file.metadata
            self.length: int | None = self._metadata.num_rows
            self.columns = columns_of(self._file.schema_arrow)
        self._decoder = Decoder(self.columns)

    def records(
        self, first: int = 0, marks: tuple[Mark, ...] = (), query: Query | None = None
    ) -> Iterator[Record]:
        sieve = self._decoder.sieve(query) if query else None
        before = 0
        for index in range(self._metadata.num_row_groups):
            count = self._metadata.row_group(index).num_rows
            if first < before + count:
                start = max(first, before)
                if sieve:
                    yield from self._sifted(index, before, start, sieve)
                else:
                    yield from self._group(index, before, start)
            before += count

    def _group(self, index: int, before: int, first: int) -> Iterator[Record]:
        for begin, batch in self._batches(index, before, first):
            yield from _records(batch, begin, first)

    def _sifted(self, index: int, before: int, first: int, sieve: ColumnSieve) -> Iterator[Record]:
        """The rows of a group that may be meant. Only columns that decide it are unpacked; the
        whole of a group once something is there."""
        whole = None
        for begin, batch in self._batches(index, before, first, sieve.names):
            places = [at for at in sieve.numbers(batch) if begin + at >= first]
            if places:
                whole = whole or self._batches(index, before, first)
                yield from _picked(whole, {begin + at for at in places})
            yield Record(begin + batch.num_rows - 1, 0, PASSED)

    def _batches(
        self, index: int, before: int, first: int, names: list[str] | None = None
    ) -> Iterator[tuple[int, Any]]:
        """Batches of a group with row `first` or a later one, each with the row it begins at.

        The way there is no looking: however long it is, the first batch behind it is given.
        """
        group = self._metadata.row_group(index)
        if group.total_byte_size > GROUP_LIMIT_BYTES:
            raise TableError(
                "too_large",
                f"Row group {index} unpacks to more than {GROUP_LIMIT_BYTES} bytes: write smaller "
                "ones.",
            )
        average = max(1, group.total_byte_size // max(1, group.num_rows))
        size = max(1, min(BATCH_ROWS, BATCH_BYTES // average))
        with _refused():
            batches = self._file.iter_batches(
                batch_size=size, row_groups=[index], columns=names, use_threads=False
            )
        while True:
            if before > first:
                self._budget.require()
            with _refused():
                batch = next(batches, None)
            if batch is None:
                return
            if before + batch.num_rows > first:
                yield before, batch
            before += batch.num_rows

    def values(self, name: str) -> Iterator[Any]:
        for index in range(self._metadata.num_row_groups):
            for _begin, batch in self._batches(index, 0, 0, [name]):
                yield from self._decoder.values(batch, name)

    def records_at(self, numbers: Sequence[int], marks: tuple[Mark, ...] = ()) -> Iterator[Record]:
        before = 0
        for index in range(self._metadata.num_row_groups):
            count = self._metadata.row_group(index).num_rows
            wanted = {number for number in numbers if before <= number < before + count}
            if wanted:
                yield from _picked(self._batches(index, before, min(wanted)), wanted)
            before += count

    def row(self, record: Record) -> Row:
        return self._decoder.row(record)


class Arrow:
    """An Arrow file or stream, as `datasets` writes them: batch by batch."""

    is_cut = False
    has_more_columns = False

    def __init__(self, file: IO[bytes], budget: Budget) -> None:
        import pyarrow as pa

        self._budget, self._source = budget, file
        file.seek(0)
        is_file = file.read(6) == b"ARROW1"
        file.seek(0)
        with _refused():
            self._open: Callable[[Any], Any] = pa.ipc.open_file if is_file else pa.ipc.open_stream
            opened = self._open(file)
            self.columns = columns_of(opened.schema)
        self._decoder = Decoder(self.columns)
        self.length: int | None = None

    def records(
        self, first: int = 0, marks: tuple[Mark, ...] = (), query: Query | None = None
    ) -> Iterator[Record]:
        self._source.seek(0)
        with _refused():
            opened = self._open(self._source)
        sieve = self._decoder.sieve(query) if query else None
        before = 0
        for batch in self._batches(opened):
            if before > first:
                self._budget.require()
            if before + batch.num_rows > first:
                if sieve:
                    picked = {before + at for at in sieve.numbers(batch) if before + at >= first}
                    yield from _picked(iter([(before, batch)]), picked)
                    yield Record(before + batch.num_rows - 1, 0, PASSED)
                else:
                    yield from _records(batch, before, first)
            before += batch.num_rows

    def values(self, name: str) -> Iterator[Any]:
        for _begin, batch in self._placed():
            yield from self._decoder.values(batch, name)

    def records_at(self, numbers: Sequence[int], marks: tuple[Mark, ...] = ()) -> Iterator[Record]:
        for begin, batch in self._placed():
            wanted = {number for number in numbers if begin <= number < begin + batch.num_rows}
            yield from _picked(iter([(begin, batch)]), wanted)

    def _placed(self) -> Iterator[tuple[int, Any]]:
        """Every batch with the row that it begins at."""
        self._source.seek(0)
        with _refused():
            opened = self._open(self._source)
        before = 0
        for batch in self._batches(opened):
            self._budget.require()
            yield before, batch
            before += batch.num_rows

    def _batches(self, opened: Any) -> Iterator[Any]:
        count = getattr(opened, "num_record_batches", None)
        numbers = iter(int, 1) if count is None else range(count)
        for number in numbers:
            with _refused():
                try:
                    read = opened.read_next_batch if count is None else None
                    batch = read() if read else opened.get_batch(number)
                except StopIteration:
                    return
                batch.validate(full=True)
            yield batch

    def row(self, record: Record) -> Row:
        return self._decoder.row(record)


def _require_footer(file: IO[bytes], size_bytes: int) -> None:
    """Refuse what is no Parquet, or says that its footer is huge, before anything parses it."""
    if size_bytes < 12:
        raise TableError("broken", "This is no Parquet file: it is too short.")
    file.seek(size_bytes - 8)
    tail = file.read(8)
    length = int.from_bytes(tail[:4], "little")
    if tail[4:] != b"PAR1" or length > size_bytes - 12:
        raise TableError("broken", "This is no Parquet file: its end is not that of one.")
    if length > FOOTER_LIMIT_BYTES:
        raise TableError("too_large", f"Its footer has more than {FOOTER_LIMIT_BYTES} bytes.")
    file.seek(0)


@contextmanager
def _refused() -> Iterator[None]:
    """What Arrow says of a broken file, as a refusal."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        if isinstance(error, TableError):
            raise
        reason = " ".join(islice(str(error).split(), 20))
        raise TableError("broken", f"This file cannot be read: {reason}.") from error


def columns_of(schema: Any) -> tuple[Column, ...]:
    """The columns of an Arrow schema; `datasets` says in its metadata what they mean."""
    if len(schema) > COLUMNS_LIMIT:
        raise TableError("columns", f"More than {COLUMNS_LIMIT} columns are not shown.")
    if len(set(schema.names)) < len(schema):
        raise TableError("columns", "Two columns have the same name.")
    features = _features(schema.metadata or {})
    return tuple(_column(field, features.get(field.name)) for field in schema)


def _features(metadata: dict[bytes, bytes]) -> dict[str, Any]:
    """{column: feature} as `datasets` writes them; nothing where they say something else."""
    content = metadata.get(b"huggingface", b"")
    try:
        found = json.loads(content[:FOOTER_LIMIT_BYTES]) if content else {}
        features = found["info"]["features"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    return features if isinstance(features, dict) else {}


def _column(field: Any, feature: Any) -> Column:
    feature = feature if isinstance(feature, dict) else {}
    word, dtype = feature.get("_type"), str(field.type)[:200]
    if word == "ClassLabel" and isinstance(feature.get("names"), list):
        names = tuple(str(name) for name in feature["names"][:_LABELS_LIMIT])
        return Column(field.name, kinds.INT, dtype, names)
    if word in ("Image", "Audio") and _is_media(field.type):
        return Column(field.name, kinds.IMAGE if word == "Image" else kinds.AUDIO, dtype)
    if _is_media(field.type):
        return Column(field.name, kinds.IMAGE, dtype)
    return Column(field.name, _kind(field.type), dtype)


def _is_media(kind: Any) -> bool:
    """Whether values are {bytes, path}: how `datasets` stores pictures and sounds."""
    import pyarrow.types as t

    if not t.is_struct(kind) or {kind.field(i).name for i in range(kind.num_fields)} != {
        "bytes",
        "path",
    }:
        return False
    content = kind.field(kind.get_field_index("bytes")).type
    return bool(t.is_binary(content) or t.is_large_binary(content))


def _kind(kind: Any) -> str:
    import pyarrow.types as t

    if t.is_dictionary(kind):
        return _kind(kind.value_type)
    table: tuple[tuple[Any, str], ...] = (
        (t.is_boolean, kinds.BOOL),
        (t.is_integer, kinds.INT),
        (lambda k: t.is_floating(k) or t.is_decimal(k), kinds.FLOAT),
        (lambda k: t.is_string(k) or t.is_large_string(k) or t.is_string_view(k), kinds.TEXT),
        (lambda k: t.is_struct(k) or t.is_map(k), kinds.STRUCT),
        (t.is_nested, kinds.LIST),
        (t.is_temporal, kinds.TIME),
        (t.is_null, kinds.NULL),
    )
    return next((name for is_it, name in table if is_it(kind)), kinds.BYTES)


def _records(batch: Any, before: int, first: int) -> Iterator[Record]:
    """The rows of a batch from row `first` of the file on; some at once, column by column."""
    for start in range(max(0, first - before), batch.num_rows, DECODED_ROWS):
        part = batch.slice(start, DECODED_ROWS)
        values = [_plain_column(part.column(i)) for i in range(part.num_columns)]
        for at in range(part.num_rows):
            yield Record(before + start + at, 0, [column[at] for column in values])


def _picked(batches: Iterator[tuple[int, Any]], numbers: set[int]) -> Iterator[Record]:
    """Those rows of batches, which hold them all, with the row each begins at."""
    last = max(numbers, default=-1)
    for begin, batch in batches if numbers else ():
        wanted = [number - begin for number in sorted(numbers) if 0 <= number - begin < len(batch)]
        for at in range(0, len(wanted), DECODED_ROWS):
            places = wanted[at : at + DECODED_ROWS]
            part = batch.take(places)
            values = [_plain_column(part.column(i)) for i in range(part.num_columns)]
            for row, place in enumerate(places):
                yield Record(begin + place, 0, [column[row] for column in values])
        if begin + batch.num_rows > last:
            return


def _plain_column(column: Any) -> list[Any]:
    """The values of a column; as text where Python has nothing that could hold them."""
    import pyarrow as pa

    try:
        return column.to_pylist()
    except (ValueError, OverflowError, ImportError, pa.ArrowException):
        pass
    try:
        return column.cast(pa.string()).to_pylist()
    except (ValueError, OverflowError, pa.ArrowException):
        return [None] * len(column)


class Decoder:
    """Rows of plain values; only columns that need it are gone through value by value."""

    def __init__(self, columns: tuple[Column, ...]) -> None:
        self._columns = columns
        self._names = [column.name for column in columns]
        self._special = [
            (column.name, way) for column in columns if (way := _way_of(column)) is not None
        ]

    def values(self, batch: Any, name: str) -> list[Any]:
        """The values of one column of a batch."""
        column = next(each for each in self._columns if each.name == name)
        return self._values(column, batch.column(batch.schema.get_field_index(name)))

    def sieve(self, query: Query) -> ColumnSieve:
        """What passes over rows that `query` cannot mean."""
        return ColumnSieve(query, self._columns, self._values)

    def _values(self, column: Column, values: Any) -> list[Any]:
        way, plain = _way_of(column), _plain_column(values)
        return plain if way is None else [way(value) for value in plain]

    def row(self, record: Record) -> Row:
        values = dict(zip(self._names, record.content, strict=True))
        for name, way in self._special:
            values[name] = way(values[name])
        return Row(record.number, values)


def _way_of(column: Column) -> Callable[[Any], Any] | None:
    if column.type in (kinds.IMAGE, kinds.AUDIO):
        return _media
    if column.type in (kinds.LIST, kinds.STRUCT) or column.dtype.startswith("decimal"):
        return _plain
    return None


def _media(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    content, path = value.get("bytes"), value.get("path")
    return Media(content if isinstance(content, bytes) else None, str(path or ""))


def _plain(value: Any) -> Any:
    """`value` as the other formats would have it."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    return value
