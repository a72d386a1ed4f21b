"""Boards of a set: the benchmarks of a suite side by side, and their average beside them.

An average is taken where all have one unit and one direction, over the tasks (gate-methods,
section 6); never a mean win rate, which changes with who else is on the board.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import sqrt
from typing import Any

from django.utils.translation import gettext as _

from hub.errors import BadInputError, EntryNotFoundError, HubError, NotFoundError
from hub.models import Kind, RepoId, Repository
from hub.policies import Actor, require_files, visible_repositories
from training.actions.leaderboard_filters import Facets, Filters, facets_of
from training.actions.leaderboard_ranks import MODELS_LIMIT, Place, Weighed, average_ranks
from training.actions.leaderboard_rows import Choice, Chosen, choose
from training.actions.leaderboards import goodness, seen_by
from training.jobs.benchmarks import DEFINITION_LIMIT_BYTES
from training.models import Benchmark, Evaluation
from training.specs.gate import BenchmarkReference
from training.specs.suite import Suite, is_suite, parse_suite
from training.statistics.quantiles import normal_quantile

_Z_95 = normal_quantile(0.975)


@dataclass(frozen=True)
class Column:
    """One benchmark of the set; `benchmark` is None until it is measured, or where the reader may
    not see it."""

    reference: BenchmarkReference
    label: str
    benchmark: Benchmark | None

    @property
    def metric(self) -> dict[str, Any]:
        return self.benchmark.metric_named("") if self.benchmark else {}


@dataclass(frozen=True)
class Cell:
    """What one model scored on one benchmark; `evaluation` is None where it was not run."""

    column: Column
    evaluation: Evaluation | None = None
    is_alike: bool = True

    @property
    def score(self) -> dict[str, Any]:
        return self.evaluation.score_of(self.column.metric["name"]) if self.evaluation else {}

    @property
    def counts(self) -> bool:
        """Whether it may enter an average that is ranked."""
        row = self.evaluation
        return row is not None and self.is_alike and row.is_whole and row.origin == "here"


@dataclass
class SetEntry:
    """One model: its scores in the order of the columns, their average, its place."""

    repository: Repository
    version: str
    cells: list[Cell]
    average: float | None = None
    lower: float | None = None
    upper: float | None = None
    place: Place | None = None

    @property
    def missing(self) -> list[BenchmarkReference]:
        """What was not run for it."""
        return [cell.column.reference for cell in self.cells if cell.evaluation is None]


@dataclass
class SetBoard:
    """A suite with its columns and models. `why_no_average` says why there is none."""

    suite: Suite
    columns: list[Column]
    ranked: list[SetEntry] = field(default_factory=list)
    apart: list[SetEntry] = field(default_factory=list)
    facets: Facets = field(default_factory=Facets)
    why_no_average: str = ""

    @property
    def metric(self) -> dict[str, Any]:
        """What the average is an average of."""
        return next((each.metric for each in self.columns if each.benchmark), {})


def find_suite(repository: Repository, path: str, actor: Actor) -> Suite:
    """The suite in the file `path` at the head of a data set's default branch.

    Raises: NotFoundError when there is no such file, or it is none; GatedRepositoryError.
    """
    require_files(actor, repository)
    refusal = NotFoundError(f"{repository.repo_id} has no benchmark or suite {path}.")
    store = repository.store()
    try:
        commit = store.resolve(repository.default_branch)
        content = store.read(commit, path, limit_bytes=DEFINITION_LIMIT_BYTES)
        if not is_suite(content, place=path):
            raise refusal
        return parse_suite(content, repo_id=repository.repo_id, place=path)
    except (EntryNotFoundError, BadInputError):
        raise refusal from None


def suites_of(repository: Repository, actor: Actor) -> list[tuple[str, Suite]]:
    """The suites of a data set with their paths; none where its files are closed."""
    store, found = repository.store(), []
    try:
        require_files(actor, repository)
        head = store.branch_head(repository.default_branch)
        paths = [e.path for e in store.tree(head, "")] if head else []
    except HubError:
        return []
    for path in [path for path in paths if path.endswith((".yaml", ".yml"))][:_FILES_LOOKED_AT]:
        try:
            found.append((path, find_suite(repository, path, actor)))
        except HubError:
            continue
    return found


_FILES_LOOKED_AT = 50


def set_board(suite: Suite, actor: Actor, *, filters: Filters | None = None) -> SetBoard:
    """The board of a set: only models that were measured on all of it have a rank."""
    columns = _columns(suite, actor)
    board = SetBoard(suite, columns, why_no_average=_why_no_average(columns))
    measured = {each.benchmark.digest: each for each in columns if each.benchmark}
    if not measured:
        return board
    choice = choose(actor, list(measured))
    entries = _entries(choice, columns)
    board.facets = facets_of(entry.repository for entry in entries)
    entries = [each for each in entries if filters is None or filters.match(each.repository)]
    for entry in entries:
        _average(entry, suite)
    _rank(board, entries)
    return board


def _columns(suite: Suite, actor: Actor) -> list[Column]:
    """Every member with its newest digest, or the one that was read from its pinned revision."""
    places = _repositories(actor, {member.repo_id for member in suite.members})
    rows = Benchmark.objects.filter(
        repository__in=[place.pk for place in places.values()],
        path__in={member.path for member in suite.members},
    )
    related = ("repository__namespace", "items_repository")
    seen = seen_by(actor, rows.select_related(*related).order_by("-pk"))
    columns = []
    for member in suite.members:
        place = places.get(member.repo_id.lower())
        found = [
            row
            for row in seen
            if place and (row.repository_id, row.path) == (place.pk, member.path)
        ]
        row = _at(found, place, member.revision) if place else None
        columns.append(Column(member, row.label if row else member.path, row))
    return columns


def _repositories(actor: Actor, repo_ids: set[str]) -> dict[str, Repository]:
    """The data sets of these names that `actor` sees, by name in lower case; one query."""
    rows = visible_repositories(actor).none()
    for repo_id in repo_ids:
        named = visible_repositories(actor).named(RepoId.parse(Kind.DATASET, repo_id))
        rows = rows | named
    return {row.repo_id.lower(): row for row in rows}


def _at(rows: Sequence[Benchmark], place: Repository, revision: str | None) -> Benchmark | None:
    if revision is None:
        return rows[0] if rows else None
    try:
        oid = place.store().resolve(revision)
    except HubError:
        return None
    return next((row for row in rows if row.revision == oid), None)


def _why_no_average(columns: Sequence[Column]) -> str:
    known = [each.metric for each in columns if each.benchmark]
    if len(known) < len(columns):
        return _("Not all of its benchmarks have been measured yet.")
    kinds = {(metric["unit"], metric["direction"]) for metric in known}
    if len(kinds) > 1 or any(direction == "target" for _unit, direction in kinds):
        return _("Its benchmarks have different units or directions: there is no average of them.")
    return ""


def _entries(choice: Choice, columns: Sequence[Column]) -> list[SetEntry]:
    keys = [cell.pk for row in choice.rows for cell in row.cells.values()]
    rows = Evaluation.objects.filter(pk__in=keys).defer("source", "settings")
    found = {row.pk: row for row in rows.select_related("repository__namespace")}
    return [_entry(choice, row, columns, found) for row in choice.rows if row.cells]


def _entry(
    choice: Choice, row: Chosen, columns: Sequence[Column], found: dict[int, Evaluation]
) -> SetEntry:
    cells = []
    for column in columns:
        light = row.cells.get(column.benchmark.digest) if column.benchmark else None
        if light is None:
            cells.append(Cell(column))
            continue
        evaluation = found[light.pk]
        # Equal digests are equal benchmarks, whichever data set they were asked from.
        evaluation.benchmark = column.benchmark  # type: ignore[assignment]
        cells.append(Cell(column, evaluation, light.protocol_digest == choice.protocol))
    repository = next(cell.evaluation.repository for cell in cells if cell.evaluation)
    return SetEntry(repository, row.version, cells)


def _weight(cell: Cell, suite: Suite) -> float:
    return float(cell.column.benchmark.item_count) if suite.by_size and cell.column.benchmark else 1


def _average(entry: SetEntry, suite: Suite) -> None:
    """The mean over the tasks, with sqrt(sum of SE²) / T; the tasks' SE are those of their
    intervals."""
    if not all(cell.counts and cell.score for cell in entry.cells):
        return
    weights = [_weight(cell, suite) for cell in entry.cells]
    shares = [weight / sum(weights) for weight in weights]
    scores = [cell.score for cell in entry.cells]
    average = sum(share * score["value"] for share, score in zip(shares, scores, strict=True))
    entry.average = average
    if all(score["lower"] is not None for score in scores):
        halves = [(score["upper"] - score["lower"]) / (2 * _Z_95) for score in scores]
        parts = zip(shares, halves, strict=True)
        reach = _Z_95 * sqrt(sum((share * half) ** 2 for share, half in parts))
        entry.lower, entry.upper = average - reach, average + reach


def _rank(board: SetBoard, entries: Sequence[SetEntry]) -> None:
    whole = [each for each in entries if each.average is not None and not board.why_no_average]
    whole.sort(key=lambda entry: goodness(entry.average, board.metric), reverse=True)
    here = {str(entry.repository.pk): entry for entry in whole[:MODELS_LIMIT]}
    places = average_ranks(
        [
            Weighed(
                {key: entry.cells[number].evaluation for key, entry in here.items()},  # type: ignore[misc]
                column.metric,
                _weight(Cell(column), board.suite),
            )
            for number, column in enumerate(board.columns)
        ]
        if here
        else []
    )
    for key, entry in here.items():
        entry.place = places.get(key)
    board.ranked = [entry for entry in whole if entry.place]
    board.ranked.sort(key=lambda entry: entry.place.group if entry.place else 0)
    board.apart = [entry for entry in entries if entry.place is None]
    board.apart.sort(key=lambda entry: (len(entry.missing), entry.repository.repo_id.lower()))
