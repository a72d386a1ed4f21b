"""The end of a merge: what is written once its commit is on the branch, or never will be."""

from __future__ import annotations

import structlog
from django.db import transaction
from django.utils import timezone

from hub import events
from hub.models import AuditEntry, Event
from reviews.changes import change_of
from reviews.jobs.queue import settle_merged
from reviews.jobs.telling import tell
from reviews.models import (
    Discussion,
    DiscussionStatus,
    Merge,
    MergeState,
    TimelineEvent,
    TimelineKind,
)

log = structlog.get_logger(__name__)


def drop(merge: Merge) -> None:
    """Give an intent up: the branch never moved for it."""
    Merge.objects.filter(pk=merge.pk, state=MergeState.INTENDED).update(
        state=MergeState.DROPPED, settled_at=timezone.now()
    )


def finish(merge: Merge, *, token_hint: str = "") -> None:
    """Record a merge whose commit is on the branch. Safe to repeat."""
    row = Discussion.objects.select_related("repository__namespace").get(pk=merge.pull_request_id)
    repository = row.repository
    with transaction.atomic():
        decided = Discussion.objects.decide(
            row.pk, DiscussionStatus.MERGED, by=merge.by, merge_oid=merge.merge_oid
        )
        Merge.objects.filter(pk=merge.pk).update(state=MergeState.DONE, settled_at=timezone.now())
        settle_merged(row)
        if not decided:
            return
        TimelineEvent.objects.record(
            row, TimelineKind.STATUS, merge.by, status="merged", oid=merge.merge_oid
        )
        Event.objects.create(
            repository=repository,
            actor=merge.by,
            kind="pull_request.merged",
            path=row.get_absolute_url(),
            data={"number": row.number, "merge_oid": merge.merge_oid},
        )
        AuditEntry.objects.create(
            actor_name=merge.by.username,
            token_hint=token_hint,
            action="pull_request.merge",
            subject=f"{repository.path}#{row.number} into {row.target_branch}"[:300],
            old=merge.base_oid,
            new=merge.merge_oid,
        )
        row.status, row.merge_oid = DiscussionStatus.MERGED, merge.merge_oid
        tell(row, "update", merge.by)
    log.info("pull_request.merged", number=row.number, oid=merge.merge_oid, **repository.as_facts())
    row.refresh_from_db()
    row.repository = repository
    events.change_merged.send_robust(
        sender=Discussion,
        repository=repository,
        change=change_of(row),
        merge_oid=merge.merge_oid,
        actor=merge.by,
    )
