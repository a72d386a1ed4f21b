"""The texts of a benchmark's items: kept once a digest, beside the data set that holds the items.

Who may not read that data set sees no text, whatever they may read of the scores (threat M5).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import transaction

from hub.actions import large_files
from hub.blobstore import Blob
from training.jobs.items import TEXT_LIMIT, open_table, put_table, read_lines
from training.models import Benchmark
from training.specs.items import Item as IssuedItem
from training.specs.items import lm_eval_doc_hash

# Small, because a page reads a few rows here and there.
ROWS_A_GROUP = 128
CHOICES_LIMIT = 64
COLUMNS = ("id", "prompt", "choices", "expected", "group", "cluster", "doc_hash")
# What a page shows of a question: enough to read it.
SHOWN = COLUMNS[:4]


@dataclass(frozen=True)
class Question:
    """What one item asked. `doc_hash` is lm-evaluation-harness's name for the row."""

    id: str
    prompt: str = ""
    choices: tuple[str, ...] = ()
    expected: str = ""
    group: str | None = None
    cluster: str | None = None
    doc_hash: str = ""

    def choice(self, index: int | None) -> str:
        known = index is not None and 0 <= index < len(self.choices)
        return self.choices[index] if known else ""  # type: ignore[index]


def keep_questions(benchmark: Benchmark, issued: Sequence[IssuedItem], told: Path | None) -> None:
    """Store what the runner says it asked, in the canonical order of the items; once a digest."""
    if benchmark.questions_sha256 or told is None:
        return
    shown = {str(row.get("id")): row for row in read_lines(told)}
    if any(item.id not in shown for item in issued):
        return
    blob = _write(benchmark, [_question(item, shown[item.id]) for item in issued])
    _name(benchmark, blob)


def adopt_questions(benchmark: Benchmark) -> None:
    """Take the texts of an equal benchmark in another data set: equal digests, equal texts."""
    if benchmark.questions_sha256:
        return
    others = Benchmark.objects.filter(digest=benchmark.digest).exclude(questions_sha256="")
    other = others.select_related("items_repository").exclude(pk=benchmark.pk).first()
    if other is None:
        return
    target, source = benchmark.items_repository, other.items_repository
    blob = target.blobs().link_from(source.blobs(), other.questions_sha256)
    _name(benchmark, blob)


@transaction.atomic
def _name(benchmark: Benchmark, blob: Blob) -> None:
    large_files.link(benchmark.items_repository, blob)
    rows = Benchmark.objects.filter(pk=benchmark.pk, questions_sha256="")
    rows.update(questions_sha256=blob.sha256)
    benchmark.refresh_from_db(fields=["questions_sha256"])


def _question(item: IssuedItem, row: dict[str, Any]) -> Question:
    choices = row.get("choices")
    texts = choices[:CHOICES_LIMIT] if isinstance(choices, list) else []
    return Question(
        id=item.id,
        prompt=str(row.get("prompt") or "")[:TEXT_LIMIT],
        choices=tuple(str(text)[:TEXT_LIMIT] for text in texts),
        expected=str(row.get("expected") or "")[:TEXT_LIMIT],
        group=item.group,
        cluster=item.cluster,
        doc_hash=lm_eval_doc_hash(item.doc),
    )


def _write(benchmark: Benchmark, questions: list[Question]) -> Blob:
    import pyarrow as pa

    table = pa.table(
        {
            "id": pa.array([q.id for q in questions], pa.string()),
            "prompt": pa.array([q.prompt for q in questions], pa.string()),
            "choices": pa.array([list(q.choices) for q in questions], pa.list_(pa.string())),
            "expected": pa.array([q.expected for q in questions], pa.string()),
            "group": pa.array([q.group for q in questions], pa.string()),
            "cluster": pa.array([q.cluster for q in questions], pa.string()),
            "doc_hash": pa.array([q.doc_hash for q in questions], pa.string()),
            "length": pa.array([_length(q) for q in questions], pa.int32()),
        }
    )
    return put_table(benchmark.items_repository.blobs(), table, rows_a_group=ROWS_A_GROUP)


def _length(question: Question) -> int:
    """Characters of what is asked: the prompt, or the longest choice where there is none."""
    return len(question.prompt) or max(map(len, question.choices), default=0)


def questions_at(
    benchmark: Benchmark, rows: Iterable[int], columns: Sequence[str] = COLUMNS
) -> dict[int, Question]:
    """The questions in the rows of the file, by row; only the parts that hold them are read.

    Without some of `columns` they are read sooner, and those traits are empty.
    """
    wanted = sorted(set(rows))
    if not benchmark.questions_sha256 or not wanted:
        return {}
    with open_table(benchmark.items_repository.blobs(), benchmark.questions_sha256) as file:
        parts = sorted({row // ROWS_A_GROUP for row in wanted})
        table = file.read_row_groups(parts, columns=list(columns))
    place = {part: number * ROWS_A_GROUP for number, part in enumerate(parts)}
    taken = table.take([place[row // ROWS_A_GROUP] + row % ROWS_A_GROUP for row in wanted])
    return {row: _read(values) for row, values in zip(wanted, taken.to_pylist(), strict=True)}


def question_columns(benchmark: Benchmark, names: Sequence[str]) -> dict[str, list[Any]]:
    """Whole columns of the file, such as id, length or doc_hash; empty lists without one."""
    if not benchmark.questions_sha256:
        return {name: [] for name in names}
    with open_table(benchmark.items_repository.blobs(), benchmark.questions_sha256) as file:
        table = file.read(list(names))
    return {name: table.column(name).to_pylist() for name in names}


def all_questions(benchmark: Benchmark) -> dict[str, Question]:
    """Every question by the id of its item: for jobs, too much for a page."""
    if not benchmark.questions_sha256:
        return {}
    with open_table(benchmark.items_repository.blobs(), benchmark.questions_sha256) as file:
        return {row["id"]: _read(row) for row in file.read().to_pylist()}


def _read(row: dict[str, Any]) -> Question:
    return Question(
        id=row["id"],
        prompt=row["prompt"] or "",
        choices=tuple(row["choices"] or ()),
        expected=row["expected"] or "",
        group=row.get("group"),
        cluster=row.get("cluster"),
        doc_hash=row.get("doc_hash") or "",
    )
