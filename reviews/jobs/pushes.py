"""Keeping pull requests in step with their ref."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from hub import events
from hub.models import Repository
from reviews.changes import change_of
from reviews.models import Discussion, PatchSet, TimelineEvent, TimelineKind


def record_push(repository: Repository, number: int, *, by: Any) -> None:
    """Bring the row in step with `refs/pr/number`: a new head is a new patch set.

    Safe to repeat: the ref is the truth, and a head that is already recorded changes nothing.
    While a merge is under way its head stays; the next reconciliation looks again.
    """
    head_oid = repository.store().resolve(f"refs/pr/{number}")
    with transaction.atomic():
        row = (
            Discussion.objects.select_for_update()
            .pull_requests()
            .filter(repository=repository, number=number)
            .first()
        )
        if row is None or row.head_oid == head_oid or row.is_decided or row.is_being_merged:
            return
        count = row.patch_sets.count()
        PatchSet.objects.create(pull_request=row, number=count + 1, head_oid=head_oid, pushed_by=by)
        Discussion.objects.filter(pk=row.pk).update(head_oid=head_oid)
        row.head_oid = head_oid
        row.repository = repository
        record_commit(row, head_oid, by)
    announce(row, by)


def record_commit(pull_request: Discussion, head_oid: str, by: Any) -> None:
    subject = pull_request.repository.store().commit_info(head_oid).subject
    TimelineEvent.objects.record(
        pull_request, TimelineKind.COMMIT, by, subject=subject, oid=head_oid
    )


def announce(pull_request: Discussion, by: Any) -> None:
    """Tell the features, once the row is committed: they start what weighs the change."""
    transaction.on_commit(
        lambda: events.change_proposed.send_robust(
            sender=Discussion,
            repository=pull_request.repository,
            change=change_of(pull_request),
            actor=by,
        ),
        robust=True,  # the proposal stands, whatever comes of telling
    )
