"""Choosing rows: a seeded order that does not depend on the file's, balanced if asked."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from hub.errors import BadInputError
from hub.formats.bounded_json import load_json
from hub.formats.errors import JsonError
from training.specs.schema import (
    COLUMN,
    Number,
    OneOf,
    Reader,
    canonical_json,
    digest_of,
    read_map,
    refuse_unknown,
)

Row = Mapping[str, Any]

MAX_ROWS = 1_000_000
MAX_CLASSES = 10_000
_KEYS: dict[str, Reader] = {
    "limit": Number(1, MAX_ROWS, whole=True),
    "seed": Number(0, 2**32 - 1, whole=True),
    "per_class": Number(1, MAX_ROWS, whole=True),
    "balance_by": COLUMN,
    "order": OneOf(("seeded", "file")),
}


@dataclass(frozen=True, slots=True)
class Sample:
    """Which rows are taken: at most `limit`, or equally many of every value of `balance_by`.

    `order` seeded takes them by a hash of seed and content, `file` from the top of the file.
    """

    limit: int | None = None
    balance_by: str | None = None
    per_class: int | None = None
    seed: int = 0
    order: str = "seeded"

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class IdentifiedRow:
    """A row with its id: a digest of its content, and of how many equal rows came before."""

    id: str
    row: Row


def read_sample(value: Any, place: str) -> Sample:
    """The sample a spec file asks for; an absent one takes every row in seeded order."""
    values = read_map({} if value is None else value, place)
    refuse_unknown(values, _KEYS, place)
    read = {
        key: _KEYS[key].read(given, f"{place}.{key}")
        for key, given in values.items()
        if given is not None
    }
    if read.get("per_class") and not read.get("balance_by"):
        raise BadInputError(f"{place}.per_class needs balance_by, the column with the classes.")
    return Sample(**read)


def read_json_lines(lines: Iterable[bytes], place: str) -> Iterator[dict[str, Any]]:
    """The rows of a JSON lines file; blank lines are skipped.

    Raises:
        BadInputError: a line is not a strict JSON object, or there are more than MAX_ROWS.
    """
    for number, line in enumerate(lines, start=1):
        if number > MAX_ROWS:
            raise BadInputError(f"{place} has more than {MAX_ROWS} lines; split it.")
        if not line.strip():
            continue
        try:
            row = load_json(line)
        except JsonError as error:
            raise BadInputError(f"{place}, line {number}: {error}") from error
        if not isinstance(row, dict):
            raise BadInputError(f"{place}, line {number} is not a JSON object.")
        yield row


def select_rows(rows: Iterable[Row], sample: Sample) -> list[IdentifiedRow]:
    """The rows that `sample` takes, each once, in its order.

    Raises:
        BadInputError: a row lacks the column to balance by, or a class has too few rows.
    """
    ordered = _ordered(list(_identified(rows)), sample)
    if sample.balance_by is None:
        return ordered[: sample.limit]
    classes = [_class_of(each.row, sample.balance_by) for each in ordered]
    share = _share(classes, sample)
    taken: defaultdict[str, int] = defaultdict(int)
    chosen = []
    for each, name in zip(ordered, classes, strict=True):
        if taken[name] < share:
            taken[name] += 1
            chosen.append(each)
    return chosen


def _identified(rows: Iterable[Row]) -> Iterator[IdentifiedRow]:
    seen: Counter[str] = Counter()
    for row in rows:
        text = canonical_json(row)
        yield IdentifiedRow(digest_of([text, seen[text]]), row)
        seen[text] += 1


def _ordered(rows: list[IdentifiedRow], sample: Sample) -> list[IdentifiedRow]:
    if sample.order == "file":
        return rows
    return sorted(rows, key=lambda each: _place(each.id, sample.seed))


def _place(row_id: str, seed: int) -> str:
    return hashlib.sha256(f"{seed}:{row_id}".encode()).hexdigest()


def _class_of(row: Row, column: str) -> str:
    return column_text(row, column, "balance_by")


def _share(classes: Sequence[str], sample: Sample) -> int:
    """How many rows every class gives."""
    counts = Counter(classes)
    if not counts or len(counts) > MAX_CLASSES:
        raise BadInputError(
            f"The column {sample.balance_by!r} has {len(counts)} classes; balancing needs 1 to "
            f"{MAX_CLASSES}."
        )
    scarce, least = min(counts.items(), key=lambda item: (item[1], item[0]))
    share = sample.per_class or least
    if sample.limit is not None:
        share = min(share, sample.limit // len(counts))
    if share < 1:
        raise BadInputError(
            f"A limit of {sample.limit} rows is below one of each of {len(counts)} classes."
        )
    if share > least:
        raise BadInputError(
            f"The class {scarce[:80]!r} has {least} rows and {share} of each are asked for; "
            f"lower per_class to {least}."
        )
    return share


def column_text(row: Row, column: str, purpose: str) -> str:
    """The value of a column as text. Raises BadInputError naming the columns there are."""
    if column not in row:
        known = ", ".join(list(row)[:20])
        raise BadInputError(f"{purpose}: there is no column {column!r}; the columns are {known}.")
    value = row[column]
    return value if isinstance(value, str) else canonical_json(value)
