"""What somebody was told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.models import Notification
from hub.policies.actors import Actor
from hub.policies.repositories import seen_repositories

if TYPE_CHECKING:
    from hub.models.inbox import NotificationQuerySet


def visible_notifications(actor: Actor) -> NotificationQuerySet:
    """What the one who asks was told, of what they may still read."""
    return Notification.objects.of(actor.user, seen_repositories(actor))
