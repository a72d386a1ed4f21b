"""Rows in the words that huggingface_hub reads (protocol: discussions and pull requests)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hub.rendering import render_markdown
from reviews.changes import change_of, merge_tree
from reviews.models import Discussion, TimelineEvent, TimelineKind


def moment(at: datetime) -> str:
    """`2026-01-31T12:00:00.000Z`: milliseconds and Z, the only form the client reads."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def person(user: Any) -> dict[str, Any]:
    return {"name": user.username if user else "ghost"}


def discussion(row: Discussion) -> dict[str, Any]:
    """A line of the list, and the head of the details."""
    repository = row.repository
    return {
        "title": row.title,
        "num": row.number,
        "status": row.status,
        "author": person(row.author),
        "createdAt": moment(row.created_at),
        "repo": {"name": repository.repo_id, "type": repository.kind},
        "isPullRequest": row.is_pull_request,
    }


def event(row: TimelineEvent) -> dict[str, Any]:
    """One line of the details; a comment with its text and history."""
    data = dict(row.data)
    if row.kind == TimelineKind.COMMENT:
        comment = row.comment
        hidden = comment.hidden_at is not None
        data = {
            "edited": comment.edited_at is not None,
            "hidden": hidden,
            "latest": {
                "raw": "" if hidden else comment.body,
                "html": "" if hidden else render_markdown(comment.body),
                "updatedAt": moment(comment.edited_at or row.created_at),
                "author": person(row.actor),
            },
            "history": [] if hidden else list(comment.history),
        }
    return {
        "id": f"{row.pk:024x}",
        "type": row.kind,
        "createdAt": moment(row.created_at),
        "author": person(row.actor),
        "data": data,
    }


def details(row: Discussion, *, with_diff: bool) -> dict[str, Any]:
    """Everything about one discussion; a pull request with its changes and conflicts."""
    lines = row.timeline.select_related("actor", "comment")
    shape = discussion(row) | {"events": [event(line) for line in lines]}
    if not row.is_pull_request:
        return shape
    change = change_of(row)
    _tree, conflicts = merge_tree(row, change.base_oid, change.head_oid)
    shape |= {
        "changes": {
            "base": row.target_branch,
            **({"mergeCommitId": row.merge_oid} if row.merge_oid else {}),
        },
        "filesWithConflicts": [] if row.is_decided else conflicts,
        "diff": None,
    }
    if with_diff:
        store = row.repository.store()
        start = store.merge_base(change.base_oid, change.head_oid) or change.base_oid
        shape["diff"] = store.patch(start, change.head_oid, limit_bytes=1024 * 1024)
    return shape
