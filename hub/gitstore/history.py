"""Commits in order, and which commit last changed each file of a folder."""

import posixpath
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pygit2

from hub.errors import EntryNotFoundError, RevisionNotFoundError
from hub.gitstore.process import GitFailedError, read_chunks, run_git, spawn_git
from hub.gitstore.reading import find_entry, tree_of
from hub.gitstore.values import Author, CommitInfo

# A folder's listing is worth this much of a person's patience; what is not found stays unknown.
LAST_COMMITS_SECONDS = 10.0
_LATEST = datetime(9999, 1, 1, tzinfo=UTC)
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)


def commit_info(repository: pygit2.Repository, oid: str) -> CommitInfo:
    """One commit. Raises RevisionNotFoundError when `oid` is no commit."""
    try:
        commit = repository[oid].peel(pygit2.Commit)
    except (KeyError, ValueError, pygit2.GitError) as error:
        raise RevisionNotFoundError(f"There is no commit {oid[:80]!r} here.") from error
    message = commit.raw_message.decode("utf-8", "replace").strip()
    subject, _, body = message.partition("\n")
    name, email = commit.author.raw_name, commit.author.raw_email
    return CommitInfo(
        oid=str(commit.id),
        parents=tuple(str(parent) for parent in commit.parent_ids),
        subject=subject.strip(),
        body=body.strip(),
        author=Author(name.decode("utf-8", "replace"), email.decode("utf-8", "replace")),
        committed_at=_moment(commit.commit_time),
    )


def _moment(seconds: int) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):  # a pushed commit may claim any year
        return _LATEST if seconds > 0 else _EARLIEST


def list_commits(
    repository: pygit2.Repository, oid: str, *, skip: int, limit: int, path: str = ""
) -> list[CommitInfo]:
    """Commits reachable from `oid`, newest first; with `path`, those that changed it."""
    full = commit_info(repository, oid).oid
    arguments = [f"--skip={int(skip)}", f"--max-count={int(limit)}", "--end-of-options", full]
    done = run_git(Path(repository.path), "rev-list", *arguments, "--", *filter(None, [path]))
    return [commit_info(repository, line) for line in done.stdout.decode().split()]


def count_commits(repository: pygit2.Repository, oid: str, *, path: str = "") -> int:
    full = commit_info(repository, oid).oid
    arguments = ["--count", "--end-of-options", full, "--", *filter(None, [path])]
    return int(run_git(Path(repository.path), "rev-list", *arguments).stdout)


def last_commits(repository: pygit2.Repository, oid: str, path: str) -> dict[str, CommitInfo]:
    """The commit that last changed each direct child of a folder, by the child's full path.

    The same answer as `git log -1 -- CHILD` for each, in one pass. A child that the time did
    not suffice for is absent.
    """
    folder = find_entry(repository, oid, path)
    if folder.kind != "directory":
        raise EntryNotFoundError(f"{path!r} is a file, not a folder.")
    names = {child.raw_name or b"" for child in tree_of(repository, folder.oid)}
    found: dict[bytes, str] = {}
    with suppress(GitFailedError):
        _attribute(repository, commit_info(repository, oid).oid, folder.path, names, found)
    infos = {commit: commit_info(repository, commit) for commit in set(found.values())}
    decoded = {name: name.decode("utf-8", "replace") for name in found}
    return {posixpath.join(folder.path, decoded[name]): infos[found[name]] for name in found}


def _attribute(
    repository: pygit2.Repository, oid: str, path: str, names: set[bytes], found: dict[bytes, str]
) -> None:
    """Fill `found`. `pending` says which names still look for their commit, and from where.

    Each commit hands a name on to the first parent that has it unchanged, as git simplifies
    history; a name that no parent has unchanged was changed here.
    """
    pending = {oid: set(names)}
    for commit, parents, changed in _log(Path(repository.path), oid, path):
        wanted = pending.pop(commit, set())
        for parent in parents if wanted else ():
            alone = len(parents) == 1
            differs = changed if alone else _changed(repository, parent, commit, path, wanted)
            if same := wanted - differs:
                pending.setdefault(parent, set()).update(same)
            wanted &= differs
        found.update(dict.fromkeys(wanted, commit))
        if not pending:
            return


def _changed(
    repository: pygit2.Repository, old: str, new: str, path: str, names: set[bytes]
) -> set[bytes]:
    before, after = (_children(repository, oid, path) for oid in (old, new))
    return {name for name in names if before.get(name) != after.get(name)}


def _children(repository: pygit2.Repository, oid: str, path: str) -> dict[bytes, tuple[str, int]]:
    tree = repository[oid].tree
    try:
        folder = tree[path] if path else tree
    except KeyError:
        return {}
    if not isinstance(folder, pygit2.Tree):
        return {}
    return {child.raw_name or b"": (str(child.id), child.filemode) for child in folder}


def _log(git_dir: Path, oid: str, path: str) -> Iterator[tuple[str, list[str], set[bytes]]]:
    """(commit, its parents, the children of `path` it changed), each commit before its parents.

    Merges show no changed names: their parents are compared one by one when it matters.
    """
    arguments = ["log", "--topo-order", "--no-renames", "--name-only", "-z", "--format=%x01%H %P"]
    # Every commit is wanted, also those that git would skip as not touching the folder.
    arguments += ["--full-history", "--sparse", "--end-of-options", oid, "--"]
    prefix = f"{path}/".encode() if path else b""
    header, changed = b"", set[bytes]()
    with spawn_git(git_dir, [*arguments, *filter(None, [path])]) as process:
        for token in _tokens(read_chunks(process, total_seconds=LAST_COMMITS_SECONDS)):
            if token.startswith(b"\x01"):
                if header:
                    yield _parsed(header, changed)
                header, changed = token, set()
            elif token.startswith(prefix):
                changed.add(token[len(prefix) :].split(b"/", 1)[0])
    if header:
        yield _parsed(header, changed)


def _parsed(header: bytes, changed: set[bytes]) -> tuple[str, list[str], set[bytes]]:
    oid, *parents = header[1:].decode().split()
    return oid, parents, changed


def _tokens(chunks: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\0")
        yield from (token.lstrip(b"\n") for token in whole if token)
    if rest:
        yield rest.lstrip(b"\n")
