"""Which evaluation stands for a model on a board: each model once, by its best-defined version.

Light rows of every evaluation are looked at, so that a board costs a fixed number of queries
however often its models have been measured.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.cache import cache

from hub.errors import HubError
from hub.models import Kind, Repository
from hub.policies import Actor, visible_repositories
from training.actions.history import digests_of
from training.jobs.disclosure import not_hidden_in_their_models
from training.models import Evaluation, Origin, RunKind

HEAD, EARLIER, OTHER = "head", "earlier", "other"
REPORTS_BESIDE = 3  # of one model that was measured here
EARLIER_LOOKED_AT = 8  # of one model's evaluations, the newest first
_KEPT_SECONDS = 90 * 24 * 3600  # whether one commit lies before another never changes


@dataclass(frozen=True)
class Light:
    """What is looked at of an evaluation before any is chosen."""

    pk: int
    repository: int
    head_oid: str
    benchmark_digest: str
    model_digest: str
    protocol_digest: str
    origin: str
    revision: str
    item_count: int
    of_items: int
    is_proposal: bool

    @property
    def is_whole(self) -> bool:
        return self.item_count == self.of_items

    @property
    def is_verified(self) -> bool:
        return self.origin == Origin.HERE


@dataclass(frozen=True)
class Chosen:
    """One model's place on a board: a version, and its evaluation on each benchmark digest.

    `version` says whether that is the head of the default branch, an `earlier` commit of it, or
    what lies on another branch or tag.
    """

    repository: int
    version: str
    cells: Mapping[str, Light]

    @property
    def is_verified(self) -> bool:
        return all(cell.is_verified for cell in self.cells.values())

    @property
    def is_whole(self) -> bool:
        return all(cell.is_whole for cell in self.cells.values())


@dataclass(frozen=True)
class Choice:
    """The models of a board, and the settings that most of them were measured with.

    `beside` has what was reported of models that were measured here, for each row by its place.
    """

    rows: tuple[Chosen, ...]
    protocol: str
    beside: tuple[tuple[Chosen, ...], ...] = ()

    def is_alike(self, row: Chosen) -> bool:
        """Whether `row` was measured with the settings of the board."""
        return all(cell.protocol_digest == self.protocol for cell in row.cells.values())


def choose(actor: Actor, digests: Sequence[str]) -> Choice:
    """The models that `actor` may see, with what was measured of them on benchmark `digests`."""
    by_model: defaultdict[int, list[Light]] = defaultdict(list)
    for row in _light(actor, digests):
        by_model[row.repository].append(row)
    versions = {key: _version(rows) for key, rows in by_model.items()}
    protocol = _usual(rows for _version, rows in versions.values())
    chosen = [
        Chosen(key, version, _cells(rows, protocol))
        for key, (version, rows) in versions.items()
        if rows
    ]
    heads = {key: by_model[key][0].head_oid for key in by_model}
    beside = [
        _beside(row, [each for each in by_model[row.repository] if not each.is_verified], heads)
        if row.is_verified
        else ()
        for row in chosen
    ]
    return Choice(tuple(chosen), protocol, tuple(beside))


def _beside(
    measured: Chosen, reports: Sequence[Light], heads: Mapping[int, str]
) -> tuple[Chosen, ...]:
    """The newest reports of a model that was measured, those of the same version first."""
    if not reports:
        return ()
    digests = {cell.model_digest for cell in measured.cells.values()}
    order = sorted(reports, key=lambda row: (row.model_digest not in digests, -row.pk))
    head = _head_digest(measured.repository, heads[measured.repository], order)
    found = []
    for row in order[:REPORTS_BESIDE]:
        version = measured.version
        if row.model_digest not in digests:
            version = HEAD if row.model_digest == head else EARLIER if _lies_before(row) else OTHER
        found.append(Chosen(row.repository, version, {row.benchmark_digest: row}))
    return tuple(found)


def _light(actor: Actor, digests: Sequence[str]) -> list[Light]:
    """Every evaluation on the benchmarks, the newest first."""
    models = visible_repositories(actor).filter(kind=Kind.MODEL)
    rows = Evaluation.objects.filter(
        benchmark_digest__in=digests, repository__in=models.values("pk")
    )
    columns = (
        "pk", "repository", "repository__head_oid", "benchmark_digest", "model_digest",
        "protocol_digest", "origin", "revision", "item_count", "benchmark__item_count",
    )  # fmt: skip
    told = (
        not_hidden_in_their_models(rows)
        .order_by("-pk")
        .values_list(*columns, "run__kind", "run__spec__is_proposal")
    )
    # A gate's candidate is a proposal by what it is, whatever its spec says.
    return [
        Light(*values, is_proposal=kind != RunKind.EVALUATE or bool(proposed))  # type: ignore[misc]
        for *values, kind, proposed in told
    ]


def _version(rows: Sequence[Light]) -> tuple[str, list[Light]]:
    """The version that stands for a model, and its rows: verified before reported, the head of
    the default branch before earlier commits, these before other branches. `rows`: newest first."""
    head = _head_digest(rows[0].repository, rows[0].head_oid, rows)
    for is_verified in (True, False):
        own = [row for row in rows if row.is_verified == is_verified]
        if found := [row for row in own if row.model_digest == head]:
            return HEAD, found
        for row in own[:EARLIER_LOOKED_AT]:
            if _lies_before(row):
                return EARLIER, [each for each in own if each.model_digest == row.model_digest]
        for row in own:
            if not is_verified or not row.is_proposal:
                return OTHER, [each for each in own if each.model_digest == row.model_digest]
    return OTHER, []


def _head_digest(repository: int, head: str, rows: Sequence[Light]) -> str:
    """The digest of the model at the head; empty where it cannot be told."""
    for row in rows:
        if row.revision == head:
            return row.model_digest
    if not head:
        return ""
    try:
        return digests_of(Repository(pk=repository), [head])[head]
    except HubError:
        return ""


def _lies_before(row: Light) -> bool:
    """Whether what was measured is a commit that the default branch has stood at."""
    if not row.head_oid or not row.revision:
        return False
    key = f"lies-before:{row.repository}:{row.head_oid}:{row.revision}"
    known: bool | None = cache.get(key)
    if known is None:
        known = _is_ancestor(Repository(pk=row.repository), row.revision, row.head_oid)
        cache.set(key, known, _KEPT_SECONDS)
    return known


def _is_ancestor(repository: Repository, oid: str, head: str) -> bool:
    store = repository.store()
    try:
        store.commit_info(oid)  # a gate measures trees, which no branch ever stood at
        return store.is_ancestor(oid, head)
    except (HubError, KeyError, ValueError):
        return False


def _usual(versions: Iterable[Sequence[Light]]) -> str:
    """The settings that the most verified evaluations share, the newest of equals; those of whole
    ones, where there are any."""
    ours = [[row for row in rows if row.is_verified] for rows in versions]
    whole = [[row for row in rows if row.is_whole] for rows in ours]
    counts: Counter[str] = Counter()
    newest: dict[str, int] = {}
    for rows in whole if any(whole) else ours:
        shared = {(row.protocol_digest, row.benchmark_digest) for row in rows}
        counts.update(protocol for protocol, _digest in shared)
        for row in rows:
            newest[row.protocol_digest] = max(newest.get(row.protocol_digest, 0), row.pk)
    return max(counts, key=lambda name: (counts[name], newest[name]), default="")


def _cells(rows: Sequence[Light], protocol: str) -> dict[str, Light]:
    """The row of each benchmark: whole before partial, the board's settings before others, the
    newest of equals."""
    worth: Callable[[Light], Any] = lambda row: (  # noqa: E731, a key for max
        row.is_whole, row.protocol_digest == protocol, row.pk,
    )  # fmt: skip
    found: defaultdict[str, list[Light]] = defaultdict(list)
    for row in rows:
        found[row.benchmark_digest].append(row)
    return {digest: max(each, key=worth) for digest, each in found.items()}
