"""What the one who looks hears of a repository or a thread, for the menu that changes it."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from hub.models import Listening, Repository, Subscription
from hub.models.prepared import Prepared
from hub.policies import Actor

_LEVELS = Prepared(
    lambda person, repository, thread: (
        Subscription.objects.filter(user=person, repository=repository, thread=thread)
        .order_by()
        .values_list("level", flat=True)
    )
)


def listening(actor: Actor, repository: Repository, thread: str = "") -> dict[str, Any] | None:
    """The choice now, and the others; None for whoever is not signed in."""
    if actor.person is None:
        return None
    levels = _LEVELS(person=actor.person.pk, repository=repository.pk, thread=thread)
    level = next(iter(levels), "")
    usual = _("What concerns me")
    return {
        "url": f"{repository.get_absolute_url()}/listen",
        "thread": thread,
        "level": level,
        "word": Listening(level).label if level else usual,
        "choices": [("", usual), *Listening.choices],
    }
