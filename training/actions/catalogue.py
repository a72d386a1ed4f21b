"""The catalogue: benchmarks that come with the hub, and task files that people bring along."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from django.conf import settings

from hub.actions.commits import author_of, commit_files
from hub.actions.repositories import GITATTRIBUTES, create_repository
from hub.errors import BadInputError, ConflictError, HubError, NotFoundError
from hub.formats.bounded_yaml import load_yaml
from hub.gitstore import AddFile, GitStore
from hub.models import Access, Kind, RepoId, Repository, TokenScope
from hub.policies import Actor, get_repository, require_person, visible_repositories
from training.actions.task_check import faults
from training.catalogue.shelf import ShippedDataset, shelf
from training.specs.benchmark import BenchmarkDefinition, parse_benchmark
from training.specs.schema import read_path
from training.specs.task_import import TaskImport, import_task

SHELF = settings.BASE_DIR / "examples" / "datasets"
SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True)
class CommittedTask:
    """A benchmark file in its repository. `has_rows`: the file with its items is there as well."""

    repository: Repository
    path: str
    oid: str
    definition: BenchmarkDefinition
    has_rows: bool


def catalogue() -> tuple[ShippedDataset, ...]:
    """The data sets that come with the hub, each with its benchmarks and suites."""
    return shelf(SHELF)


def held_in(namespace: str, datasets: Collection[ShippedDataset]) -> dict[str, Repository]:
    """Those data set repositories of a namespace that bear the name of a shipped one."""
    rows = Repository.objects.filter(
        kind=Kind.DATASET, namespace__slug=namespace, name__in=[each.name for each in datasets]
    )
    return {row.name: row for row in rows.select_related("namespace")}


def import_shipped(
    actor: Actor, name: str, *, namespace: str = "", visibility: str | None = None
) -> Repository:
    """A data set repository with the files of a shipped one, in `namespace` or one's own.

    Raises: NotFoundError; UnauthenticatedError, ForbiddenError; ConflictError with its URL when
        the namespace has a data set of that name.
    """
    user = require_person(actor, scope=TokenScope.WRITE)
    dataset = next((each for each in catalogue() if each.name == name), None)
    if dataset is None:
        raise NotFoundError(f"The catalogue has no data set {name[:96]!r}.")
    files = {".gitattributes": GITATTRIBUTES} | dataset.files()

    def fill(repository: Repository, by: Actor) -> GitStore:
        return GitStore.create(
            repository.store().path,
            default_branch=repository.default_branch,
            files=files,
            author=author_of(by),
            message=f"Import {dataset.title} from the catalogue",
        )

    repo = RepoId(Kind.DATASET, namespace or user.username, dataset.name)
    return create_repository(actor, repo, visibility=visibility, fill=fill)


def read_task(
    actor: Actor,
    content: bytes | str,
    *,
    files: Mapping[str, bytes | str] | None = None,
    dataset: str = "",
    data_file: str = "",
    beside: str = "",
) -> TaskImport:
    """What becomes of a task file of lm-evaluation-harness; nothing is kept.

    `files` are those that it includes; `dataset` is the data set of this hub with its rows,
    `data_file` the file there; `beside` the one that the benchmark is to lie in.

    Raises: UnauthenticatedError; BadInputError when it cannot be read at all;
        RepositoryNotFoundError for a data set that the reader cannot see.
    """
    require_person(actor)
    if dataset:
        repository = get_repository(actor, RepoId.parse(Kind.DATASET, dataset))
        dataset = repository.repo_id
    found = import_task(
        content,
        repo_id=dataset or None,
        data_file=data_file or None,
        files=files,
        knows=lambda repo_id: _is_here(actor, repo_id),
    )
    if found.definition is None:
        return found
    refusals = faults(actor, found.definition, load_yaml(found.text), beside=beside)
    if not refusals:
        return found
    return TaskImport(tuple(refusals), found.notes, dataset_path=found.dataset_path)


def _is_here(actor: Actor, repo_id: str) -> bool:
    try:
        repo = RepoId.parse(Kind.DATASET, repo_id)
    except HubError:
        return False
    return visible_repositories(actor).named(repo).exists()


def commit_benchmark(actor: Actor, text: str, *, repository: str, path: str = "") -> CommittedTask:
    """Commit a benchmark file to a data set; `path` is TASK.yaml where it is empty.

    Raises: BadInputError when it is no benchmark; RepositoryNotFoundError, UnauthenticatedError,
        ForbiddenError; ConflictError when there is another file of that name.
    """
    require_person(actor, scope=TokenScope.WRITE)
    repo = get_repository(actor, RepoId.parse(Kind.DATASET, repository), need=Access.WRITE)
    definition = parse_benchmark(text)
    path = read_path(path or f"{definition.task}.yaml", "The path")
    if not path.endswith(SUFFIXES):
        raise BadInputError("A benchmark is a YAML file: let its path end with .yaml.")
    store = repo.store()
    head = store.resolve(repo.default_branch)
    there = {entry.path for entry in store.tree(head, "", recursive=True)}
    if path in there:
        raise ConflictError(f"{repo.repo_id} has a file {path} already: choose another path.")
    made = commit_files(
        repo,
        actor,
        revision=repo.default_branch,
        operations=[AddFile(path, text.encode())],
        title=f"Add the benchmark {definition.task}",
    )
    elsewhere = definition.repo_id not in (None, repo.repo_id)
    return CommittedTask(repo, path, made.oid, definition, elsewhere or definition.file in there)
