"""What a merge writes down: the measured scores, in the card and in `.eval_results/`.

Every score comes from stored results. What the gate did not measure again is revised by
`card_marks`; the words of people stay byte for byte.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from hub.errors import EntryNotFoundError, HubError, TooLargeError
from hub.extensions import Change
from hub.formats.card import parse_card
from hub.formats.errors import CardError
from hub.formats.eval_results import FOLDER, entries_of, eval_results_path, with_eval_results
from hub.formats.model_index import read_model_index, with_model_index
from hub.models import Kind, Repository
from training.actions.card_marks import known_of, revise_file, revise_index
from training.actions.card_scores import (
    CardScore,
    card_scores,
    eval_result_entry,
    model_index_result,
)
from training.actions.models import files_at
from training.actions.standing import standing_of
from training.jobs.inputs import model_digest
from training.models import GateRecord

CARD = "README.md"
CARD_LIMIT_BYTES = 1024**2
FILE_LIMIT_BYTES = 64 * 1024
FILES_LIMIT = 200


def merge_files(repository: Repository, change: Change) -> dict[str, bytes]:
    """Files that the merge commit adds or replaces, by path."""
    if change.merge_tree is None or repository.kind != Kind.MODEL:
        return {}
    standing = standing_of(repository, change)
    record = standing.record if standing else None
    scores = card_scores(record) if record else []
    return CardWriter(repository, change, change.merge_tree, record, scores).files()


@dataclass
class CardWriter:
    """The numbers of one merge: `tree` is its result, `scores` what the gate measured of it."""

    repository: Repository
    change: Change
    tree: str
    record: GateRecord | None
    scores: list[CardScore]

    def files(self) -> dict[str, bytes]:
        files = self._eval_results()
        card = self._card()
        return files if card is None else files | {CARD: card}

    @cached_property
    def _model_changes(self) -> bool:
        base = files_at(self.repository, self.change.base_oid)
        return model_digest(base) != model_digest(files_at(self.repository, self.tree))

    @property
    def _url(self) -> str:
        """Where the scores come from."""
        if self.record is None:
            return ""
        return f"{self.repository.public_url()}/runs/{self.record.run.number}"

    # The card ---------------------------------------------------------------------------------

    def _card(self) -> bytes | None:
        """The README of the merge result with its numbers; None when it stays as it is.

        It stays where it cannot be kept safely; with very many metrics, only those of the gate
        are written.
        """
        readme = self._read(self.tree, CARD, CARD_LIMIT_BYTES)
        if readme is None and self._has(CARD):
            return None
        present = readme if readme is not None else f"# {self.repository.name}\n".encode()
        for scores in (self.scores, [score for score in self.scores if score.is_primary]):
            try:
                written = self._written(present, scores)
            except CardError:
                continue
            return None if written == (readme or present) else written
        return None

    def _written(self, readme: bytes, scores: Sequence[CardScore]) -> bytes:
        base = self._read(self.change.base_oid, CARD, CARD_LIMIT_BYTES) or b""
        index = parse_card(base, self.repository.kind).data.get("model-index")
        present = parse_card(readme, self.repository.kind).data.get("model-index")
        named = {result.dataset_type for result in read_model_index(present)}
        claimed = b"model-index" in readme
        return with_model_index(
            readme,
            [model_index_result(score, url=self._url) for score in scores],
            model_name=self.repository.name,
            revise=revise_index(
                index,
                base_oid=self.change.base_oid,
                model_changes=claimed and self._model_changes,
                known=known_of(self.repository, named, scores),
            ),
        )

    # .eval_results ----------------------------------------------------------------------------

    def _eval_results(self) -> dict[str, bytes]:
        measured: dict[str, list[CardScore]] = {}
        for score in self.scores:
            path = eval_results_path(score.reference.partition("@")[0])
            measured.setdefault(path, []).append(score)
        written: dict[str, bytes] = {}
        for path in sorted(measured.keys() | self._paths()):
            content = self._file(path, measured.get(path, []))
            if content is not None:
                written[path] = content
        return written

    def _paths(self) -> set[str]:
        """The files of scores that the merge result has already."""
        try:
            entries = self.repository.store().tree(self.tree, FOLDER)
        except (EntryNotFoundError, TooLargeError):
            return set()
        paths = [
            entry.path
            for entry in entries
            if entry.kind == "file" and entry.path.endswith((".yaml", ".yml"))
        ]
        return set(paths[:FILES_LIMIT])

    def _file(self, path: str, scores: Sequence[CardScore]) -> bytes | None:
        content = self._read(self.tree, path, FILE_LIMIT_BYTES)
        base = entries_of(self._read(self.change.base_oid, path, FILE_LIMIT_BYTES))
        entries = [
            eval_result_entry(score, self.record, url=self._url)
            for score in scores
            if self.record is not None
        ]
        revise = revise_file(
            base,
            base_oid=self.change.base_oid,
            model_changes=content is not None and self._model_changes,
            known=known_of(
                self.repository,
                {entry["dataset"]["id"] for entry in entries_of(content)},
                self.scores,
            ),
        )
        return with_eval_results(content, entries, revise=revise)

    # Files ------------------------------------------------------------------------------------

    def _read(self, oid: str, path: str, limit_bytes: int) -> bytes | None:
        """A file of a commit or tree; None when it is not there, or too large."""
        try:
            return self.repository.store().read(oid, path, limit_bytes=limit_bytes)
        except HubError:
            return None

    def _has(self, path: str) -> bool:
        try:
            self.repository.store().entry(self.tree, path)
        except EntryNotFoundError:
            return False
        return True
