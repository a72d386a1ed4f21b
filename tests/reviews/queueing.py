"""What workers do for a merge queue when their doorbell rings."""

from __future__ import annotations

from typing import Any

from hub.models import Access, Repository, User
from reviews.actions.queueing import join_queue
from reviews.jobs.queue import advance, first_ones
from reviews.models import Discussion, QueueEntry
from tests.factories import actor, make_repository
from tests.reviews.factories import make_maintainer, make_pull_request


def work() -> None:
    """Every queue is gone through until its first entry has to wait."""
    for entry_id in first_ones():
        advance(entry_id)


def held(row: Discussion, access: Access = Access.ADMIN) -> Discussion:
    """The row as it is now, in a repository that somebody holds."""
    found = Discussion.objects.select_related("repository__namespace", "author").get(pk=row.pk)
    found.repository.access = access
    return found


def queued(row: Discussion, by: User | None = None, **given: Any) -> QueueEntry:
    """Put a pull request into its queue; the doorbell is not heard yet."""
    return join_queue(held(row), actor(by or make_maintainer(row.repository)), **given)


def proposals(count: int, **more: Any) -> tuple[Repository, list[Discussion]]:
    """Pull requests that each add a file of their own to one repository."""
    repository = make_repository(**more)
    return repository, [
        make_pull_request(repository, files={f"{number}.txt": b"x\n"}) for number in range(count)
    ]


def outcome(entry: QueueEntry) -> tuple[str, str]:
    """State and the code of the reason."""
    entry.refresh_from_db()
    return entry.state, entry.reason.get("code", "")
