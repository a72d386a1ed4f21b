"""What the hub fills in of its own registries, and what it hears from features above it."""

from __future__ import annotations

from typing import Any

from hub import events
from hub.actions import outbox
from hub.extensions import registries
from hub.models import Repository
from hub.web.tables import viewer_tab


def connect() -> None:
    """Called once, when Django has loaded every app."""
    events.discussion_changed.connect(tell_discussion, dispatch_uid="hub.webhooks.discussion")
    registries.repository_tabs.append(viewer_tab)


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
