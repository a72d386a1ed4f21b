"""A person's own undecided proposals, for the page that says what is new for them."""

from __future__ import annotations

from typing import Any

from hub.models import CommitStatus, User
from hub.models.repositories import RepositoryQuerySet
from reviews.models import Discussion

SHOWN = 6


def own_pull_requests(user: User, seen: RepositoryQuerySet) -> list[dict[str, Any]]:
    """Those that wait for a person's review, then their own; each with what its gate said of the
    head that it has now."""
    rows = Discussion.objects.pull_requests().open()
    rows = rows.filter(repository__in=seen.values("pk"))
    rows = rows.select_related("repository__namespace")
    asked = list(rows.filter(review_requests__person=user).order_by("-pk")[:SHOWN])
    found = asked + list(rows.filter(author=user).order_by("-pk")[:SHOWN])
    weighed = CommitStatus.objects.filter(
        context="gate",
        repository__in={row.repository_id for row in found},
        oid__in=[row.head_oid for row in found],
    )
    states = {(one.repository_id, one.oid): one.state for one in weighed.order_by("updated_at")}
    return [
        {
            "title": row.title,
            "number": row.number,
            "url": row.get_absolute_url(),
            "repo_id": row.repository.repo_id,
            "state": states.get((row.repository_id, row.head_oid), ""),
            "is_draft": row.is_draft,
            "is_asked": place < len(asked),
        }
        for place, row in enumerate(found)
    ]
