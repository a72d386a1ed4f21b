"""Whether items of a benchmark stand in the data that a proposal says it was trained on."""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from hub.errors import BadInputError
from hub.models import Repository
from training.jobs.inputs import PinnedFile, files_of, open_pinned
from training.jobs.scoring import Asked
from training.models import Run
from training.specs.row_files import SUFFIXES, read_rows
from training.specs.sampling import Row, read_sample, select_rows
from training.statistics.contamination import (
    ERROR_SHARE,
    WARNING_SHARE,
    ExactRows,
    Index,
)

EXAMPLES = 20
SNIFFED_BYTES = 8192
PIECE_BYTES = 1 << 20
DOCUMENT_LIMIT_BYTES = 32 * 1024**2  # of a file that is one JSON value
# Files that hold no text, and need not be named as unread.
MEDIA = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".mp3", ".wav", ".flac", ".ogg", ".mp4", ".webm")


@dataclass(frozen=True)
class Contamination:
    """What was found: excluded items by benchmark, and the facts for the record.

    `counts` are the items looked at, `too_short` those of them that have too few words to be
    looked for in a longer text. `unread` names what could not be read.
    """

    excluded: dict[str, frozenset[str]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    too_short: dict[str, int] = field(default_factory=dict)
    sources: tuple[str, ...] = ()
    documents: int = 0
    unread: tuple[str, ...] = ()
    limit: float = ERROR_SHARE

    @property
    def shares(self) -> dict[str, float]:
        return {
            key: len(self.excluded.get(key, ())) / count if count else 0.0
            for key, count in self.counts.items()
        }

    @property
    def unusable(self) -> bool:
        return any(share > self.limit for share in self.shares.values())

    def to_json(self) -> dict[str, Any]:
        """Plain values for the record: ids and counts, no text."""
        return {
            "sources": list(self.sources),
            "documents": self.documents,
            "unread": list(self.unread),
            "benchmarks": {key: self._told(key, share) for key, share in self.shares.items()},
        }

    def _told(self, key: str, share: float) -> dict[str, Any]:
        return {
            "n": self.counts[key],
            "share": share,
            "count": len(self.excluded.get(key, ())),
            "too_short": self.too_short.get(key, 0),
            "is_warning": share > WARNING_SHARE,
            "examples": sorted(self.excluded.get(key, ()))[:EXAMPLES],
        }


class Search:
    """The items of every benchmark, looked for in rows and texts that stream by."""

    def __init__(self, asked: Sequence[Asked]) -> None:
        items = {each.key: _texts_by_id(each) for each in asked}
        self.counts = {key: len(texts) for key, texts in items.items()}
        self.documents = 0
        self._indexes = {key: Index(texts) for key, texts in items.items()}
        self._rows = {key: ExactRows(texts) for key, texts in items.items()}

    def add_row(self, row: Row) -> None:
        """Every text of a row by itself, and the row as a whole."""
        texts = list(texts_in(row))
        for rows in self._rows.values():
            rows.add(texts)
        for text in texts:
            self.documents += 1
            for index in self._indexes.values():
                index.add(text)

    def add_text(self, read: Callable[[], Iterator[str]]) -> None:
        """One long text, which is not kept: a file that has no rows, read once a benchmark."""
        self.documents += 1
        for index in self._indexes.values():
            index.add(read())

    def found(self, **facts: Any) -> Contamination:
        reports = {key: index.report() for key, index in self._indexes.items()}
        return Contamination(
            excluded={
                key: frozenset(report.contaminated) | self._rows[key].found
                for key, report in reports.items()
            },
            counts=self.counts,
            too_short={key: len(report.too_short) for key, report in reports.items()},
            documents=self.documents,
            **facts,
        )


def look_for_contamination(run: Run, asked: Sequence[Asked]) -> Contamination | None:
    """Compare the items with the declared training data; None where nothing is declared.

    Every text of an item is looked for by itself, in every text of a training row by itself.
    """
    declared = run.inputs("declared")
    if not declared:
        return None
    search, unread = Search(asked), []
    for given in declared:
        unread += [f"{given['source']}: {reason}" for reason in _look_through(given, search)]
    sources = tuple(dict.fromkeys(given["source"] for given in declared))
    return search.found(sources=sources, unread=tuple(unread))


def _texts_by_id(asked: Asked) -> dict[str, list[str]]:
    return {item.id: list(texts_in(item.doc)) for item in asked.order[: asked.count]}


def _look_through(given: dict[str, Any], search: Search) -> Iterator[str]:
    """Add every file of an input, those rows alone that were taken where a sample was; what could
    not be read."""
    repository = Repository.objects.select_related("namespace").get(pk=given["repository_id"])
    for file in files_of(given):
        try:
            _add_file(repository, file, given.get("sample"), search)
        except BadInputError as error:
            yield str(error)
    if left := given.get("left_out"):
        yield f"{left} more files were not read."


def _add_file(repository: Repository, file: PinnedFile, sampled: Any, search: Search) -> None:
    """Every row of a file, or its text where its name speaks of no rows.

    Rows that cannot be read hide nothing: the file is then looked through as a text too.
    Raises: BadInputError for a file that is no text, or has other rows than its name says.
    """
    if not file.path.lower().endswith(SUFFIXES):
        return _add_text(repository, file, search)
    try:
        with open_pinned(repository, file) as stream:
            rows: Iterable[Row] = read_rows(stream, file.path.lower())
            if sampled:
                sample = read_sample(sampled, "sample")
                rows = (each.row for each in select_rows(rows, sample))
            for row in rows:
                search.add_row(row)
    except BadInputError:
        if _add_document(repository, file, search):
            return None
        if not file.path.lower().endswith(".parquet"):
            _add_text(repository, file, search)
        raise
    return None


def _add_document(repository: Repository, file: PinnedFile, search: Search) -> bool:
    """The rows of a file that is one JSON value, such as a list; False where it is none."""
    if not file.path.lower().endswith(".json") or file.size_bytes > DOCUMENT_LIMIT_BYTES:
        return False
    with open_pinned(repository, file) as stream:
        try:
            value = json.load(stream)
            for row in value if isinstance(value, list) else [value]:
                search.add_row({"row": row})
        except (ValueError, RecursionError):
            return False
    return True


def _add_text(repository: Repository, file: PinnedFile, search: Search) -> None:
    with open_pinned(repository, file) as stream:
        if b"\0" not in stream.read(SNIFFED_BYTES):
            search.add_text(partial(_pieces, repository, file))
        elif not file.path.lower().endswith(MEDIA):
            raise BadInputError(f"{file.path} is no text that can be read.")


def _pieces(repository: Repository, file: PinnedFile) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    with open_pinned(repository, file) as stream:
        while piece := stream.read(PIECE_BYTES):
            yield decoder.decode(piece)


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
