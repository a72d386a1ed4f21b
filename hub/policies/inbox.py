"""What somebody was told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.models import Notification
from hub.models.prepared import Prepared
from hub.policies.actors import Actor, asker, keys_of
from hub.policies.repositories import seen_repositories

if TYPE_CHECKING:
    from hub.models.inbox import NotificationQuerySet


COUNTED = 100
# Asked by every page of somebody who is signed in.
_UNREAD = Prepared(
    lambda **who: (
        visible_notifications(asker(**who))
        .unread()
        .order_by()
        .values_list("pk", flat=True)[:COUNTED]
    )
)


def count_unread(actor: Actor) -> int:
    """How many unread things the one who asks has, COUNTED at most."""
    return len(_UNREAD(**keys_of(actor))) if actor.person else 0


def visible_notifications(actor: Actor) -> NotificationQuerySet:
    """What the one who asks was told, of what they may still read."""
    return Notification.objects.of(actor.user, seen_repositories(actor))
