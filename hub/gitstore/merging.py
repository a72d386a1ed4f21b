"""Three-way merges without a work tree."""

from pathlib import Path

import pygit2

from hub.errors import MergeConflictError
from hub.gitstore.process import GitFailedError, run_git


def merge_trees(git_dir: Path, ours: str, theirs: str) -> str:
    """The oid of the tree in which both commits' changes are one.

    Raises: MergeConflictError naming the paths, none when the histories share nothing.
    """
    arguments = ["--write-tree", "-z", "--name-only", "--no-messages", "--end-of-options"]
    done = run_git(git_dir, "merge-tree", *arguments, ours, theirs, accepted=(0, 1, 128))
    if done.returncode == 128 and "unrelated histories" in done.stderr:
        raise MergeConflictError([])
    tree, *paths = done.stdout.decode("utf-8", "replace").rstrip("\0").split("\0")
    if done.returncode == 1:
        raise MergeConflictError(sorted(filter(None, set(paths))))
    if done.returncode != 0:
        raise GitFailedError("git could not merge.", done.stderr)
    return tree.strip()


def merge_base(repository: pygit2.Repository, a: str, b: str) -> str | None:
    """The best common ancestor of two commits; None when they share none."""
    found = repository.merge_base(a, b)
    return str(found) if found else None


def is_ancestor(repository: pygit2.Repository, a: str, b: str) -> bool:
    """Whether commit `a` is `b` or lies in its history."""
    return a == b or repository.descendant_of(b, a)
