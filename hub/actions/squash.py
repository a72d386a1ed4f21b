"""Forgetting a branch's history: its files stay, as one commit without a parent."""

from __future__ import annotations

from hub.actions import refs
from hub.actions.commits import author_of
from hub.actions.room import require_room
from hub.errors import BadInputError, BranchMovedError
from hub.models import Repository
from hub.policies import Actor


def squash(repository: Repository, actor: Actor, revision: str, *, message: str) -> str:
    """Let the branch or proposal `revision` be one commit of the files it has; return its oid.

    Open pull requests keep their own commits, as does what a tag or another branch names. They
    share no commit with a squashed branch any more, so they conflict until brought up to date.
    Raises: RevisionNotFoundError, UnauthenticatedError, ForbiddenError (a protected branch
    included), BranchMovedError when somebody else was quicker; then nothing has moved.
    """
    if not message.strip():
        raise BadInputError("A squashed history needs a message: say what the files are.")
    store = repository.store()
    ref = refs.target_ref(store, revision)
    refs.require_writable(repository, actor, ref)
    require_room()
    head = store.ref_oid(ref)
    if head is None:
        raise BranchMovedError
    made = store.commit_tree(
        store.tree_oid(head), parents=[], message=message.strip(), author=author_of(actor)
    )
    if made != head:  # asked again within the second: there is nothing left to squash
        refs.move_ref(repository, actor, ref, old=head, new=made)
    return made
