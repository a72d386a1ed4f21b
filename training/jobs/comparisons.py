"""Base and candidate item by item, ready for a page: those that changed first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from hub.blobstore import Blob, BlobStore
from training.jobs.items import Item, open_table, put_table

DIRECTIONS = ("lost", "gained", "same")
# A page reads whole groups of rows for the few that it shows, and small columns of all of them
# for its filters: few and large groups for the one, small enough ones for the other.
ROWS_A_GROUP = 4096
GROUP_TEXT_LIMIT = 4 * 1024**2


@dataclass(frozen=True)
class Compared:
    """One benchmark of a gate with both sides' items.

    `sign` orients a score so that higher is better; `questions` gives the row of an item's text
    and its length. `counted` names the items that the verdict was made of, None for all:
    contaminated ones (`excluded`) and those that were asked beyond its last look are not.
    """

    key: str
    metric: str
    sign: float
    target: float | None
    failed: bool
    base: list[Item]
    candidate: list[Item]
    questions: Mapping[str, tuple[int, int]]
    excluded: frozenset[str] = frozenset()
    counted: frozenset[str] | None = None


@dataclass(frozen=True)
class _Row:
    """One item of both sides, and where it stands."""

    compared: Compared
    base: Item
    candidate: Item
    change: float

    @property
    def direction(self) -> str:
        return "same" if self.change == 0 else "gained" if self.change > 0 else "lost"

    @property
    def order(self) -> tuple[Any, ...]:
        """Failing benchmarks first, then lost, gained, same, each with the largest change first."""
        where = (not self.compared.failed, DIRECTIONS.index(self.direction), -abs(self.change))
        return (*where, self.compared.key, self.base.id)

    @property
    def is_counted(self) -> bool:
        counted = self.compared.counted
        return counted is None or self.base.id in counted


def write_comparison(blobs: BlobStore, compared: Iterable[Compared]) -> Blob:
    """Store every item with both sides, in the order of `_Row.order`."""
    import pyarrow as pa

    rows = sorted(chain.from_iterable(map(_rows, compared)), key=lambda row: row.order)
    kinds = _columns()
    table = pa.table(
        {name: pa.array(values, kinds[name]) for name, values in _values(rows).items()},
        schema=pa.schema(list(kinds.items())),
    )
    return put_table(blobs, table, rows_a_group=_rows_a_group(rows))


def _rows_a_group(rows: Sequence[_Row]) -> int:
    """Fewer where the outputs are long, so that one group is read in milliseconds."""
    texts = sum(len(item.output or "") for row in rows for item in (row.base, row.candidate))
    share = max(1, texts) / max(1, len(rows))
    return max(64, min(ROWS_A_GROUP, int(GROUP_TEXT_LIMIT / share)))


def _columns() -> dict[str, Any]:
    import pyarrow as pa

    side = {
        "score": pa.float64(),
        "prediction": pa.int32(),
        "loglikelihoods": pa.list_(pa.float64()),
        "output": pa.string(),
        "extracted": pa.string(),
        "tie": pa.bool_(),
        "nll": pa.float64(),
        "tokens": pa.int64(),
    }
    return {
        "benchmark": pa.dictionary(pa.int16(), pa.string()),
        "item": pa.string(),
        "group": pa.dictionary(pa.int32(), pa.string()),
        "cluster": pa.string(),
        "length": pa.int32(),
        "direction": pa.dictionary(pa.int8(), pa.string()),
        "question": pa.int32(),
        "excluded": pa.bool_(),
        "counted": pa.bool_(),
        "change": pa.float64(),
        "target": pa.int32(),
        "size_bytes": pa.int64(),
        **{f"base_{trait}": kind for trait, kind in side.items()},
        **{f"candidate_{trait}": kind for trait, kind in side.items()},
    }


def _values(rows: Sequence[_Row]) -> dict[str, list[Any]]:
    places = [row.compared.questions.get(row.base.id, (-1, 0)) for row in rows]
    return {
        "benchmark": [row.compared.key for row in rows],
        "item": [row.base.id for row in rows],
        "group": [row.base.group or "" for row in rows],
        "cluster": [row.base.cluster or "" for row in rows],
        "length": [length for _row, length in places],
        "direction": [row.direction for row in rows],
        "question": [place for place, _length in places],
        "excluded": [row.base.id in row.compared.excluded for row in rows],
        "counted": [row.is_counted for row in rows],
        "change": [row.change for row in rows],
        "target": [row.base.target for row in rows],
        "size_bytes": [row.base.size_bytes for row in rows],
        **_side("base", [(row.base, row.compared.metric) for row in rows]),
        **_side("candidate", [(row.candidate, row.compared.metric) for row in rows]),
    }


def _side(name: str, items: Sequence[tuple[Item, str]]) -> dict[str, list[Any]]:
    return {
        f"{name}_score": [item.metrics.get(metric) for item, metric in items],
        f"{name}_prediction": [item.prediction for item, _ in items],
        f"{name}_loglikelihoods": [item.loglikelihoods for item, _ in items],
        f"{name}_output": [item.output for item, _ in items],
        f"{name}_extracted": [item.extracted for item, _ in items],
        f"{name}_tie": [item.tie for item, _ in items],
        f"{name}_nll": [item.nll for item, _ in items],
        f"{name}_tokens": [item.tokens for item, _ in items],
    }


def _rows(compared: Compared) -> Iterator[_Row]:
    others = {item.id: item for item in compared.candidate}
    for base in compared.base:
        candidate = others.get(base.id)
        if candidate is not None:  # a gate that stopped early may have asked one side more
            yield _Row(compared, base, candidate, _change(base, candidate, compared))


def _change(base: Item, candidate: Item, compared: Compared) -> float:
    """How much better the candidate did, above 0 for better; of a share with a target, how the
    score moved."""
    before, after = base.metrics.get(compared.metric), candidate.metrics.get(compared.metric)
    if before is None or after is None:
        return 0.0
    return (after - before) * compared.sign


def open_comparison(blobs: BlobStore, sha256: str) -> Any:
    """The stored table as a `pyarrow.parquet.ParquetFile`; close it. Raises: EntryNotFoundError."""
    return open_table(blobs, sha256)
