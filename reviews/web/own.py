"""A person's own undecided proposals, for the page that says what is new for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hub.models import CommitStatus
from hub.models.prepared import Prepared
from hub.policies import Actor, asker, keys_of, seen_repositories
from reviews.models import Discussion

if TYPE_CHECKING:
    from django.db.models import QuerySet

SHOWN = 6


def _undecided(**who: int) -> QuerySet[Discussion]:
    rows = Discussion.objects.pull_requests().open().select_related("repository__namespace")
    seen = seen_repositories(asker(**who)).values("pk")
    return rows.filter(repository__in=seen).order_by("-pk")


_ASKED = Prepared(
    lambda person, **token: _undecided(person=person, **token).filter(
        review_requests__person=person
    )[:SHOWN]
)
_OWN = Prepared(
    lambda person, **token: _undecided(person=person, **token).filter(author=person)[:SHOWN]
)


def own_pull_requests(actor: Actor) -> list[dict[str, Any]]:
    """Those that wait for a person's review, then their own; each with what its gate said of the
    head that it has now."""
    asked = _ASKED(**keys_of(actor))
    found = asked + _OWN(**keys_of(actor))
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
