"""Commits in order."""

import posixpath
from itertools import islice
from pathlib import Path

import pygit2
from pygit2.enums import SortMode

from hub.errors import RevisionNotFoundError
from hub.gitstore.attribution import kept_commit
from hub.gitstore.derived import Derived
from hub.gitstore.moments import moment_of
from hub.gitstore.process import run_git
from hub.gitstore.reading import find_entry, tree_of
from hub.gitstore.values import Author, CommitInfo

INDEXED_FROM = 1000  # commits
FOLDER_READ_UP_TO = 2000  # entries


def commit_info(repository: pygit2.Repository, oid: str) -> CommitInfo:
    """One commit. Raises RevisionNotFoundError when `oid` is no commit."""
    try:
        commit = repository[oid].peel(pygit2.Commit)
    except (KeyError, ValueError, pygit2.GitError) as error:
        raise RevisionNotFoundError(f"There is no commit {oid[:80]!r} here.") from error
    return described(commit)


def described(commit: pygit2.Commit) -> CommitInfo:
    message = commit.raw_message.decode("utf-8", "replace").strip()
    subject, _, body = message.partition("\n")
    name, email = commit.author.raw_name, commit.author.raw_email
    return CommitInfo(
        oid=str(commit.id),
        parents=tuple(str(parent) for parent in commit.parent_ids),
        subject=subject.strip(),
        body=body.strip(),
        author=Author(name.decode("utf-8", "replace"), email.decode("utf-8", "replace")),
        committed_at=moment_of(commit.commit_time),
    )


def list_commits(
    repository: pygit2.Repository, oid: str, *, skip: int, limit: int, path: str = ""
) -> list[CommitInfo]:
    """Commits reachable from `oid`, newest first; with `path`, those that changed it."""
    full = commit_info(repository, oid).oid
    if not path:
        # In the order of `git rev-list`: by date, parents never read before they are due.
        walk = repository.walk(full, SortMode.NONE)
        return [described(commit) for commit in islice(walk, skip, skip + limit)]
    arguments = [f"--skip={int(skip)}", f"--max-count={int(limit)}", "--end-of-options", full]
    done = run_git(Path(repository.path), "rev-list", *arguments, "--", path)
    return [commit_info(repository, line) for line in done.stdout.decode().split()]


def last_commit(repository: pygit2.Repository, oid: str, path: str) -> CommitInfo | None:
    """The commit that last changed the file `path`.

    Whoever looked at its folder has left the answer, which costs no process; nobody waits here for
    that of a whole folder. A large one's takes longer to read than git's own search, which has
    filters of changed paths. Raises: EntryNotFoundError.
    """
    folder = posixpath.dirname(path)
    is_large = len(tree_of(repository, find_entry(repository, oid, folder).oid)) > FOLDER_READ_UP_TO
    kept = None if is_large else kept_commit(repository, oid, path)
    if kept is not None:
        return commit_info(repository, kept)
    return next(iter(list_commits(repository, oid, skip=0, limit=1, path=path)), None)


def count_commits(repository: pygit2.Repository, oid: str, *, path: str = "") -> int:
    """How many commits are reachable from `oid`; with `path`, how many of them changed it."""
    full = commit_info(repository, oid).oid
    if not path:
        return _count(repository, full)
    done = run_git(
        Path(repository.path), "rev-list", "--count", "--end-of-options", full, "--", path
    )
    return int(done.stdout)


def index_commits(repository: pygit2.Repository, oid: str) -> None:
    """Write git's commit-graph, with filters of changed paths, when `oid` has a long history.

    Written anew once the history is a tenth longer: each commit is then indexed ten times at most.
    """
    derived, count = Derived(Path(repository.path)), count_commits(repository, oid)
    indexed = derived.get("indexed") or 0
    if count < INDEXED_FROM or count < indexed * 1.1:
        return
    run_git(
        Path(repository.path),
        *("commit-graph", "write", "--reachable", "--changed-paths", "--no-progress"),
    )
    derived.put("indexed", count)


def _count(repository: pygit2.Repository, oid: str) -> int:
    """Counted once for a commit; for the next one, only what came between."""
    derived, count = Derived(Path(repository.path)), 0
    if (kept := derived.get(f"count-{oid}")) is not None:
        return int(kept)
    known = derived.keys("count-")
    for commit in repository.walk(oid, SortMode.NONE):
        if str(commit.id) in known and (kept := derived.get(f"count-{commit.id}")) is not None:
            ahead, behind = repository.ahead_behind(oid, commit.id)
            if behind == 0:
                count = int(kept) + ahead
                break
        count += 1
    derived.put(f"count-{oid}", count)
    return count
