"""A person's own live runs, for the page that says what is new for them."""

from __future__ import annotations

from typing import Any

from hub.models import User
from hub.models.repositories import RepositoryQuerySet
from training.models import Run

SHOWN = 6


def own_runs(user: User, seen: RepositoryQuerySet) -> list[dict[str, Any]]:
    """Those that wait or run, the newest first."""
    rows = Run.objects.live().filter(created_by=user)
    rows = rows.filter(repository__in=seen.values("pk"))
    return [
        {
            "title": row.heading,
            "number": row.number,
            "url": row.get_absolute_url(),
            "repo_id": row.repository.repo_id,
            "status": row.status,
        }
        for row in rows.select_related("repository__namespace").order_by("-pk")[:SHOWN]
    ]
