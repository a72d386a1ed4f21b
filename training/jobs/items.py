"""Item results: checked against the ids that were issued, kept as Parquet, read back."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hub.blobstore import Blob, BlobStore
from training.specs.items import Item as IssuedItem
from training.statistics.pairing import ItemScore

PARQUET_LIMIT_BYTES = 512 * 1024**2
LINE_LIMIT_BYTES = 1 << 20
TEXT_LIMIT = 4_000


class ItemsError(Exception):
    """The item results are not those of the items that were issued; `code` says how."""

    def __init__(self, code: str, **facts: Any) -> None:
        super().__init__(f"{code}: {facts}")
        self.code, self.facts = code, facts


@dataclass(frozen=True)
class Item:
    """What one model did with one item. `prompt` and `choices` are what it was shown."""

    id: str
    score: float
    prediction: int | None = None
    target: int | None = None
    loglikelihoods: tuple[float, ...] = ()
    tie: bool = False
    group: str | None = None
    cluster: str | None = None
    prompt: str = ""
    choices: tuple[str, ...] = ()

    @property
    def margin(self) -> float | None:
        """How far the target's log-likelihood stands above the best other one's."""
        if self.target is None or len(self.loglikelihoods) < 2:
            return None
        if not 0 <= self.target < len(self.loglikelihoods):
            return None
        others = [ll for i, ll in enumerate(self.loglikelihoods) if i != self.target]
        return self.loglikelihoods[self.target] - max(others)

    @property
    def answer(self) -> str:
        """The choice that the model found likeliest."""
        return self.choice(self.prediction)

    def choice(self, index: int | None) -> str:
        known = index is not None and 0 <= index < len(self.choices)
        return self.choices[index] if known else ""  # type: ignore[index]


def read_item(event: dict[str, Any]) -> Item:
    """The item in an event of the runner.

    Raises: ItemsError `malformed_item` or `scores_not_finite`.
    """
    item_id, score = event.get("id"), event.get("score")
    if not isinstance(item_id, str) or not item_id:
        raise ItemsError("malformed_item", id=str(item_id)[:80])
    likelihoods = event.get("loglikelihoods") or []
    if not isinstance(likelihoods, list) or not all(map(_is_number, [score, *likelihoods])):
        raise ItemsError("scores_not_finite", examples=[item_id])
    return Item(
        id=item_id,
        score=float(score),  # type: ignore[arg-type]
        prediction=_index(event.get("pred")),
        target=_index(event.get("target")),
        loglikelihoods=tuple(map(float, likelihoods)),
        tie=event.get("tie") is True,
    )


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


def with_questions(items: Iterable[Item], questions: Path | None) -> list[Item]:
    """`items` with the prompt and choices that the runner says it showed, where it does."""
    rows = read_lines(questions) if questions else ()
    shown = {str(row.get("id")): row for row in rows}
    return [_shown(item, shown.get(item.id, {})) for item in items]


def _shown(item: Item, row: dict[str, Any]) -> Item:
    choices = row.get("choices")
    texts = [str(c)[:TEXT_LIMIT] for c in choices[:64]] if isinstance(choices, list) else []
    prompt = str(row.get("prompt", ""))[:TEXT_LIMIT]
    return replace(item, prompt=prompt, choices=tuple(texts))


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


def _schema() -> Any:
    import pyarrow as pa

    return pa.schema(
        [
            ("id", pa.string()),
            ("group", pa.string()),
            ("cluster", pa.string()),
            ("score", pa.float64()),
            ("prediction", pa.int32()),
            ("target", pa.int32()),
            ("loglikelihoods", pa.list_(pa.float64())),
            ("tie", pa.bool_()),
            ("prompt", pa.string()),
            ("choices", pa.list_(pa.string())),
        ]
    )


def write_items(blobs: BlobStore, items: Iterable[Item]) -> Blob:
    """Store item results as one Parquet file; equal items give equal bytes."""
    import pyarrow as pa  # here, because only pages and jobs on items pay for it
    import pyarrow.parquet as pq

    rows = [
        {
            "id": item.id,
            "group": item.group,
            "cluster": item.cluster,
            "score": item.score,
            "prediction": item.prediction,
            "target": item.target,
            "loglikelihoods": list(item.loglikelihoods),
            "tie": item.tie,
            "prompt": item.prompt,
            "choices": list(item.choices),
        }
        for item in items
    ]
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=_schema()), sink, compression="zstd")
    sink.seek(0)
    return blobs.put(sink, limit_bytes=PARQUET_LIMIT_BYTES)


def read_items(blobs: BlobStore, sha256: str) -> list[Item]:
    """The items of a Parquet file that `write_items` stored."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with blobs.open(sha256) as file:
        table = pq.read_table(pa.BufferReader(file.read(PARQUET_LIMIT_BYTES)))
    return [
        Item(
            id=row["id"],
            score=row["score"],
            prediction=row["prediction"],
            target=row["target"],
            loglikelihoods=tuple(row["loglikelihoods"] or ()),
            tie=bool(row["tie"]),
            group=row["group"],
            cluster=row["cluster"],
            prompt=row["prompt"] or "",
            choices=tuple(row["choices"] or ()),
        )
        for row in table.to_pylist()
    ]


def scores_of(items: Iterable[Item]) -> list[ItemScore]:
    """What the statistics take."""
    return [ItemScore(item.id, item.score, cluster=item.cluster) for item in items]


def _index(value: Any) -> int | None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and 0 <= value < 2**31 else None


def _is_number(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value)
