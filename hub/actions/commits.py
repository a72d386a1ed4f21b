"""Commits made by the API and the pages: checked, built in git, put on a branch or proposed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from hub import extensions
from hub.actions import large_files, refs
from hub.actions.room import require_room
from hub.errors import (
    BadInputError,
    BranchMovedError,
    EntryNotFoundError,
    TooLargeError,
)
from hub.extensions import Proposal
from hub.formats.card import validate_card
from hub.gitstore import (
    AddFile,
    Author,
    GitStore,
    Operation,
    check_message,
    pointers_named,
)
from hub.models import Repository
from hub.policies import Actor, require_proposer

# Writers who name no parent take turns; this many lost races in a row are a busy branch.
ATTEMPTS = 8
# Clients send a request again whose answer they missed, for a minute or so.
RESENT_WITHIN = timedelta(minutes=10)
NEWEST_PROPOSALS = 5
CARD = "README.md"


@dataclass(frozen=True)
class Committed:
    """The commit, and the pull request that was opened for it, if any."""

    oid: str
    proposal: Proposal | None = None


@dataclass(frozen=True)
class _Draft:
    """All of a commit but its parent."""

    operations: Sequence[Operation]
    message: str
    author: Author

    def build(self, store: GitStore, parent: str) -> str:
        """The oid of the commit on `parent`; `parent` itself when nothing changes."""
        tree = store.write_tree_on(parent, self.operations)
        if tree == store.tree_oid(parent):
            return parent
        return store.commit_tree(tree, parents=[parent], message=self.message, author=self.author)

    def is_already(
        self, store: GitStore, head: str, parent: str, *, within: timedelta = timedelta.max
    ) -> bool:
        """Whether `head` is this very commit on `parent`: the answer to it was lost.

        `parent` may be abbreviated, to nothing too; `within` says how long ago it may have been.
        """
        found = store.commit_info(head)
        if len(found.parents) != 1 or not found.parents[0].startswith(parent):
            return False
        if timezone.now() - found.committed_at > within:
            return False
        message = f"{found.subject}\n\n{found.body}".strip()
        if (message, found.author) != (self.message.strip(), self.author):
            return False
        return store.write_tree_on(found.parents[0], self.operations) == store.tree_oid(head)


def author_of(actor: Actor) -> Author:
    """How git names a person; their mail address stays private."""
    name = actor.user.get_username()
    return Author(name, f"{name}@users.noreply.{settings.PUBLIC_HOST}")


def commit_files(
    repository: Repository,
    actor: Actor,
    *,
    revision: str,
    operations: Sequence[Operation],
    title: str,
    description: str = "",
    parent: str | None = None,
    create_pr: bool = False,
) -> Committed:
    """Commit `operations` to the branch or proposal `revision`, or open a pull request for it.

    `parent`, full or abbreviated, is where the caller believes the branch to be. Without it the
    commit lands on whatever the head is. When nothing changes, the head comes back.
    Raises:
        RevisionNotFoundError: no such branch. ForbiddenError, UnauthenticatedError: see `refs`.
        BranchMovedError: the head is not `parent`, or the branch is too busy.
        BadInputError, TooLargeError, UnprocessableError, EntryNotFoundError: the operations.
    """
    store = repository.store()
    ref = refs.target_ref(store, revision)
    if create_pr:
        require_proposal(repository, actor, ref)
    else:
        refs.require_writable(repository, actor, ref)
    require_room()
    message = f"{title.strip()}\n\n{description}".strip()
    check_message(message)
    _check(repository, operations, title, parent)
    draft = _Draft(operations, message, author_of(actor))
    if create_pr:
        return _propose(repository, actor, ref, draft, title, description, parent)
    return Committed(_put(repository, actor, ref, draft, parent))


def require_proposal(repository: Repository, actor: Actor, ref: str) -> None:
    """Raises: UnauthenticatedError, ForbiddenError; BadInputError when `ref` is no branch."""
    require_proposer(actor, repository)
    if not ref.startswith(refs.BRANCH):
        raise BadInputError("A pull request starts from a branch: name one, such as main.")


def _check(
    repository: Repository, operations: Sequence[Operation], title: str, parent: str | None
) -> None:
    if not title.strip():
        raise BadInputError("A commit needs a summary: say in a few words what changes.")
    if parent is not None and not re.fullmatch(r"[0-9a-f]{5,40}", parent):
        raise BadInputError("parentCommit is 5 to 40 hex digits of a commit id.")
    limit = settings.COMMIT_OPERATIONS_LIMIT
    if len(operations) > limit:
        raise TooLargeError(f"One commit changes at most {limit} paths: split it into several.")
    large_files.require_pointers(repository, pointers_named(operations))
    for operation in operations:
        if isinstance(operation, AddFile) and operation.path == CARD:
            _require_card_size(operation.size_bytes)
            check_card(repository, operation.read())


def _require_card_size(size_bytes: int) -> None:
    if size_bytes > settings.CARD_LIMIT_BYTES:
        raise TooLargeError(f"{CARD} holds at most {settings.CARD_LIMIT_BYTES} bytes.")


def check_card(repository: Repository, content: bytes) -> None:
    """Refuse a README.md whose metadata is broken. Raises: BadInputError, TooLargeError."""
    _require_card_size(len(content))
    problems, _warnings = validate_card(content, repository.kind)
    if problems:
        raise BadInputError(f"The metadata of {CARD} is invalid: {'; '.join(problems)[:1000]}")


def _put(repository: Repository, actor: Actor, ref: str, draft: _Draft, parent: str | None) -> str:
    """The oid of the commit that `draft` became on `ref`; it may have been there already."""
    for attempt in range(ATTEMPTS):
        with _turn(repository, alone=attempt > 0), suppress(_LostError):
            return _try(repository, actor, ref, draft, parent)
    raise BranchMovedError


class _LostError(Exception):
    """Somebody else moved the branch between our look at it and our move."""


@contextmanager
def _turn(repository: Repository, *, alone: bool) -> Iterator[None]:
    """Room for one try. Who has lost a race goes on `alone`: no commit moves a ref meanwhile."""
    with transaction.atomic() if alone else nullcontext():
        if alone:
            refs.lock(repository)
        yield


def _try(repository: Repository, actor: Actor, ref: str, draft: _Draft, parent: str | None) -> str:
    store = repository.store()
    head = store.ref_oid(ref)
    if head is None:
        raise BranchMovedError
    if parent is not None and not head.startswith(parent):
        if draft.is_already(store, head, parent):
            return head
        raise BranchMovedError
    try:
        oid = draft.build(store, head)
    except EntryNotFoundError:
        # What it deletes may be gone because it was here before.
        if parent is None and draft.is_already(store, head, "", within=RESENT_WITHIN):
            return head
        raise
    if oid == head:
        return head
    try:
        refs.move_ref(repository, actor, ref, old=head, new=oid)
    except BranchMovedError as error:
        raise _LostError from error
    return oid


def _propose(
    repository: Repository,
    actor: Actor,
    ref: str,
    draft: _Draft,
    title: str,
    description: str,
    parent: str | None,
) -> Committed:
    store = repository.store()
    base = store.resolve(ref)
    if parent is not None and not base.startswith(parent):
        older = store.resolve(parent)
        if not store.is_ancestor(older, base):
            raise BranchMovedError
        base = older
    oid = draft.build(store, base)
    if oid == base:
        raise BadInputError("This changes nothing, so there is nothing to propose.")
    if found := _proposed_already(repository, actor, draft, base):
        return found
    proposal = extensions.propose(
        repository,
        by=actor.user,
        title=title.strip()[:256],
        description=description,
        head_oid=oid,
        target_branch=ref.removeprefix(refs.BRANCH),
    )
    return Committed(oid, proposal)


def _proposed_already(
    repository: Repository, actor: Actor, draft: _Draft, base: str
) -> Committed | None:
    """The open pull request that this very request has made, when the answer to it was lost."""
    store = repository.store()
    numbers = [int(one.short_name) for one in store.refs() if one.name.startswith(refs.PROPOSAL)]
    for number in sorted(numbers)[-NEWEST_PROPOSALS:]:
        head = store.resolve(f"{refs.PROPOSAL}{number}")
        if draft.is_already(store, head, base, within=RESENT_WITHIN):
            change = extensions.registries.find_change(repository, number)
            if change and change.author_id == actor.user.pk:
                return Committed(head, Proposal(number, change.path, f"{refs.PROPOSAL}{number}"))
    return None
