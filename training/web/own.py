"""A person's own live runs, for the page that says what is new for them."""

from __future__ import annotations

from typing import Any

from hub.models.prepared import Prepared
from hub.policies import Actor, asker, keys_of, seen_repositories
from training.models import Run

SHOWN = 6


_LIVE = Prepared(
    lambda person, **token: (
        Run.objects.live()
        .filter(created_by=person)
        .filter(repository__in=seen_repositories(asker(person, **token)).values("pk"))
        .select_related("repository__namespace")
        .order_by("-pk")[:SHOWN]
    )
)


def own_runs(actor: Actor) -> list[dict[str, Any]]:
    """Those that wait or run, the newest first."""
    return [
        {
            "title": row.heading,
            "number": row.number,
            "url": row.get_absolute_url(),
            "repo_id": row.repository.repo_id,
            "status": row.status,
        }
        for row in _LIVE(**keys_of(actor))
    ]
