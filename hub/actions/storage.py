"""What a repository takes on disk, by file and by version; and what goes when it is deleted."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from django.db.models import Sum

from hub.actions.lfs_files import names_at_heads
from hub.errors import RevisionNotFoundError, TooLargeError
from hub.gitstore import CommitInfo, GitStore
from hub.models import Repository
from hub.policies import Actor, children_of

LARGEST, VERSIONS, HEADS = 50, 10, 100


@dataclass(frozen=True)
class StoredFile:
    """A large file. Without `path` none of the heads that were looked at has it."""

    sha256: str
    size_bytes: int
    path: str
    ref: str


@dataclass(frozen=True)
class Version:
    """A commit of the default branch: the bytes of its files, and those it alone brought."""

    commit: CommitInfo
    size_bytes: int
    new_bytes: int


@dataclass(frozen=True)
class Storage:
    large_bytes: int
    large_count: int
    files: list[StoredFile]
    versions: list[Version]


def storage_of(repository: Repository) -> Storage:
    """The largest files and the newest versions; a bounded number of heads is looked at."""
    links = repository.object_links.select_related("stored_object")
    rows = [
        link.stored_object for link in links.order_by("-stored_object__size_bytes", "pk")[:LARGEST]
    ]
    store = repository.store()
    wanted = {row.sha256 for row in rows}
    names = names_at_heads(store, repository.default_branch, wanted, most=HEADS)
    return Storage(
        large_bytes=links.aggregate(total=Sum("stored_object__size_bytes"))["total"] or 0,
        large_count=links.count(),
        files=[
            StoredFile(row.sha256, row.size_bytes, *names.get(row.sha256, ("", ""))) for row in rows
        ],
        versions=_versions(store, repository.default_branch),
    )


def _versions(store: GitStore, branch: str) -> list[Version]:
    try:
        commits = store.commits(store.resolve(branch), limit=VERSIONS + 1)
    except RevisionNotFoundError:
        return []
    found: list[Version] = []
    older: dict[str, int] = {}
    with suppress(TooLargeError):
        for commit in reversed(commits):
            files = {
                entry.lfs.sha256 if entry.lfs else entry.oid: entry.size
                for entry in store.tree(commit.oid, recursive=True)
                if entry.kind == "file"
            }
            new = sum(size for key, size in files.items() if key not in older)
            found.append(Version(commit, sum(files.values()), new))
            older = files
    # The oldest one only says what was there before, unless it is the first of all.
    whole = found if len(commits) <= VERSIONS else found[1:]
    return whole[::-1]


@dataclass(frozen=True)
class RepositoryLosses:
    """What goes for good with a repository."""

    commits: int
    large_files: int
    large_bytes: int
    discussions: int
    runs: int
    likes: int
    collaborators: int
    built_upon: int  # models that name it as what they were made from, and stay without it


def losses_of(repository: Repository, actor: Actor) -> RepositoryLosses:
    """What would go now."""
    store = repository.store()
    head = store.branch_head(repository.default_branch)
    links = repository.object_links.aggregate(total=Sum("stored_object__size_bytes"))
    return RepositoryLosses(
        commits=store.count_commits(head) if head else 0,
        large_files=repository.object_links.count(),
        large_bytes=links["total"] or 0,
        discussions=repository.last_discussion_number,
        runs=repository.last_run_number,
        likes=repository.likes,
        collaborators=repository.collaborators.count(),
        built_upon=children_of(actor, [repository.repo_id])[repository.repo_id],
    )
