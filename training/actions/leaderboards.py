"""Boards of a benchmark: every model once, in groups that its items can tell apart.

Only what ran here, on all items, with the same settings is ranked; the rest stands apart and says
why. What people report never has a rank: it is shown where it would stand.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count, Max
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from hub.errors import BadInputError, EntryNotFoundError, NotFoundError, RevisionNotFoundError
from hub.models import Repository
from hub.policies import Actor, require_files, seen_repositories, visible_repositories
from training.actions.leaderboard_claims import Claim, claims_of
from training.actions.leaderboard_filters import Facets, Filters, facets_of
from training.actions.leaderboard_ranks import MODELS_LIMIT, Place, ranks
from training.actions.leaderboard_rows import HEAD, Choice, Chosen, choose
from training.actions.reported_numbers import lies_outside
from training.jobs.benchmarks import DEFINITION_LIMIT_BYTES
from training.jobs.disclosure import not_hidden_in_their_models, readable_benchmarks
from training.models import Benchmark, Evaluation, Origin
from training.policies import readable_repositories
from training.specs.benchmark import parse_benchmark
from training.specs.benchmark_definition import BenchmarkDefinition

RANKED, OTHERWISE, PARTIAL, REPORTED, CLAIMED, BEYOND, GONE = (
    "ranked", "other-settings", "partial", "reported", "card", "beyond", "gone"
)  # fmt: skip
REASONS: dict[str, str | Promise] = {
    OTHERWISE: _("measured with other settings, not ranked"),
    PARTIAL: _("measured in part, not ranked until it is finished"),
    REPORTED: _("self-reported, not ranked"),
    CLAIMED: _("self-reported in its card, not ranked"),
    BEYOND: _("not among the first of the board, not ranked"),
    GONE: _("its item results cannot be read, not ranked"),
}
SORTS = ("rank", "name", "size", "date")
DIGESTS_SHOWN = 30


@dataclass
class Entry:
    """One model on a board. `value`, `lower` and `upper` are those of the board's metric.

    `would` is where a self-reported model would stand among those that are ranked, known only
    where its item results were paired. `measured` is what stands for the same model by its own
    measurement, where this is a report beside it.
    """

    repository: Repository
    state: str
    version: str = HEAD
    evaluation: Evaluation | None = None
    value: float | None = None
    lower: float | None = None
    upper: float | None = None
    place: Place | None = None
    would: Place | None = None
    claim: Claim | None = None
    measured: Entry | None = None

    @property
    def contradicts(self) -> bool:
        """Whether a report lies outside of what was measured here of the same files."""
        here = self.measured
        if here is None or here.evaluation is None or self.evaluation is None:
            return False
        is_same = here.evaluation.model_digest == self.evaluation.model_digest
        return is_same and lies_outside(self.value, here.lower, here.upper)

    @property
    def is_verified(self) -> bool:
        return self.evaluation is not None and self.evaluation.origin == Origin.HERE

    @property
    def reason(self) -> str | Promise:
        """Why it has no rank; empty where it has one."""
        return REASONS.get(self.state, "")

    @property
    def dtype(self) -> str:
        return str(self.evaluation.settings.get("dtype", "")) if self.evaluation else ""

    @property
    def revision(self) -> str:
        """The commit: a merge that was measured before it was made goes by the head it became."""
        if self.version == HEAD and self.is_verified:
            return self.repository.head_oid or self.evaluation.revision  # type: ignore[union-attr]
        return self.evaluation.revision if self.evaluation else ""


@dataclass
class Board:
    """A benchmark digest with its models. `digests` are all that its file has had, newest first."""

    benchmark: Benchmark
    metric: dict[str, Any]
    ranked: list[Entry] = field(default_factory=list)
    apart: list[Entry] = field(default_factory=list)
    facets: Facets = field(default_factory=Facets)
    digests: Sequence[Benchmark] = ()
    beyond: int = 0  # models below the last one that is ranked

    @property
    def is_newest(self) -> bool:
        return not self.digests or self.digests[0].pk == self.benchmark.pk

    @property
    def entries(self) -> list[Entry]:
        return [*self.ranked, *self.apart]


def find_benchmarks(repository: Repository, path: str, actor: Actor) -> list[Benchmark]:
    """Every digest that the file `path` of a data set has had, the newest first.

    `repository` is one that the reader sees; the board of a hidden benchmark is for those who may
    read its items.
    Raises: NotFoundError.
    """
    rows = Benchmark.objects.at(repository.pk, path).select_related(
        "repository__namespace", "items_repository"
    )
    found = list(rows[:DIGESTS_SHOWN])
    if not found:
        raise NotFoundError(f"{repository.repo_id} has no benchmark {path} that was ever measured.")
    if not seen_by(actor, found):
        raise NotFoundError(f"There is no benchmark {path}, or you may not see it.")
    return found


def unmeasured(repository: Repository, path: str, actor: Actor) -> BenchmarkDefinition:
    """The benchmark in the file `path` at the head of a data set, which nothing was measured with.

    Raises: NotFoundError when there is none; GatedRepositoryError.
    """
    require_files(actor, repository)
    refusal = NotFoundError(f"{repository.repo_id} has no benchmark or suite {path}.")
    if Benchmark.objects.at(repository.pk, path).exists():
        raise refusal  # it was measured, and this reader may not see that
    store = repository.store()
    try:
        commit = store.resolve(repository.default_branch)
        content = store.read(commit, path, limit_bytes=DEFINITION_LIMIT_BYTES)
        found = parse_benchmark(content, place=path)
    except (EntryNotFoundError, RevisionNotFoundError, BadInputError, UnicodeDecodeError):
        raise refusal from None
    if found.hidden and not readable_repositories(actor, [repository.pk]):
        raise refusal
    return found


def seen_by(actor: Actor, benchmarks: Iterable[Benchmark]) -> list[Benchmark]:
    """Those of the benchmarks, of data sets that `actor` sees, whose boards they may see."""
    rows = list(benchmarks)
    hidden = [row for row in rows if row.is_hidden]
    if not hidden:
        return rows
    readable = readable_benchmarks(actor, hidden)
    return [row for row in rows if not row.is_hidden or row.pk in readable]


def board_of(
    digests: Sequence[Benchmark],
    actor: Actor,
    *,
    digest: str = "",
    metric: str = "",
    filters: Filters | None = None,
    sort: str = "rank",
) -> Board:
    """The board of the newest of `digests`, or of the one that `digest` begins.

    Raises: NotFoundError: there is no such digest, or no such metric.
    """
    benchmark = _chosen_digest(digests, digest)
    board = Board(benchmark, metric_of(benchmark, metric), digests=digests)
    choice = choose(actor, [benchmark.digest])
    entries = _entries(choice, benchmark, board.metric)
    taken = {entry.repository.pk for entry in entries}
    entries += [
        Entry(claim.repository, CLAIMED, value=claim.value, claim=claim)
        for claim in claims_of(actor, benchmark, board.metric)
        if claim.repository.pk not in taken
    ]
    board.facets = facets_of(entry.repository for entry in entries if entry.measured is None)
    wanted = [entry for entry in entries if filters is None or filters.match(entry.repository)]
    _rank(board, wanted)
    arrange(board, sort)
    return board


def metric_of(benchmark: Benchmark, wanted: str) -> dict[str, Any]:
    """The metric that is asked for, the first one where none is. Raises: NotFoundError."""
    known = [metric["name"] for metric in benchmark.metrics]
    if wanted and wanted not in known:
        raise NotFoundError(
            f"{benchmark.reference} has no metric {wanted[:40]!r}: it has {', '.join(known)}."
        )
    return benchmark.metric_named(wanted)


def _chosen_digest(digests: Sequence[Benchmark], wanted: str) -> Benchmark:
    if not wanted:
        return digests[0]
    found = [row for row in digests if row.digest.startswith(wanted)]
    if not found or len(wanted) < 7:
        raise NotFoundError(f"This benchmark never had a digest {wanted[:64]}.")
    return found[0]


def _entries(choice: Choice, benchmark: Benchmark, metric: dict[str, Any]) -> list[Entry]:
    """An entry for every model, and behind it what was reported of one that was measured."""
    name = benchmark.digest
    reports = zip(choice.rows, choice.beside, strict=True)
    beside = {r.cells[name].pk: row.cells[name].pk for row, others in reports for r in others}
    every = [*choice.rows, *(report for others in choice.beside for report in others)]
    cells = {row.cells[name].pk: row for row in every}
    rows = Evaluation.objects.filter(pk__in=cells).select_related("repository__namespace")
    found: dict[int, Entry] = {}
    for evaluation in rows.defer("repository__facts", "repository__config"):
        chosen = cells[evaluation.pk]
        evaluation.benchmark = benchmark  # of equal digests, the one that is asked for
        score = evaluation.score_of(metric["name"])
        found[evaluation.pk] = Entry(
            evaluation.repository,
            _state(choice, chosen),
            chosen.version,
            evaluation,
            value=score.get("value"),
            lower=score.get("lower"),
            upper=score.get("upper"),
        )
    for report, measured in beside.items():
        if report in found:
            found[report].measured = found.get(measured)
    return list(found.values())


def _state(choice: Choice, row: Chosen) -> str:
    if not row.is_verified:
        return REPORTED
    if not row.is_whole:
        return PARTIAL
    return RANKED if choice.is_alike(row) else OTHERWISE


def _rank(board: Board, entries: Sequence[Entry]) -> None:
    """Fill the board: ranks among what ran here, and where others would stand among it."""
    rankable = [each for each in entries if each.state == RANKED and each.value is not None]
    rankable.sort(key=lambda entry: goodness(entry.value, board.metric), reverse=True)
    rankable, below = rankable[:MODELS_LIMIT], rankable[MODELS_LIMIT:]
    board.beyond = len(below)
    here = {str(entry.repository.pk): entry for entry in rankable}
    places = ranks(_evaluations(here), board.metric)
    for key, entry in here.items():
        entry.place = places.get(key)
        entry.state = RANKED if entry.place else GONE
    for entry in below:
        entry.state = BEYOND
    board.ranked = [entry for entry in rankable if entry.place]
    board.apart = [entry for entry in entries if entry.place is None]
    said = [each for each in board.apart if each.state == REPORTED and each.measured is None]
    paired = [each for each in said if _is_paired(each, board)]
    if paired and board.ranked:
        others = {str(entry.repository.pk): entry for entry in paired}
        places = ranks(_evaluations(here | others), board.metric)
        for key, entry in others.items():
            entry.would = places.get(key)


def _is_paired(entry: Entry, board: Board) -> bool:
    """Whether a report brought the item results of the board's metric, asked as the board asks."""
    row = entry.evaluation
    if row is None or not row.items_sha256 or not row.is_whole:
        return False
    told = row.source
    return (
        board.metric["name"] in told.get("paired_metrics", []) and told.get("asked") != "otherwise"
    )


def _evaluations(entries: Mapping[str, Entry]) -> dict[str, Evaluation]:
    return {key: each.evaluation for key, each in entries.items() if each.evaluation is not None}


def goodness(value: float | None, metric: dict[str, Any]) -> float:
    """A value turned so that higher is better: of a target the distance, negated."""
    if value is None:
        return float("-inf")
    if metric["direction"] == "target":
        return -abs(value - (metric["target"] or 0.0))
    return -value if metric["direction"] == "lower" else value


def arrange(board: Board, sort: str) -> None:
    """Order the rows; by rank the better value comes first in its group."""
    for rows in (board.ranked, board.apart):
        rows.sort(key=lambda entry: entry.repository.repo_id.lower())
        if sort == "size":
            rows.sort(key=lambda entry: parameters_of(entry.repository) or float("inf"))
        elif sort == "date":
            rows.sort(key=lambda e: e.evaluation.pk if e.evaluation else 0, reverse=True)
        elif sort != "name":
            rows.sort(key=lambda entry: goodness(entry.value, board.metric), reverse=True)
    if sort not in ("name", "size", "date"):
        board.ranked.sort(key=lambda entry: entry.place.group if entry.place else 0)


def parameters_of(repository: Repository) -> int | None:
    """How many parameters a model has, as its weights say."""
    total = (repository.parameters or {}).get("total")
    return total if isinstance(total, int) else None


@dataclass(frozen=True)
class Listed:
    """A board in a list: the newest digest of one file, and how many models were measured."""

    benchmark: Benchmark
    models: int
    reported: int
    newest_at: Any


def boards(actor: Actor, *, repository: Repository | None = None, limit: int = 200) -> list[Listed]:
    """The boards that `actor` may see, those measured last first; of one data set, if given."""
    places = visible_repositories(actor)
    rows = Benchmark.objects.filter(repository__in=places.values("pk"))
    if repository is not None:
        rows = Benchmark.objects.filter(repository=repository.pk)
    newest = rows.values("repository", "path").annotate(last=Max("pk")).order_by("-last")
    keys = [row["last"] for row in newest[:limit]]
    related = ("repository__namespace", "items_repository")
    found = seen_by(actor, Benchmark.objects.filter(pk__in=keys).select_related(*related))
    counts = _counts(actor, [row.digest for row in found])
    listed = [Listed(row, *counts.get(row.digest, (0, 0, None))) for row in found]
    listed.sort(key=lambda each: each.benchmark.pk, reverse=True)
    return sorted(listed, key=lambda each: each.models + each.reported == 0)


def _counts(actor: Actor, digests: Sequence[str]) -> dict[str, tuple[int, int, Any]]:
    """For every digest: models measured here, models reported, and when last."""
    rows = Evaluation.objects.filter(
        benchmark_digest__in=digests, repository__in=seen_repositories(actor).values("pk")
    )
    told = (
        not_hidden_in_their_models(rows)
        .values("benchmark_digest", "origin")
        .annotate(models=Count("repository", distinct=True), last=Max("updated_at"))
    )
    found: dict[str, tuple[int, int, Any]] = {}
    for row in told:
        here, reported, last = found.get(row["benchmark_digest"], (0, 0, None))
        if row["origin"] == Origin.HERE:
            here = row["models"]
        else:
            reported = row["models"]
        last = row["last"] if last is None else max(last, row["last"])
        found[row["benchmark_digest"]] = (here, reported, last)
    return found
