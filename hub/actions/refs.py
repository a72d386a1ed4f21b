"""Branches, tags and heads of pull requests: who may move them, and what follows when one moves.

Every move goes the same way: rows first, then git's compare-and-swap, then the commit of the
transaction. When git refuses, the rows roll back; when the database fails after git moved, the
head in git is the truth and `hub.tasks.tidy` brings the derived columns up to it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from django.db import transaction

from hub import events
from hub.actions import audit, outbox
from hub.actions.room import require_room
from hub.errors import (
    BadInputError,
    BranchMovedError,
    ConflictError,
    ForbiddenError,
    RevisionNotFoundError,
    TooLargeError,
    UnauthenticatedError,
)
from hub.gitstore import GitStore, check_ref_name
from hub.gitstore.receive import REFS_LIMIT
from hub.jobs.doorbell import ask
from hub.jobs.refresh import apply, derive
from hub.models import Access, BranchProtection, Repository
from hub.policies import Actor, may_write_ref
from hub.tasks import index_history, scan_files

BRANCH, TAG, PROPOSAL = "refs/heads/", "refs/tags/", "refs/pr/"


@dataclass(frozen=True)
class RefChange:
    """A ref that moved: `old` None when it is new, `new` None when it is gone."""

    ref: str
    old: str | None
    new: str | None


def target_ref(store: GitStore, revision: str) -> str:
    """The full name of the branch or proposal that `revision` names, which commits may go to.

    Raises: RevisionNotFoundError for a commit, a tag, or what is not there.
    """
    ref = revision if revision.startswith((BRANCH, PROPOSAL)) else f"{BRANCH}{revision}"
    try:
        found = store.ref_oid(check_ref_name(ref))
    except BadInputError:
        found = None
    if found is None:
        raise RevisionNotFoundError(f"There is no branch {revision[:200]!r} here.")
    return ref


def is_protected(repository: Repository, ref: str) -> bool:
    branch = ref.removeprefix(BRANCH)
    return BranchProtection.objects.of_branch(repository, branch) is not None


def require_writable(repository: Repository, actor: Actor, ref: str) -> None:
    """Refuse whoever may not move `ref` by hand.

    Raises: UnauthenticatedError, ForbiddenError; also for everyone on a protected branch.
    """
    if not actor.is_signed_in:
        raise UnauthenticatedError(f"Sign in to change {repository.repo_id}.")
    if not may_write_ref(actor, repository, ref):
        need = Access.WRITE.label.lower()
        raise ForbiddenError(
            f"This needs {need} access to {repository.repo_id}: "
            "open a pull request instead (create_pr=1)."
        )
    if ref.startswith(BRANCH) and is_protected(repository, ref):
        branch = ref.removeprefix(BRANCH)
        raise ForbiddenError(f"{branch} is protected: open a pull request (create_pr=1).")


def lock(repository: Repository) -> None:
    """One writer of a repository's rows at a time, so that the derived columns never go back."""
    Repository.objects.only("pk").locked(repository.pk)


@transaction.atomic
def move_ref(
    repository: Repository, actor: Actor | None, ref: str, *, old: str | None, new: str | None
) -> None:
    """Let `ref` name `new` (None: be gone) if it names `old` now, and record it.

    The caller has asked `require_writable`, or merges a pull request. Raises: BranchMovedError,
    ConflictError; then nothing has moved.
    """
    lock(repository)
    store = repository.store()
    if old is not None and store.ref_oid(ref) != old:
        raise BranchMovedError  # git would say so too, after all that is to be recorded
    _record(repository, actor, RefChange(ref, old, new))
    outbox.refs_moved(repository, [(ref, old, new)])
    if new is None:
        store.delete_ref(ref, old=old or "")
    else:
        store.move_ref(ref, new=new, old=old)


@transaction.atomic
def pushed(repository: Repository, actor: Actor, changes: Iterable[RefChange]) -> None:
    """Record what a git push has moved already."""
    lock(repository)
    moved = list(changes)
    for change in moved:
        _record(repository, actor, change)
    outbox.refs_moved(repository, [(one.ref, one.old, one.new) for one in moved])
    # One push may bring any number of commits; those of the API come one at a time.
    ask(index_history, repository.pk)


def _record(repository: Repository, actor: Actor | None, change: RefChange) -> None:
    old, new = change.old or "", change.new or ""
    subject = f"{repository.kind} {repository.repo_id} {change.ref}"
    audit.record(actor, "ref.move", subject, old=old, new=new, about=repository)
    is_default = change.ref == f"{BRANCH}{repository.default_branch}"
    if is_default and new:
        apply(repository, derive(repository, new))
    # Files of other branches are looked into when somebody looks at them.
    if new and (is_default or change.ref.startswith(PROPOSAL)):
        ask(scan_files, repository.pk, new)
    if not change.ref.startswith(PROPOSAL):
        kind, path = ("revision.pushed", f"/{repository.path}/commit/{new}")
        if not new:
            kind, path = ("revision.removed", "")
        audit.announce(repository, actor, kind, path=path, ref=change.ref, old=old, new=new)
    user = actor.person if actor else None
    told = {"repository": repository, "ref": change.ref, "old": old, "new": new, "actor": user}
    transaction.on_commit(partial(events.revision_pushed.send_robust, Repository, **told))


def create_branch(
    repository: Repository, actor: Actor, name: str, *, starting_point: str = ""
) -> str:
    """Create a branch at `starting_point` (the default branch) and return its commit's oid.

    Raises: BadInputError, RevisionNotFoundError, ConflictError when it exists.
    """
    ref = check_ref_name(f"{BRANCH}{name.removeprefix(BRANCH)}")
    return _create(repository, actor, ref, starting_point or repository.default_branch)


def create_tag(repository: Repository, actor: Actor, name: str, *, revision: str) -> str:
    """Create a tag on `revision` and return its commit's oid. Raises: see `create_branch`."""
    return _create(repository, actor, check_ref_name(f"{TAG}{name.removeprefix(TAG)}"), revision)


def _create(repository: Repository, actor: Actor, ref: str, revision: str) -> str:
    require_writable(repository, actor, ref)
    require_room()
    store = repository.store()
    oid = store.resolve(revision)
    known = [one.name.lower() for one in store.refs()]
    # Names that differ in case only would collide on some of our users' disks (threat G1).
    if ref.lower() in known:
        raise ConflictError(f"Reference {ref} already exists")
    if len(known) >= REFS_LIMIT:
        raise TooLargeError(f"A repository holds at most {REFS_LIMIT} refs: delete some first.")
    move_ref(repository, actor, ref, old=None, new=oid)
    return oid


def delete_branch(repository: Repository, actor: Actor, name: str) -> None:
    """Remove a branch. Raises: ForbiddenError for the default one, RevisionNotFoundError."""
    ref = f"{BRANCH}{name.removeprefix(BRANCH)}"
    if ref == f"{BRANCH}{repository.default_branch}":
        raise ForbiddenError(f"Cannot delete {ref}: it is the default branch.")
    _delete(repository, actor, ref, name)


def delete_tag(repository: Repository, actor: Actor, name: str) -> None:
    """Remove a tag. Raises: RevisionNotFoundError."""
    _delete(repository, actor, f"{TAG}{name.removeprefix(TAG)}", name)


def _delete(repository: Repository, actor: Actor, ref: str, name: str) -> None:
    require_writable(repository, actor, ref)
    try:
        oid = repository.store().ref_oid(check_ref_name(ref))
    except BadInputError:
        oid = None
    if oid is None:
        raise RevisionNotFoundError(f"Invalid rev id: {name[:200]}")
    move_ref(repository, actor, ref, old=oid, new=None)
