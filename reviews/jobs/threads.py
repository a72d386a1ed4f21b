"""What people's inboxes need to know of discussions and pull requests."""

from __future__ import annotations

from typing import Any

from hub.extensions import Notable, Threads
from hub.models import Event, Reason, Repository
from reviews.models import Discussion, ReviewRequest, TimelineEvent, TimelineKind

FOLDER = "discussions"
NOTABLE = {
    **{
        kind: Notable(FOLDER)
        for kind in (
            "discussion.opened",
            "discussion.commented",
            "discussion.closed",
            "discussion.reopened",
            "pull_request.opened",
            "pull_request.approve",
            "pull_request.request_changes",
            "pull_request.comment",
            "pull_request.merged",
        )
    },
    "review.asked": Notable(FOLDER, only_asked=True),
    # A queue ejects on behalf of whoever put the proposal there.
    "queue.ejected": Notable(FOLDER, reason=str(Reason.AUTHOR), by_machine=True),
}
# Who only pushed, or stood in a queue, has said nothing.
_SAID = (TimelineKind.COMMENT, TimelineKind.REVIEW, TimelineKind.STATUS)


def participants(repository: Repository, number: int) -> dict[int, str]:
    """The author, everyone who said or decided something, and who was asked to."""
    rows = Discussion.objects.filter(repository=repository, number=number)
    author = rows.values_list("author", flat=True).first()
    lines = TimelineEvent.objects.filter(
        discussion__repository=repository, discussion__number=number, kind__in=_SAID
    )
    people = lines.exclude(actor=None).order_by().values_list("actor", flat=True).distinct()
    asked = ReviewRequest.objects.filter(
        pull_request__repository=repository, pull_request__number=number
    )
    found = dict.fromkeys([*people, *asked.values_list("person", flat=True)], str(Reason.COMMENT))
    return found if author is None else found | {author: str(Reason.AUTHOR)}


def asked(event: Event) -> dict[int, str]:
    """Who was asked for a review."""
    key = event.data.get("person") if event.kind == "review.asked" else None
    return {} if key is None else {key: str(Reason.REVIEW)}


def title(repository: Repository, number: int) -> str:
    rows = Discussion.objects.filter(repository=repository, number=number)
    return rows.values_list("title", flat=True).first() or ""


def said(event: Event) -> str:
    """The text that an event is about: a comment, a review, or the words that opened a thread."""
    lines = TimelineEvent.objects.filter(
        discussion__repository=event.repository_id, discussion__number=event.data["number"]
    )
    if key := event.data.get("comment"):
        return _body(lines.filter(pk=key).select_related("comment").first())
    if event.kind.endswith(".opened"):
        first = lines.order_by("pk").select_related("comment").first()
        return _body(first) if first and first.kind == TimelineKind.COMMENT else ""
    if key := event.data.get("review"):
        line = lines.filter(pk=key).first()
        return str(line.data.get("body", "")) if line else ""
    return ""


def _body(line: Any) -> str:
    return "" if line is None or line.comment.hidden_at else line.comment.body


THREADS = Threads(participants=participants, title=title, said=said, asked=asked)
