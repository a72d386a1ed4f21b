"""Item results: checked against the ids that were issued, kept as Parquet, read back."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hub.blobstore import Blob, BlobStore
from hub.errors import EntryNotFoundError
from training.specs.items import Item as IssuedItem
from training.statistics.metrics import METRICS, Kind
from training.statistics.pairing import ItemScore

PARQUET_LIMIT_BYTES = 512 * 1024**2
LINE_LIMIT_BYTES = 1 << 20
TEXT_LIMIT = 4_000
ROWS_A_GROUP = 1024
SUMS_LIMIT = 4_096
# Files never change under their name, so what was read of one stays true.
FOOTERS_KEPT = 32
_footers: dict[str, Any] = {}


class ItemsError(Exception):
    """The item results are not those of the items that were issued; `code` says how."""

    def __init__(self, code: str, **facts: Any) -> None:
        super().__init__(f"{code}: {facts}")
        self.code, self.facts = code, facts


@dataclass(frozen=True)
class Item:
    """What one model did with one item.

    `metrics` holds the item's score by metric, as measured; `sums` the vectors of metrics that
    are no mean of item scores (see `statistics.metrics`). The texts that were asked lie with the
    benchmark (`jobs.questions`), not here.
    """

    id: str
    metrics: Mapping[str, float | None]
    sums: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    prediction: int | None = None
    target: int | None = None
    loglikelihoods: tuple[float, ...] = ()
    tie: bool = False
    output: str | None = None
    extracted: str | None = None
    nll: float | None = None
    size_bytes: int | None = None
    tokens: int | None = None
    group: str | None = None
    cluster: str | None = None

    @property
    def margin(self) -> float | None:
        """How far the target's log-likelihood stands above the best other one's."""
        return margin_of(self.target, self.loglikelihoods)


def margin_of(target: int | None, loglikelihoods: Sequence[float]) -> float | None:
    """How far the target's log-likelihood (nats) stands above the best other one's."""
    if target is None or not 0 <= target < len(loglikelihoods) or len(loglikelihoods) < 2:
        return None
    others = [ll for index, ll in enumerate(loglikelihoods) if index != target]
    return loglikelihoods[target] - max(others)


def read_item(event: Mapping[str, Any], metrics: Iterable[str]) -> Item:
    """The item in an event of the runner, with a finite score for each of `metrics`.

    Raises: ItemsError `malformed_item` or `scores_not_finite`.
    """
    item_id = event.get("id")
    if not isinstance(item_id, str) or not item_id or len(item_id) > 128:
        raise ItemsError("malformed_item", id=str(item_id)[:80])
    likelihoods = event.get("loglikelihoods") or []
    if not isinstance(likelihoods, list) or not all(map(_is_number, likelihoods)):
        raise ItemsError("scores_not_finite", examples=[item_id])
    scores, sums = _scores(item_id, event, metrics)
    return Item(
        id=item_id,
        metrics=scores,
        sums=sums,
        prediction=_index(event.get("pred")),
        target=_index(event.get("target")),
        loglikelihoods=tuple(map(float, likelihoods)),
        tie=event.get("tie") is True,
        output=_text(event.get("output")),
        extracted=_text(event.get("extracted")),
        nll=_number(event.get("nll")),
        size_bytes=_index(event.get("bytes")),
        tokens=_index(event.get("tokens")),
    )


def _scores(
    item_id: str, event: Mapping[str, Any], wanted: Iterable[str]
) -> tuple[dict[str, float | None], dict[str, tuple[float, ...]]]:
    """The item's scores and vectors of the wanted metrics, each one finite."""
    told, vectors = event.get("metrics"), event.get("sums")
    if not isinstance(told, dict) or not isinstance(vectors or {}, dict):
        raise ItemsError("malformed_item", id=item_id[:80])
    scores: dict[str, float | None] = {}
    sums: dict[str, tuple[float, ...]] = {}
    for name in wanted:
        value, vector = told.get(name), (vectors or {}).get(name)
        if METRICS[name].kind is Kind.MEAN:
            if not _is_number(value):
                raise ItemsError("scores_not_finite", examples=[item_id])
            scores[name] = float(value)  # type: ignore[arg-type]
            continue
        sound = isinstance(vector, list) and 0 < len(vector) <= SUMS_LIMIT
        if not sound or not all(map(_is_number, vector)):  # type: ignore[arg-type]
            raise ItemsError("scores_not_finite", examples=[item_id])
        scores[name] = float(value) if _is_number(value) else None  # type: ignore[arg-type]
        sums[name] = tuple(map(float, vector))  # type: ignore[arg-type]
    return scores, sums


def check_items(items: Iterable[Item], issued: Iterable[IssuedItem]) -> list[Item]:
    """`items` in the order in which they were issued, with the groups that we know of them.

    Raises: ItemsError `duplicate_items`, `unknown_items` or `missing_items`, with examples.
    """
    found: dict[str, Item] = {}
    for item in items:
        if item.id in found:
            raise ItemsError("duplicate_items", examples=[item.id])
        found[item.id] = item
    order = list(issued)
    unknown = found.keys() - {each.id for each in order}
    if unknown:
        raise ItemsError("unknown_items", count=len(unknown), examples=sorted(unknown)[:5])
    missing = [each.id for each in order if each.id not in found]
    if missing:
        raise ItemsError("missing_items", count=len(missing), examples=missing[:5])
    return [replace(found[each.id], group=each.group, cluster=each.cluster) for each in order]


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The JSON objects of a file of ours; a last line that a crash tore off is left out."""
    if path.is_symlink() or not path.is_file():
        return
    with path.open("rb") as file:
        while line := file.readline(LINE_LIMIT_BYTES):
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if isinstance(row, dict):
                yield row


def _schema(metrics: Sequence[str], vectors: Sequence[str]) -> Any:
    import pyarrow as pa

    return pa.schema(
        [
            ("id", pa.string()),
            ("group", pa.string()),
            ("cluster", pa.string()),
            ("prediction", pa.int32()),
            ("target", pa.int32()),
            ("loglikelihoods", pa.list_(pa.float64())),
            ("tie", pa.bool_()),
            ("output", pa.string()),
            ("extracted", pa.string()),
            ("nll", pa.float64()),
            ("size_bytes", pa.int64()),
            ("tokens", pa.int64()),
            *((f"metric.{name}", pa.float64()) for name in metrics),
            *((f"sums.{name}", pa.list_(pa.float64())) for name in vectors),
        ]
    )


def write_items(blobs: BlobStore, items: Sequence[Item]) -> Blob:
    """Store item results as one Parquet file; equal items give equal bytes."""
    import pyarrow as pa  # here, because only pages and jobs on items pay for it

    metrics = list(items[0].metrics) if items else []
    vectors = list(items[0].sums) if items else []
    schema = _schema(metrics, vectors)
    plain = [name for name in schema.names if not name.startswith(("metric.", "sums."))]
    columns: dict[str, list[Any]] = {
        name: [getattr(item, name) for item in items] for name in plain
    }
    for name in metrics:
        columns[f"metric.{name}"] = [item.metrics.get(name) for item in items]
    for name in vectors:
        columns[f"sums.{name}"] = [item.sums.get(name) for item in items]
    return put_table(blobs, pa.table(columns, schema=schema))


def put_table(blobs: BlobStore, table: Any, *, rows_a_group: int = ROWS_A_GROUP) -> Blob:
    """Store a table as Parquet."""
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", row_group_size=rows_a_group)
    sink.seek(0)
    return blobs.put(sink, limit_bytes=PARQUET_LIMIT_BYTES)


def open_table(blobs: BlobStore, sha256: str) -> Any:
    """A `pyarrow.parquet.ParquetFile` of a stored table, read piece by piece; close it.

    Raises: EntryNotFoundError.
    """
    import pyarrow.parquet as pq

    path = blobs.path(sha256)
    if path is None:
        raise EntryNotFoundError(f"The results {sha256[:12]} are not in the store: measure again.")
    # The footer of a large table takes longer to read than the rows of a page.
    file = pq.ParquetFile(path, memory_map=True, metadata=_footers.get(sha256))
    _footers[sha256] = file.metadata
    while len(_footers) > FOOTERS_KEPT:
        _footers.pop(next(iter(_footers)), None)
    return file


def read_items(blobs: BlobStore, sha256: str) -> list[Item]:
    """The items of a Parquet file that `write_items` stored, in its order."""
    with open_table(blobs, sha256) as file:
        table = file.read()
    metrics = [n.removeprefix("metric.") for n in table.column_names if n.startswith("metric.")]
    vectors = [n.removeprefix("sums.") for n in table.column_names if n.startswith("sums.")]
    return [_item(row, metrics, vectors) for row in table.to_pylist()]


def _item(row: dict[str, Any], metrics: list[str], vectors: list[str]) -> Item:
    return Item(
        id=row["id"],
        metrics={name: row[f"metric.{name}"] for name in metrics},
        sums={name: tuple(row[f"sums.{name}"] or ()) for name in vectors},
        prediction=row["prediction"],
        target=row["target"],
        loglikelihoods=tuple(row["loglikelihoods"] or ()),
        tie=bool(row["tie"]),
        output=row["output"],
        extracted=row["extracted"],
        nll=row["nll"],
        size_bytes=row["size_bytes"],
        tokens=row["tokens"],
        group=row["group"],
        cluster=row["cluster"],
    )


def read_scores(blobs: BlobStore, sha256: str, metric: str) -> list[ItemScore]:
    """What the statistics take, from the columns of one metric alone."""
    score, vector = f"metric.{metric}", f"sums.{metric}"
    with open_table(blobs, sha256) as file:
        names = set(file.schema_arrow.names)
        table = file.read([n for n in ("id", "cluster", score, vector) if n in names])
    columns = {name: table.column(name).to_pylist() for name in table.column_names}
    nothing: list[Any] = [None] * table.num_rows
    rows = zip(
        columns["id"], columns["cluster"], columns[score], columns.get(vector, nothing), strict=True
    )
    return [
        ItemScore(item, value, cluster=cluster, sums=tuple(sums or ()))
        for item, cluster, value, sums in rows
    ]


def scores_of(items: Iterable[Item], metric: str) -> list[ItemScore]:
    """What the statistics take."""
    return [
        ItemScore(
            item.id, item.metrics.get(metric), cluster=item.cluster, sums=item.sums.get(metric, ())
        )
        for item in items
    ]


def _index(value: Any) -> int | None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and 0 <= value < 2**31 else None


def _text(value: Any) -> str | None:
    return value[:TEXT_LIMIT] if isinstance(value, str) else None


def _number(value: Any) -> float | None:
    return float(value) if _is_number(value) else None


def _is_number(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value)
