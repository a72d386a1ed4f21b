"""Writing the lines of a discussion."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from hub.errors import BadInputError, ConflictError
from hub.models import Event, User
from hub.policies import Actor
from reviews.jobs.telling import tell_comment
from reviews.models import Comment, Discussion, TimelineEvent, TimelineKind
from reviews.policies import get_comment, require_commenter

COMMENT_LIMIT_BYTES = 64 * 1024
TITLE_LIMIT = 256


def check_text(text: str, what: str = "comment") -> str:
    """The text as it may be stored.

    Raises: BadInputError when it is empty or longer than 64 KiB.
    """
    text = text.replace("\r\n", "\n").replace("\x00", "").strip()
    if not text:
        raise BadInputError(f"The {what} is empty: write something first.")
    if len(text.encode()) > COMMENT_LIMIT_BYTES:
        raise BadInputError(f"The {what} is longer than 64 KiB: attach a file instead.")
    return text


def check_title(title: str) -> str:
    title = " ".join(title.replace("\x00", "").split())
    if not title:
        raise BadInputError("The title is empty: say in a few words what this is about.")
    if len(title) > TITLE_LIMIT:
        raise BadInputError(f"The title is longer than {TITLE_LIMIT} characters: shorten it.")
    return title


@transaction.atomic
def add_comment(
    discussion: Discussion, actor: Actor, body: str, *, about: dict[str, str] | None = None
) -> TimelineEvent:
    """Say something in a discussion; `about` names the part that it is about, as {kind: name}."""
    user = require_commenter(actor)
    comment = write_comment(discussion, user, check_text(body), about)
    tell_comment(discussion, "create", comment, user)
    Event.objects.create(
        repository=discussion.repository,
        actor=user,
        kind="discussion.commented",
        path=f"{discussion.get_absolute_url()}#event-{comment.event_id}"[:300],
        data={"number": discussion.number, "comment": comment.event_id},
    )
    return comment.event


def write_comment(
    discussion: Discussion, by: User, text: str, about: dict[str, str] | None = None
) -> Comment:
    """The rows of a comment, of which nobody is told yet."""
    data = {"about": about} if about else {}
    event = TimelineEvent.objects.record(discussion, TimelineKind.COMMENT, by, **data)
    return Comment.objects.create(event=event, body=text)


@transaction.atomic
def edit_comment(discussion: Discussion, actor: Actor, event_id: int, body: str) -> TimelineEvent:
    """Replace the text of one's comment; the earlier text is kept."""
    comment = get_comment(discussion, actor, event_id, lock=True)
    if comment.hidden_at:
        raise ConflictError("This comment is hidden: write a new one.")
    comment.history = [*comment.history, comment.body]
    comment.body, comment.edited_at = check_text(body), timezone.now()
    comment.save()
    tell_comment(discussion, "update", comment, actor.user)
    return comment.event


@transaction.atomic
def hide_comment(discussion: Discussion, actor: Actor, event_id: int) -> TimelineEvent:
    """Hide a comment for good."""
    comment = get_comment(discussion, actor, event_id, lock=True)
    comment.hidden_at = comment.hidden_at or timezone.now()
    comment.save()
    tell_comment(discussion, "update", comment, actor.user)
    return comment.event
