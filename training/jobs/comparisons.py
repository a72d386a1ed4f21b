"""Base and candidate item by item, ready for a page: those that changed first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hub.blobstore import Blob, BlobStore
from training.jobs.items import Item, open_table, put_table

DIRECTIONS = ("lost", "gained", "same")
ROWS_A_GROUP = 256
# What filters and counts look at; everything else is read for the rows of one page.
FILTERS = ("benchmark", "item", "group", "length", "direction", "question", "excluded")


@dataclass(frozen=True)
class Compared:
    """One benchmark of a gate with both sides' items.

    `better` orients a score so that higher is better; `questions` gives the row of an item's text
    and its length.
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


def write_comparison(blobs: BlobStore, compared: Iterable[Compared]) -> Blob:
    """Store every item with both sides: failing benchmarks first, then lost, gained, same, each
    with the largest change first."""
    import pyarrow as pa

    rows = sorted(
        (row for each in compared for row in _rows(each)),
        key=lambda row: (row.pop("order"), row["benchmark"], row["item"]),
    )
    return put_table(blobs, pa.Table.from_pylist(rows, schema=_schema()), rows_a_group=ROWS_A_GROUP)


def _schema() -> Any:
    import pyarrow as pa

    side = [
        ("score", pa.float64()),
        ("prediction", pa.int32()),
        ("loglikelihoods", pa.list_(pa.float64())),
        ("output", pa.string()),
        ("extracted", pa.string()),
        ("tie", pa.bool_()),
    ]
    return pa.schema(
        [
            ("benchmark", pa.dictionary(pa.int16(), pa.string())),
            ("item", pa.string()),
            ("group", pa.dictionary(pa.int32(), pa.string())),
            ("cluster", pa.string()),
            ("length", pa.int32()),
            ("direction", pa.dictionary(pa.int8(), pa.string())),
            ("question", pa.int32()),
            ("excluded", pa.bool_()),
            ("change", pa.float64()),
            ("target", pa.int32()),
            *((f"base_{name}", kind) for name, kind in side),
            *((f"candidate_{name}", kind) for name, kind in side),
        ]
    )


def _rows(compared: Compared) -> Iterator[dict[str, Any]]:
    others = {item.id: item for item in compared.candidate}
    for base in compared.base:
        candidate = others.get(base.id)
        if candidate is None:  # a gate that stopped early: one side may have been asked more
            continue
        change = _change(base, candidate, compared)
        direction = "same" if change == 0 else "gained" if change > 0 else "lost"
        row, length = compared.questions.get(base.id, (-1, 0))
        yield {
            "order": (not compared.failed, DIRECTIONS.index(direction), -abs(change)),
            "benchmark": compared.key,
            "item": base.id,
            "group": base.group or "",
            "cluster": base.cluster or "",
            "length": length,
            "direction": direction,
            "question": row,
            "excluded": base.id in compared.excluded,
            "change": change,
            "target": base.target,
            **_side("base", base, compared.metric),
            **_side("candidate", candidate, compared.metric),
        }


def _change(base: Item, candidate: Item, compared: Compared) -> float:
    """How much better the candidate did, above 0 for better; of a share with a target, how the
    score moved."""
    before, after = base.metrics.get(compared.metric), candidate.metrics.get(compared.metric)
    if before is None or after is None:
        return 0.0
    return (after - before) * compared.sign


def _side(name: str, item: Item, metric: str) -> dict[str, Any]:
    return {
        f"{name}_score": item.metrics.get(metric),
        f"{name}_prediction": item.prediction,
        f"{name}_loglikelihoods": list(item.loglikelihoods),
        f"{name}_output": item.output,
        f"{name}_extracted": item.extracted,
        f"{name}_tie": item.tie,
    }


def open_comparison(blobs: BlobStore, sha256: str) -> Any:
    """The stored table as a `pyarrow.parquet.ParquetFile`; close it."""
    return open_table(blobs, sha256)
