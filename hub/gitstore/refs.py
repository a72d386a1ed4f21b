"""Names for commits: looking one up, moving one by compare-and-swap."""

import re
from pathlib import Path

import pygit2

from hub.errors import (
    BadInputError,
    BranchMovedError,
    ConflictError,
    ForbiddenError,
    RevisionNotFoundError,
)
from hub.gitstore.creation import sync_folder
from hub.gitstore.paths import VISIBLE, check_ref_name, check_short_name
from hub.gitstore.process import GitFailedError, run_git
from hub.gitstore.reach import is_reachable, tip_of

ZERO_OID = "0" * 40
KEPT = "refs/keep/"
HELD = "refs/weighbridge/"

_OID = re.compile(r"[0-9a-f]{7,40}")
_HELD_NAME = re.compile(r"[a-z]+/[1-9][0-9]{0,18}")


def resolve(repository: pygit2.Repository, revision: str) -> str:
    """The full oid of the commit that `revision` names.

    A branch, a tag, a full ref name, or 7 to 40 hex digits of a commit that some ref reaches.
    Names are looked up as they are: nothing is ever parsed as a revision expression.
    Raises: RevisionNotFoundError.
    """
    for ref in _candidates(revision):
        if (oid := commit_of_ref(repository, ref)) is not None:
            return oid
    if _OID.fullmatch(revision.lower()) and (oid := _reachable(repository, revision.lower())):
        return oid
    raise RevisionNotFoundError(f"There is no revision {revision[:200]!r} here.")


def _candidates(revision: str) -> list[str]:
    try:
        if revision.startswith("refs/"):
            return [check_ref_name(revision)]
        name = check_short_name(revision)
    except BadInputError:
        return []
    return [f"refs/heads/{name}", f"refs/tags/{name}"]


def commit_of_ref(repository: pygit2.Repository, ref: str) -> str | None:
    """The commit that `ref` leads to, through an annotated tag if need be."""
    tip = tip_of(repository, ref)
    return None if tip is None else str(tip)


def _reachable(repository: pygit2.Repository, prefix: str) -> str | None:
    try:
        oid = repository.expand_id(prefix)
        if repository.odb.read_header(oid)[0] != pygit2.enums.ObjectType.COMMIT:
            return None
    except (KeyError, ValueError, pygit2.GitError):
        return None
    return str(oid) if is_reachable(repository, oid) else None


def visible_refs(repository: pygit2.Repository) -> list[tuple[str, str]]:
    """(name, commit oid) of all that people may see, sorted by name."""
    names = sorted(ref for ref in repository.references if ref.startswith(VISIBLE))
    found = [(name, commit_of_ref(repository, name)) for name in names]
    return [(name, oid) for name, oid in found if oid is not None]


def move_ref(git_dir: Path, ref: str, *, new: str, old: str | None, keep: bool = False) -> None:
    """Let `ref` name `new`, if it names `old` now (None: if it does not exist).

    With `keep`, `old` stays reachable by a hidden ref: no head of a pull request is ever lost.
    Raises: BranchMovedError; ConflictError when it exists already; nothing has moved.
    """
    check_ref_name(ref)
    lines = [f"update {ref}\0{_full(new)}\0{_full(old or ZERO_OID)}\0"]
    if keep and old:
        lines.append(f"update {kept_name(ref, old)}\0{_full(old)}\0\0")
    _transact(git_dir, ref, lines, old)


def delete_ref(git_dir: Path, ref: str, *, old: str) -> None:
    """Remove `ref`, if it names `old` now. Heads of pull requests are kept for good."""
    check_ref_name(ref)
    if ref.startswith("refs/pr/"):
        raise ForbiddenError(f"{ref} cannot be deleted: pull requests keep their heads.")
    _transact(git_dir, ref, [f"delete {ref}\0{_full(old)}\0"], old)


def keep_head(git_dir: Path, ref: str, oid: str) -> None:
    """`oid` stays reachable though `ref` is about to leave it."""
    name = kept_name(ref, oid)
    run_git(git_dir, "update-ref", "-z", "--stdin", stdin=f"update {name}\0{oid}\0\0".encode())
    sync_ref(git_dir, name)


def kept_name(ref: str, oid: str) -> str:
    return f"{KEPT}{ref.removeprefix('refs/')}/{_full(oid)}"


def hold(git_dir: Path, name: str, oid: str) -> None:
    """`oid` stays reachable under a name of the hub's own, such as `trials/7`: no client sees,
    fetches or moves it by that. Safe to repeat."""
    ref = _held_name(name)
    line = f"update {ref}\0{_full(oid)}\0\0"
    run_git(git_dir, "update-ref", "-z", "--stdin", stdin=line.encode())
    sync_ref(git_dir, ref)


def let_go(git_dir: Path, name: str) -> None:
    """Forget what `hold` held under a name. Safe to repeat."""
    ref = _held_name(name)
    run_git(git_dir, "update-ref", "-z", "--stdin", stdin=f"delete {ref}\0\0".encode())
    sync_ref(git_dir, ref)


def _held_name(name: str) -> str:
    if not _HELD_NAME.fullmatch(name):
        raise BadInputError(f"{name[:80]!r} is no name of a held commit.")
    return f"{HELD}{name}"


def sync_ref(git_dir: Path, ref: str) -> None:
    """git syncs the file of a ref but not the folders that name it."""
    folder = (git_dir / ref).parent
    while not folder.exists():
        folder = folder.parent
    while folder.is_relative_to(git_dir):
        sync_folder(folder)
        folder = folder.parent


def _full(oid: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{40}", oid):
        raise RevisionNotFoundError(f"{oid[:80]!r} is no full commit id.")
    return oid


def _transact(git_dir: Path, ref: str, lines: list[str], old: str | None) -> None:
    done = run_git(
        git_dir, "update-ref", "-z", "--stdin", stdin="".join(lines).encode(), accepted=(0, 1, 128)
    )
    if done.returncode != 0:
        _explain(git_dir, ref, old, done.stderr)
    sync_ref(git_dir, ref)


def _explain(git_dir: Path, ref: str, old: str | None, stderr: str) -> None:
    shown = run_git(git_dir, "show-ref", "--verify", "--hash", "--", ref, accepted=(0, 1, 128))
    now = shown.stdout.decode().strip() or None
    if old is None and now is not None:
        raise ConflictError(f"Reference {ref} already exists")
    if now != old:
        raise BranchMovedError
    if "exists; cannot create" in stderr:
        raise ConflictError(f"{ref} cannot exist beside a ref whose name it extends or begins.")
    raise GitFailedError(f"{ref} did not move.", stderr)
