"""Opening, renaming, closing and reopening discussions."""

from __future__ import annotations

from django.db import transaction

from hub.errors import AlreadyDecidedError, BadInputError, ConflictError
from hub.models import Event, Repository
from hub.policies import Actor
from reviews.actions.timeline import add_comment, check_text, check_title, write_comment
from reviews.jobs.queue import settle_closed
from reviews.jobs.telling import tell
from reviews.models import (
    Discussion,
    DiscussionStatus,
    TimelineEvent,
    TimelineKind,
)
from reviews.policies import require_commenter, require_steward


@transaction.atomic
def open_discussion(
    repository: Repository, actor: Actor, *, title: str, description: str
) -> Discussion:
    """Start a discussion; its description is the first comment."""
    user = require_commenter(actor)
    number = Repository.objects.next_number(repository.pk, "last_discussion_number")
    discussion = Discussion.objects.create(
        repository=repository, number=number, title=check_title(title), author=user
    )
    comment = None
    if description.strip():
        comment = write_comment(discussion, user, check_text(description))
    tell(discussion, "create", user, comment=comment)
    Event.objects.create(
        repository=repository,
        actor=user,
        kind="discussion.opened",
        path=discussion.get_absolute_url(),
        data={"number": number, "title": discussion.title},
    )
    return discussion


@transaction.atomic
def rename(discussion: Discussion, actor: Actor, title: str) -> TimelineEvent:
    """Give a discussion another title."""
    user = require_steward(actor, discussion)
    old, new = discussion.title, check_title(title)
    Discussion.objects.filter(pk=discussion.pk).update(title=new)
    discussion.title = new
    tell(discussion, "update", user)
    return TimelineEvent.objects.record(
        discussion, TimelineKind.TITLE, user, **{"from": old, "to": new}
    )


@transaction.atomic
def change_status(
    discussion: Discussion, actor: Actor, status: str, *, comment: str = ""
) -> TimelineEvent:
    """Close, reopen, or publish a draft.

    Raises: AlreadyDecidedError for merged ones, ConflictError when it is in that state already.
    """
    user = require_steward(actor, discussion)
    if status not in {DiscussionStatus.OPEN, DiscussionStatus.CLOSED}:
        raise BadInputError(f"“{status}” is no status to set: use open or closed.")
    current = Discussion.objects.select_for_update().get(pk=discussion.pk)
    if current.status == DiscussionStatus.MERGED:
        raise AlreadyDecidedError(f"Number {current.number} is merged: open a new one.")
    if current.is_being_merged:
        raise AlreadyDecidedError(f"Number {current.number} is being merged.")
    if current.status == status:
        raise ConflictError(f"Number {current.number} is already {status}.")
    closed = status == DiscussionStatus.CLOSED
    current.status, current.decided_by = status, user if closed else None
    current.save(update_fields=["status", "decided_by"])
    discussion.status = status
    if closed:
        settle_closed(discussion, actor)
    event = TimelineEvent.objects.record(discussion, TimelineKind.STATUS, user, status=str(status))
    Event.objects.create(
        repository=discussion.repository,
        actor=user,
        kind="discussion.closed" if closed else "discussion.reopened",
        path=discussion.get_absolute_url(),
        data={"number": discussion.number},
    )
    tell(discussion, "update", user)
    if comment.strip():
        add_comment(discussion, actor, comment)
    return event
