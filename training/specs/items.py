"""The pinned items of a benchmark: chosen the same way every time, each with a stable id."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from hub.errors import BadInputError
from training.specs.benchmark_definition import BenchmarkDefinition
from training.specs.sampling import Row, column_text, select_rows
from training.specs.schema import digest_of

MAX_ITEMS = 50_000


@dataclass(frozen=True, slots=True)
class Item:
    """One question of a benchmark: `doc` is the whole row, `group` and `cluster` its columns.

    `chunk` and `rank`, its place in an order, are set by `chunks.chunked` and `chunks.ordered`.
    """

    id: str
    doc: dict[str, Any]
    group: str | None = None
    cluster: str | None = None
    chunk: int = 0
    rank: int = 0


def select_items(
    rows: Iterable[Row], definition: BenchmarkDefinition, *, seed: int | None = None
) -> list[Item]:
    """The items of `definition` in the order of its sample, whose seed `seed` takes the place of.

    An id is the SHA-256 of the row's canonical JSON and of how many equal rows came before it,
    so it outlives a reordered file.

    Raises:
        BadInputError: no rows, too many items, a missing column, or a class with too few rows.
    """
    sample = definition.sample if seed is None else replace(definition.sample, seed=seed)
    chosen = select_rows(rows, sample)
    if not chosen:
        raise BadInputError(f"The benchmark {definition.task} has no items; add rows to its file.")
    if len(chosen) > MAX_ITEMS:
        raise BadInputError(
            f"The benchmark {definition.task} has {len(chosen)} items; set sample.limit to at "
            f"most {MAX_ITEMS}."
        )
    return [
        Item(
            id=each.id,
            doc=dict(each.row),
            group=_named(each.row, definition.group_by, "group_by"),
            cluster=_named(each.row, definition.cluster_by, "cluster_by"),
            rank=rank,
        )
        for rank, each in enumerate(chosen)
    ]


def items_digest(items: Iterable[Item]) -> str:
    """SHA-256 that names exactly these items in this order."""
    return digest_of([[item.id, item.group, item.cluster] for item in items])


def lm_eval_doc_hash(doc: Row) -> str:
    """The `doc_hash` that lm-evaluation-harness logs for a row whose keys come in this order.

    Source: lm_eval/evaluator.py, the samples of `--log_samples`.
    """
    text = json.dumps(doc, indent=2, default=str, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _named(row: Row, columns: tuple[str, ...], purpose: str) -> str | None:
    """The values of `columns` as one name; None where there are none."""
    values = [column_text(row, column, purpose) for column in columns]
    return " / ".join(values) if values else None
