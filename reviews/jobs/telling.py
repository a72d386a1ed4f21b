"""Telling others that a discussion changed, in the words that webhooks send."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from hub import events
from reviews.models import Comment, Discussion


def tell(discussion: Discussion, action: str, by: Any, *, comment: Comment | None = None) -> None:
    """A discussion was opened (`create`, with its description) or changed (`update`)."""
    _send(discussion, "discussion", action, comment, by)


def tell_comment(discussion: Discussion, action: str, comment: Comment, by: Any) -> None:
    """A comment was written (`create`), edited or hidden (`update`)."""
    _send(discussion, "discussion.comment", action, comment, by)


def _send(
    discussion: Discussion, scope: str, action: str, comment: Comment | None, by: Any
) -> None:
    events.discussion_changed.send(
        sender=Discussion,
        repository=discussion.repository,
        scope=scope,
        action=action,
        discussion=_discussion(discussion),
        comment=None if comment is None else _comment(discussion, comment),
        actor=by,
    )


def _discussion(row: Discussion) -> dict[str, Any]:
    repository = row.repository
    api = f"{settings.PUBLIC_URL}/{repository.api_path}/discussions/{row.number}"
    shape: dict[str, Any] = {
        "id": f"{row.pk:024x}",
        "num": row.number,
        "title": row.title,
        "status": str(row.status),
        "isPullRequest": row.is_pull_request,
        "author": {"id": str(row.author_id)},
        "url": {"web": _page(row), "api": api},
    }
    if row.is_pull_request:
        merged = {"mergeCommitId": row.merge_oid} if row.merge_oid else {}
        shape["changes"] = {"base": f"refs/heads/{row.target_branch}", **merged}
    return shape


def _comment(discussion: Discussion, row: Comment) -> dict[str, Any]:
    event = row.event
    shape = {
        "id": f"{event.pk:024x}",
        "author": {"id": str(event.actor_id)},
        "hidden": row.hidden_at is not None,
        "url": {"web": f"{_page(discussion)}#event-{event.pk}"},
    }
    return shape if row.hidden_at else shape | {"content": row.body}


def _page(row: Discussion) -> str:
    return f"{settings.PUBLIC_URL}{row.get_absolute_url()}"
