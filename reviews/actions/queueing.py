"""Putting a pull request into the merge queue of its target branch, and taking it out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError, transaction

from hub.errors import AlreadyDecidedError, BranchMovedError, ConflictError, NotFoundError
from hub.jobs.doorbell import ring
from hub.models import Access, Repository
from hub.policies import Actor
from reviews.actions.queue_step import needs_weights
from reviews.actions.requirements import Checklist, asked_of_people
from reviews.changes import change_of
from reviews.jobs.queue import live_entry, record, settle
from reviews.models import Discussion, QueueEntry, QueueState
from reviews.policies import get_pull_request, require_commenter, require_merger
from reviews.tasks import advance_queue


def join_queue(
    pull_request: Discussion,
    actor: Actor,
    *,
    expected_head: str = "",
    weights: Mapping[str, Any] | None = None,
) -> QueueEntry:
    """Have an approved pull request merged as soon as its turn comes and all is met.

    `weights`, a choice of `choice_of`: how its weights are merged where the target has moved them.
    Raises:
        ForbiddenError for whoever may not merge; AlreadyDecidedError.
        BranchMovedError: the head is not the one that the person saw.
        ConflictError: it is queued already, or people have something to do first.
    """
    user = require_merger(actor, pull_request.repository)
    try:
        with transaction.atomic():
            row = get_pull_request(pull_request.repository, pull_request.number, lock=True)
            _require_ready(row, expected_head, weights)
            entry = QueueEntry.objects.create(
                pull_request=row,
                by=user,
                head_oid=row.head_oid,
                weights=None if weights is None else dict(weights),
            )
            record(entry, actor, "joined")
    except IntegrityError:
        message = f"Pull request {pull_request.number} is in the merge queue already."
        raise ConflictError(message) from None
    ring(advance_queue, entry.pk)
    return entry


def _require_ready(row: Discussion, expected_head: str, weights: Mapping[str, Any] | None) -> None:
    """Refuse what waits for people: nobody behind it should wait for them."""
    if row.is_decided:
        raise AlreadyDecidedError(f"Pull request {row.number} is already {row.status}.")
    pushed = row.repository.store().ref_oid(row.ref)
    if expected_head not in {"", row.head_oid} or pushed != row.head_oid:
        raise BranchMovedError
    change = change_of(row)
    waiting = [line for line in asked_of_people(row, change) if line.blocks]
    if waiting:
        raise ConflictError(
            "Not yet: " + " ".join(f"{line.label}: {line.detail}" for line in waiting)
        )
    if weights is None and needs_weights(row.repository, change):
        raise ConflictError(
            f"{row.target_branch} has moved the same weights: choose how they are merged."
        )


def is_ready(repository: Repository, found: Checklist) -> bool:
    """Whether all that is open of a checklist is for machines, or for a way of merging weights."""
    with_weights = needs_weights(repository, found.change)
    return not any(
        line.needs_person and not (line.key == "conflicts" and with_weights) for line in found.lines
    )


def leave_queue(pull_request: Discussion, actor: Actor) -> None:
    """Take a pull request out of the queue: whoever put it there, and whoever may merge.

    Raises: NotFoundError: it is not in the queue; ForbiddenError; AlreadyDecidedError.
    """
    user = require_commenter(actor)
    repository = pull_request.repository
    with transaction.atomic():
        row = get_pull_request(repository, pull_request.number, lock=True)
        entry = live_entry(row)
        if entry is None or entry.by_id != user.pk:
            require_merger(actor, repository)
        if row.is_being_merged:
            raise AlreadyDecidedError(f"Pull request {row.number} is being merged.")
        if entry is None or not settle(entry, QueueState.WITHDRAWN, actor, "left"):
            raise NotFoundError(f"Pull request {row.number} is not in the merge queue.")
    ring(advance_queue, entry.pk)


def may_leave(entry: QueueEntry, actor: Actor) -> bool:
    """Whether `leave_queue` would let this person."""
    if not actor.is_signed_in:
        return False
    return entry.by_id == actor.user.pk or entry.pull_request.repository.may(Access.WRITE)
