"""Merging: one function, bound to exact oids, that survives a crash between git and the database.

Order (threats M2, section 10): intent row, compare-and-swap of the branch, state. What a crash
leaves behind is settled by `jobs.reconcile`, which looks at the branch.
"""

from __future__ import annotations

from django.db import IntegrityError, transaction

from hub.actions import refs
from hub.actions.commits import author_of
from hub.actions.room import require_room
from hub.errors import (
    AlreadyDecidedError,
    BranchMovedError,
    ConflictError,
    MergeConflictError,
)
from hub.extensions import Change, registries
from hub.gitstore import AddFile
from hub.models import Repository, User
from hub.policies import Actor
from reviews.actions.requirements import checklist
from reviews.actions.weights import request_comparison, sides_of
from reviews.changes import change_of, merge_tree
from reviews.jobs.pushes import record_push
from reviews.jobs.settling import drop, finish
from reviews.models import Discussion, Merge, QueueEntry
from reviews.policies import get_pull_request, require_merger


def merge_pull_request(
    pull_request: Discussion,
    actor: Actor,
    *,
    expected_head: str = "",
    expected_base: str = "",
    message: str = "",
    queued: QueueEntry | None = None,
) -> str:
    """Merge an open pull request into its target branch and return the merge commit's oid.

    `queued`: the place in the merge queue that it is merged for, while the caller's claim holds.
    Raises:
        AlreadyDecidedError: it was merged or closed in the meantime, or is being merged.
        BranchMovedError: head or base are not those that the person saw.
        MergeConflictError: both sides changed the same files; nothing has moved.
        ConflictError: a requirement is not met; the sentence names it.
    """
    repository = pull_request.repository
    user = require_merger(actor, repository)
    require_room()
    record_push(repository, pull_request.number, by=user)
    _ask_for_weights(repository, pull_request.number)
    merge = _intend(pull_request, actor, user, expected_head, expected_base, message, queued)
    try:
        refs.move_ref(
            repository,
            actor,
            f"{refs.BRANCH}{pull_request.target_branch}",
            old=merge.base_oid,
            new=merge.merge_oid,
        )
    except BranchMovedError:
        drop(merge)
        raise
    finish(merge, token_hint=actor.token.hint if actor.token else "")
    return merge.merge_oid


def _ask_for_weights(repository: Repository, number: int) -> None:
    """Have the weights of what would land read, if nobody has asked: a refusal of the merge would
    take back what the checklist asks for."""
    change = change_of(get_pull_request(repository, number))
    if (sides := sides_of(repository, change)) is not None:
        request_comparison(*sides)


@transaction.atomic(durable=True)
def _intend(
    pull_request: Discussion,
    actor: Actor,
    user: User,
    expected_head: str,
    expected_base: str,
    message: str,
    queued: QueueEntry | None,
) -> Merge:
    """Check everything under the row's lock and write down what is about to happen."""
    row = get_pull_request(pull_request.repository, pull_request.number, lock=True)
    if row.is_decided:
        raise AlreadyDecidedError(f"Pull request {row.number} is already {row.status}.")
    if queued is not None and not QueueEntry.objects.held(queued).exists():
        raise ConflictError(f"Pull request {row.number} has left the merge queue.")
    change = change_of(row)
    if expected_head not in {"", change.head_oid} or expected_base not in {"", change.base_oid}:
        raise BranchMovedError
    if change.merge_tree is None:
        _tree, paths = merge_tree(row, change.base_oid, change.head_oid)
        raise MergeConflictError(paths)
    blocking = checklist(row, change).blocking
    if blocking:
        raise ConflictError(
            "Not yet: " + " ".join(f"{line.label}: {line.detail}" for line in blocking)
        )
    try:
        with transaction.atomic():
            return Merge.objects.create(
                pull_request=row,
                by=user,
                head_oid=change.head_oid,
                base_oid=change.base_oid,
                merge_oid=_write_commit(row, change, change.merge_tree, actor, message),
            )
    except IntegrityError:
        raise AlreadyDecidedError(f"Pull request {row.number} is being merged.") from None


def _write_commit(row: Discussion, change: Change, tree: str, actor: Actor, message: str) -> str:
    """The merge commit, on no branch yet: the weighed tree plus what features add to it."""
    store = row.repository.store()
    files: dict[str, bytes] = {}
    for source in registries.merge_files:
        files.update(source(row.repository, change))
    if files:
        tree = store.write_tree_on(tree, [AddFile(path, files[path]) for path in sorted(files)])
    title = f"{row.title} (#{row.number})"
    return store.commit_tree(
        tree,
        parents=[change.base_oid, change.head_oid],
        message=f"{title}\n\n{message.strip()}" if message.strip() else title,
        author=author_of(actor),
    )
