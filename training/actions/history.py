"""The versions of a branch and what has been measured of each: charts, tables, bisecting."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.core.cache import cache
from django.db.models import Max

from hub.extensions import registries
from hub.gitstore import CommitInfo, GitStore
from hub.models import Repository
from training.jobs.inputs import PinnedFile, model_digest, model_files
from training.models import Benchmark, Evaluation, Origin

COMMITS_LOOKED_AT = 300
EVALUATIONS_LOOKED_AT = 2_000
TAGS_LOOKED_AT = 100
# What a commit holds never changes.
_KEPT_SECONDS = 90 * 24 * 3600


@dataclass(frozen=True)
class Version:
    """A commit of a branch whose model files are not those of the commit before."""

    oid: str
    digest: str
    subject: str
    committed_at: datetime

    @property
    def short(self) -> str:
        return self.oid[:7]


@dataclass(frozen=True)
class Point:
    """A version with its place among all, and what was measured of it."""

    number: int
    version: Version
    evaluation: Evaluation


@dataclass
class History:
    """One benchmark over the versions of a branch, the oldest first.

    `by_digest` has the best evaluation of each model; `elsewhere` those of models that are no
    version of the branch, the newest first. `reports` has what was reported of models that were
    measured here, the newest first.
    """

    benchmark: Benchmark
    versions: Sequence[Version]
    by_digest: dict[str, Evaluation] = field(default_factory=dict)
    elsewhere: list[Evaluation] = field(default_factory=list)
    reports: dict[str, list[Evaluation]] = field(default_factory=dict)

    @property
    def points(self) -> list[Point]:
        return [
            Point(number, version, self.by_digest[version.digest])
            for number, version in enumerate(self.versions)
            if version.digest in self.by_digest
        ]

    @property
    def latest(self) -> Point | None:
        return self.points[-1] if self.points else None

    @property
    def is_current(self) -> bool:
        """Whether the newest version of the branch is the one measured last."""
        latest = self.latest
        return latest is not None and latest.number == len(self.versions) - 1

    @property
    def is_mixed(self) -> bool:
        """Whether not all were measured with the same precision, batches and libraries."""
        return len({each.settings_digest for each in self.by_digest.values()}) > 1


def first_parents(
    store: GitStore, head: str, *, limit: int = COMMITS_LOOKED_AT
) -> list[CommitInfo]:
    """The commits that a branch has stood at, the newest first: merges count, what they brought
    does not."""
    found: list[CommitInfo] = []
    oid: str | None = head
    while oid is not None and len(found) < limit:
        found.append(store.commit_info(oid))
        oid = next(iter(found[-1].parents), None)
    return found


def versions_of(repository: Repository, head: str | None, *, limit: int = 0) -> list[Version]:
    """The versions of the branch that ends at `head`, the oldest first."""
    if head is None:
        return []
    commits = first_parents(repository.store(), head, limit=limit or COMMITS_LOOKED_AT)
    digests = digests_of(repository, [commit.oid for commit in commits])
    return distinct(reversed(commits), digests)


def distinct(commits: Iterable[CommitInfo], digests: Mapping[str, str]) -> list[Version]:
    """Those of `commits`, the oldest first, that changed the model; none without weights."""
    found: list[Version] = []
    for commit in commits:
        digest = digests[commit.oid]
        if digest and (not found or found[-1].digest != digest):
            found.append(Version(commit.oid, digest, commit.subject, commit.committed_at))
    return found


def digests_of(repository: Repository, oids: Sequence[str]) -> dict[str, str]:
    """The model digest of each commit, empty where it has no weights; worked out once."""
    keys = {f"model-digest:{repository.pk}:{oid}": oid for oid in oids}
    found = {keys[key]: digest for key, digest in cache.get_many(list(keys)).items()}
    missing = [oid for oid in oids if oid not in found]
    if missing:
        store, known = repository.store(), dict[tuple[str, str], PinnedFile]()
        made = {oid: _digest(model_files(store, oid, known)) for oid in missing}
        told = {f"model-digest:{repository.pk}:{oid}": digest for oid, digest in made.items()}
        cache.set_many(told, _KEPT_SECONDS)
        found |= made
    return found


def _digest(files: Sequence[PinnedFile]) -> str:
    has_weights = any(file.path.endswith(".safetensors") for file in files)
    return model_digest(files) if has_weights else ""


def branch_versions(repository: Repository) -> list[Version]:
    """The versions of the default branch, the oldest first."""
    return versions_of(repository, repository.store().branch_head(repository.default_branch))


def benchmarks_measured(repository: Repository) -> list[int]:
    """For every benchmark file that this model has been measured with its newest digest, those
    measured last first."""
    places = ("benchmark__repository", "benchmark__path")
    rows = Evaluation.objects.filter(repository=repository.pk).values(*places)
    found = rows.annotate(benchmark=Max("benchmark"), last=Max("pk")).order_by("-last")
    return [row["benchmark"] for row in found]


def histories(
    repository: Repository, versions: Sequence[Version], benchmarks: Sequence[int]
) -> list[History]:
    """What has been measured with each of the benchmarks, in their order."""
    known = Benchmark.objects.select_related(
        "repository__namespace", "items_repository__namespace"
    ).in_bulk(benchmarks)
    rows = Evaluation.objects.filter(repository=repository.pk, benchmark__in=benchmarks)
    rows = rows.select_related("run").defer("source", "run__spec", "run__result")
    found: dict[int, list[Evaluation]] = {key: [] for key in benchmarks}
    for row in rows.order_by("-pk")[:EVALUATIONS_LOOKED_AT]:
        row.repository, row.benchmark = repository, known[row.benchmark_id]
        found[row.benchmark_id].append(row)
    return [_history(versions, each) for each in found.values() if each]


def _history(versions: Sequence[Version], rows: Sequence[Evaluation]) -> History:
    """`rows`: the evaluations with one benchmark, the newest first."""
    on_branch = {version.digest for version in versions}
    verified = [row for row in rows if row.origin == Origin.HERE]
    usual = (verified or rows)[0].settings_digest
    history = History(rows[0].benchmark, versions)

    def worth(row: Evaluation) -> tuple[Any, ...]:
        """Whole before partial, verified before reported, alike in settings, the newest."""
        return (row.is_whole, row.origin == Origin.HERE, row.settings_digest == usual, row.pk)

    for row in rows:
        if row.model_digest not in on_branch:
            history.elsewhere.append(row)
            continue
        best = history.by_digest.get(row.model_digest)
        if best is None or worth(row) > worth(best):
            history.by_digest[row.model_digest] = row
    for row in rows:
        best = history.by_digest.get(row.model_digest)
        if best is not None and best.origin == Origin.HERE != row.origin:
            history.reports.setdefault(row.model_digest, []).append(row)
    return history


def names_of(repository: Repository, versions: Sequence[Version]) -> dict[str, str]:
    """What people call versions, by oid: a tag of the same model, the pull request that made it,
    else seven letters of its oid."""
    merged = registries.merged_by(repository, [version.oid for version in versions])
    refs = repository.store().refs()
    tags = [ref for ref in refs if ref.name.startswith("refs/tags/")][-TAGS_LOOKED_AT:]
    digests = digests_of(repository, [ref.oid for ref in tags])
    tagged = {digests[ref.oid]: ref.short_name for ref in tags}
    made = {oid: f"#{number}" for oid, number in merged.items()}
    return {v.oid: tagged.get(v.digest) or made.get(v.oid) or v.short for v in versions}
