"""Listens to what features above the hub say, and webhooks tell."""

from __future__ import annotations

from typing import Any

from hub import events
from hub.actions import outbox
from hub.models import Repository


def connect() -> None:
    """Called once, when Django has loaded every app."""
    events.discussion_changed.connect(tell_discussion, dispatch_uid="hub.webhooks.discussion")


def tell_discussion(
    sender: Any,
    repository: Repository,
    scope: str,
    action: str,
    discussion: dict[str, Any],
    comment: dict[str, Any] | None,
    **_more: Any,
) -> None:
    outbox.discussed(repository, scope, action, discussion, comment)
