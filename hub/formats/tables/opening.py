"""Which files are tables, and the reader for each."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import IO, BinaryIO, cast

from hub.formats.tables.arrow_rows import Arrow, Parquet
from hub.formats.tables.csv_rows import Separated
from hub.formats.tables.errors import TableError
from hub.formats.tables.json_rows import JsonDocument, JsonLines, decode
from hub.formats.tables.lines import LineFile
from hub.formats.tables.rows import Budget, Reader

FORMATS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".parquet": "parquet",
    ".arrow": "arrow",
}
PACKED = (".gz", ".zst")
# Of a packed file only this much is unpacked: nobody can go to its middle.
UNPACKED_LIMIT_BYTES = 8 * 1024**2
ARROW_FORMATS = frozenset(("parquet", "arrow"))


def format_of(path: str) -> str:
    """The format that a name says, with "+gz" or "+zst" where it is packed; "" for others."""
    name = PurePosixPath(path.lower())
    packed = name.suffix if name.suffix in PACKED else ""
    found = FORMATS.get(PurePosixPath(name.stem).suffix if packed else name.suffix, "")
    if packed:
        return f"{found}+{packed[1:]}" if found and found not in ARROW_FORMATS else ""
    return found


def open_table(file: IO[bytes], kind: str, size_bytes: int, budget: Budget) -> Reader:
    """A reader of `file`, seekable, of a format that `format_of` names.

    Raises: TableError; BudgetSpentError.
    """
    plain, _plus, packed = kind.partition("+")
    is_cut = False
    if not size_bytes and plain != "jsonl":  # which has no heading: it has no rows
        raise TableError("empty", "This file is empty.")
    if packed:
        file, is_cut = _unpacked(file, packed)
        size_bytes = len(cast(io.BytesIO, file).getbuffer())
    if plain == "parquet":
        return Parquet(file, size_bytes, budget)
    if plain == "arrow":
        return Arrow(file, budget)
    if plain in ("csv", "tsv"):
        lines = LineFile(file, budget, quoted=True, head=1, is_cut=is_cut)
        return Separated(lines, delimiter="\t" if plain == "tsv" else None)
    if plain == "json" and not is_cut and not _is_lines(file):
        file.seek(0)
        return JsonDocument(file, size_bytes)
    if plain in ("json", "jsonl"):
        return JsonLines(LineFile(file, budget, is_cut=is_cut))
    raise TableError("format", f"The hub reads no tables in the format {kind[:20]!r}.")


def _is_lines(file: IO[bytes]) -> bool:
    """Whether a file called .json holds a value a line, as some write it."""
    file.seek(0)
    head = file.read(64 * 1024)
    first, newline, rest = head.partition(b"\n")
    if not newline or not rest.strip() or not first.strip().startswith(b"{"):
        return False
    try:
        decode(first)
    except ValueError:
        return False
    return True


def _unpacked(file: IO[bytes], packing: str) -> tuple[IO[bytes], bool]:
    """The beginning of a packed file, and whether more follows."""
    readers: dict[str, Callable[[IO[bytes]], IO[bytes]]] = {"gz": _gunzip, "zst": _unzstd}
    try:
        stream = readers[packing](file)
        content = stream.read(UNPACKED_LIMIT_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise TableError("broken", "This packed file cannot be unpacked.") from error
    is_cut = len(content) > UNPACKED_LIMIT_BYTES
    return io.BytesIO(content[:UNPACKED_LIMIT_BYTES]), is_cut


def _gunzip(file: IO[bytes]) -> IO[bytes]:
    return cast(IO[bytes], gzip.GzipFile(fileobj=cast(BinaryIO, file)))


def _unzstd(file: IO[bytes]) -> IO[bytes]:
    import pyarrow as pa

    return cast(IO[bytes], pa.CompressedInputStream(pa.PythonFile(file, mode="r"), "zstd"))
