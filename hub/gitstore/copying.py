"""Copies of repositories: branches and tags with their history, and nothing else."""

from pathlib import Path

from hub.gitstore.creation import new_repository
from hub.gitstore.process import run_git
from hub.gitstore.room import full_disk_refused

COPY_SECONDS = 600


def copy_repository(source: Path, path: Path, *, default_branch: str) -> None:
    """Make `path` a repository with the branches and tags of `source`; whole or not at all.

    What only pull requests or nothing leads to stays behind.
    Raises: ConflictError when `path` is taken.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    listed = ["for-each-ref", "--format=%(objectname) %(refname)", "refs/heads", "refs/tags"]
    refs = [line.split(" ", 1) for line in run_git(source, *listed).stdout.decode().splitlines()]
    with (
        full_disk_refused(path.parent),
        new_repository(path, default_branch=default_branch) as aside,
    ):
        if refs:
            oids = "".join(f"{oid}\n" for oid, _ref in refs).encode()
            pack = ["pack-objects", "--revs", "--delta-base-offset", "--quiet"]
            into = f"{aside}/objects/pack/pack"
            run_git(source, *pack, into, stdin=oids, total_seconds=COPY_SECONDS)
        lines = "".join(f"create {ref} {oid}\n" for oid, ref in refs)
        run_git(aside, "update-ref", "--stdin", stdin=lines.encode())
