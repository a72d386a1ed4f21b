"""What can be measured with what: benchmarks of the data sets that a person may read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.core.cache import cache

from hub.errors import BadInputError, EntryNotFoundError, HubError
from hub.extensions import registries
from hub.gitstore import Entry
from hub.models import Access, Kind, Repository
from hub.policies import Actor, visible_repositories
from training.jobs.benchmarks import DEFINITION_LIMIT_BYTES
from training.jobs.inputs import pin_file
from training.models import Benchmark, Evaluation
from training.policies import readable_repositories
from training.specs.benchmark import BenchmarkDefinition, benchmark_digest, parse_benchmark

DATA_SETS_LOOKED_AT = 200
# Data sets whose files have not been looked into before: a page looks into so many.
NEW_AT_ONCE = 40
FILES_LIMIT = 50
REVISIONS_NAMED = 50
FOLDERS = ("", "benchmarks")
SUFFIXES = (".yaml", ".yml")
_KEPT_SECONDS = 30 * 24 * 3600
_FORM = 1  # raise it when what is kept of a file changes


@dataclass(frozen=True)
class BenchmarkFile:
    """A benchmark as it lies in a data set; `digest` is empty where the items lie elsewhere."""

    path: str
    label: str
    metrics: tuple[str, ...]
    language: str
    output_type: str
    summary: str
    hidden: bool
    digest: str


@dataclass
class Choice:
    """A benchmark that may be chosen: `measured` is the evaluation that there is already.

    `items` and `seconds`, the time that it will take, are None where nothing tells.
    """

    reference: str
    file: BenchmarkFile
    is_private: bool
    items: int | None = None
    seconds: float | None = None
    measured: Evaluation | None = None

    @property
    def measured_key(self) -> str:
        return "" if self.measured is None else str(self.measured.pk)


@dataclass(frozen=True)
class Revision:
    """What can be measured of a model: a branch, a tag, a pull request."""

    name: str
    label: str


def revisions_of(repository: Repository) -> dict[str, list[Revision]]:
    """Branches, tags and, for those who may have them run, open pull requests."""
    refs = repository.store().refs()

    def named(start: str) -> list[Revision]:
        found = [ref.name.removeprefix(start) for ref in refs if ref.name.startswith(start)]
        return [Revision(name, name) for name in found[:REVISIONS_NAMED]]

    branches = sorted(named("refs/heads/"), key=lambda r: r.name != repository.default_branch)
    pulls = registries.open_pull_requests(repository) if repository.may(Access.WRITE) else []
    return {
        "branches": branches,
        "tags": named("refs/tags/")[::-1],
        "pulls": [Revision(f"refs/pr/{n}", f"#{n} {title[:80]}") for n, title in pulls],
    }


def choices(
    actor: Actor,
    repository: Repository,
    *,
    model_digest: str,
    settings_digest: str,
    query: str = "",
) -> list[Choice]:
    """Every benchmark whose data set `actor` may read, those in the model's namespace first."""
    found = [
        Choice(f"{data.repo_id}:{file.path}", file, data.is_private)
        for data, files in _files(actor, repository)
        for file in files
        if _matches(query, data, file)
    ]
    digests = [choice.file.digest for choice in found if choice.file.digest]
    counts = dict(Benchmark.objects.filter(digest__in=digests).values_list("digest", "item_count"))
    measured = {
        row.benchmark_digest: row
        for row in Evaluation.objects.whole()
        .verified()
        .filter(
            repository=repository.pk,
            model_digest=model_digest,
            settings_digest=settings_digest,
            benchmark_digest__in=digests,
        )
    }
    pace = _pace(repository)
    for choice in found:
        choice.items = counts.get(choice.file.digest)
        choice.measured = measured.get(choice.file.digest)
        seconds = pace.get(choice.file.digest) or pace.get(choice.file.output_type)
        if choice.items is not None and seconds is not None:
            choice.seconds = choice.items * seconds
    return found


def _matches(query: str, data: Repository, file: BenchmarkFile) -> bool:
    said = " ".join(
        (data.repo_id, file.path, file.label, file.summary, file.language, *file.metrics)
    ).lower()
    return all(word in said for word in query.lower().split())


def _pace(repository: Repository) -> dict[str, float]:
    """Seconds an item that this model took before, by benchmark digest and by kind of answer."""
    rows = Evaluation.objects.filter(repository=repository.pk, seconds__gt=0, item_count__gt=0)
    told = rows.order_by("pk").values_list(
        "benchmark_digest", "benchmark__output_type", "seconds", "item_count"
    )
    found: dict[str, float] = {}
    for digest, kind, seconds, count in told[:1000]:
        found[digest] = found[kind] = (seconds or 0.0) / count
    return found


def _files(
    actor: Actor, repository: Repository
) -> Iterable[tuple[Repository, Sequence[BenchmarkFile]]]:
    """Data sets with the benchmarks in each, the model's own namespace first, then the newest."""
    rows = visible_repositories(actor).filter(kind=Kind.DATASET).exclude(head_oid="")
    found = list(rows.order_by("-last_modified_at", "-pk")[:DATA_SETS_LOOKED_AT])
    gated = [row.pk for row in found if row.gated]
    closed = set(gated) - readable_repositories(actor, gated) if gated else set()
    open_sets = [row for row in found if row.pk not in closed]
    open_sets.sort(key=lambda row: row.namespace_id != repository.namespace_id)
    keys = {f"benchmark-files:{_FORM}:{row.pk}:{row.head_oid}": row for row in open_sets}
    known: dict[str, Any] = cache.get_many(list(keys))
    new = [key for key in keys if key not in known][:NEW_AT_ONCE]
    made = {key: [asdict(file) for file in benchmark_files(keys[key])] for key in new}
    if made:
        cache.set_many(made, _KEPT_SECONDS)
    told = known | made
    for key, row in keys.items():
        yield row, [_read(values) for values in told.get(key, [])]


def _read(values: dict[str, Any]) -> BenchmarkFile:
    return BenchmarkFile(**values | {"metrics": tuple(values["metrics"])})


def benchmark_files(data: Repository) -> list[BenchmarkFile]:
    """The benchmark files in the root and in `benchmarks/` of a data set as it is now."""
    store, found = data.store(), []
    for folder in FOLDERS:
        try:
            entries = store.tree(data.head_oid, folder)
        except HubError:
            continue
        named = [entry for entry in entries if _may_be_benchmark(entry)]
        read = (_benchmark(data, entry) for entry in named[:FILES_LIMIT])
        found += [file for file in read if file is not None]
    return found


def _may_be_benchmark(entry: Entry) -> bool:
    return entry.kind == "file" and entry.path.endswith(SUFFIXES) and entry.lfs is None


def _benchmark(data: Repository, entry: Entry) -> BenchmarkFile | None:
    """What a file says as a benchmark; None when it is none, or is broken."""
    try:
        content = data.store().read(data.head_oid, entry.path, limit_bytes=DEFINITION_LIMIT_BYTES)
        definition = parse_benchmark(content)
    except (HubError, UnicodeDecodeError):
        return None
    return BenchmarkFile(
        path=entry.path,
        label=definition.label,
        metrics=tuple(metric.label for metric in definition.metrics),
        language=definition.labels.language or "",
        output_type=definition.output_type,
        summary=definition.labels.summary,
        hidden=definition.hidden,
        digest=_digest(data, definition),
    )


def _digest(data: Repository, definition: BenchmarkDefinition) -> str:
    """The benchmark's digest, where all that it is made of lies in this data set."""
    elsewhere = definition.repo_id not in (None, data.repo_id)
    if elsewhere or definition.revision is not None:
        return ""
    store, oid = data.store(), data.head_oid
    shots = definition.fewshot.file if definition.fewshot else None
    try:
        files = [
            pin_file(store, oid, path).sha256 if path else None
            for path in (definition.file, shots, definition.words)
        ]
    except (EntryNotFoundError, BadInputError):
        return ""
    items, examples, words = files
    if items is None:
        return ""
    return benchmark_digest(
        definition, items_sha256=items, shots_sha256=examples, words_sha256=words
    )
