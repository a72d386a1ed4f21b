"""Listens to what features above the hub say: webhooks tell it, and people are told."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models.signals import post_save

from hub import events
from hub.actions import outbox
from hub.extensions import registries
from hub.models import Event, Repository
from hub.tasks import tell_people


def connect() -> None:
    """Called once, when Django has loaded every app."""
    events.discussion_changed.connect(tell_discussion, dispatch_uid="hub.webhooks.discussion")
    post_save.connect(ring_for_people, sender=Event, dispatch_uid="hub.inbox.ring")


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


def ring_for_people(sender: Any, instance: Event, created: bool, **_more: Any) -> None:
    """Something happened that people are told of: a worker does, or the sweeper's later."""
    if created and instance.kind in registries.notable:
        transaction.on_commit(tell_people.delay, robust=True)
