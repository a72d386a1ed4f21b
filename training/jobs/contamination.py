"""Whether items of a benchmark stand in the data that a proposal says it was trained on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from hub.errors import BadInputError
from hub.models import Repository
from training.jobs.inputs import files_of, open_pinned
from training.jobs.scoring import Asked
from training.models import Run
from training.specs.row_files import read_rows
from training.specs.sampling import Row, read_sample, select_rows
from training.statistics.contamination import ERROR_SHARE, WARNING_SHARE, Index

EXAMPLES = 20


@dataclass(frozen=True)
class Contamination:
    """What was found: excluded items by benchmark, and the facts for the record."""

    excluded: dict[str, frozenset[str]] = field(default_factory=dict)
    shares: dict[str, float] = field(default_factory=dict)
    too_short: dict[str, int] = field(default_factory=dict)
    sources: tuple[str, ...] = ()
    documents: int = 0
    unread: tuple[str, ...] = ()
    limit: float = ERROR_SHARE

    @property
    def unusable(self) -> bool:
        return any(share > self.limit for share in self.shares.values())

    def to_json(self) -> dict[str, Any]:
        """Plain values for the record: ids and counts, no text."""
        return {
            "sources": list(self.sources),
            "documents": self.documents,
            "unread": list(self.unread),
            "benchmarks": {
                key: {
                    "share": share,
                    "count": len(self.excluded.get(key, ())),
                    "too_short": self.too_short.get(key, 0),
                    "is_warning": share > WARNING_SHARE,
                    "examples": sorted(self.excluded.get(key, ()))[:EXAMPLES],
                }
                for key, share in self.shares.items()
            },
        }


def look_for_contamination(run: Run, asked: Sequence[Asked]) -> Contamination | None:
    """Compare the items with the declared training data; None where nothing is declared.

    Every text of an item is looked for by itself, in every text of a training row by itself.
    """
    declared = run.inputs("declared")
    if not declared:
        return None
    indexes = {each.key: Index(_texts_by_id(each)) for each in asked}
    documents, unread = 0, []
    for given in declared:
        try:
            for text in _documents(given):
                documents += 1
                for index in indexes.values():
                    index.add(text)
        except BadInputError as error:
            unread.append(f"{given['source']}: {error}")
    reports = {key: index.report() for key, index in indexes.items()}
    return Contamination(
        excluded={key: frozenset(report.contaminated) for key, report in reports.items()},
        shares={key: report.share for key, report in reports.items()},
        too_short={key: len(report.too_short) for key, report in reports.items()},
        sources=tuple(dict.fromkeys(given["source"] for given in declared)),
        documents=documents,
        unread=tuple(unread),
    )


def _texts_by_id(asked: Asked) -> dict[str, list[str]]:
    return {item.id: list(texts_in(item.doc)) for item in asked.order[: asked.count]}


def _documents(given: dict[str, Any]) -> Iterator[str]:
    """Every text of every row of an input's files, those alone that were taken where a sample
    was."""
    repository = Repository.objects.select_related("namespace").get(pk=given["repository_id"])
    for file in files_of(given):
        with open_pinned(repository, file) as stream:
            rows: Iterable[Row] = read_rows(stream, file.path)
            if given.get("sample"):
                sample = read_sample(given["sample"], "sample")
                rows = (each.row for each in select_rows(rows, sample))
            for row in rows:
                yield from texts_in(row)


def texts_in(value: Any) -> Iterator[str]:
    """Every text in a row, those in lists and nested objects too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from texts_in(each)
    elif isinstance(value, list):
        for each in value:
            yield from texts_in(each)
