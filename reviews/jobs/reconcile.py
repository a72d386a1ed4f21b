"""Settles what a crash left between git and the database."""

from __future__ import annotations

from datetime import timedelta

import structlog
from django.db.models import Q
from django.utils import timezone

from hub.actions import refs
from hub.policies import Actor
from reviews.jobs.pushes import record_push
from reviews.jobs.settling import drop, finish
from reviews.models import Discussion, Merge, MergeState

log = structlog.get_logger(__name__)
# A live request moves the branch within moments of writing its intent.
PATIENCE = timedelta(seconds=60)


def reconcile_merges() -> int:
    """Finish or drop every merge that was begun and never settled. Returns how many.

    The branch is the truth: an intent whose commit is on it happened, one whose commit is not
    did not. Recently dropped ones are looked at again, in case their request was only slow.
    """
    now = timezone.now()
    unsettled = Q(state=MergeState.INTENDED) | Q(
        state=MergeState.DROPPED, settled_at__gt=now - timedelta(days=1)
    )
    settled = 0
    for merge in Merge.objects.filter(unsettled).select_related(
        "by", "pull_request__repository__namespace"
    ):
        try:
            settled += _settle(merge, give_up=merge.created_at < now - PATIENCE)
        except Exception:  # whatever is wrong with one, the others go on
            log.exception("merge.unsettled", merge_id=merge.pk)
    return settled


def _settle(merge: Merge, *, give_up: bool) -> bool:
    pull_request = merge.pull_request
    store = pull_request.repository.store()
    head = store.branch_head(pull_request.target_branch)
    landed = head is not None and store.is_ancestor(merge.merge_oid, head)
    if landed:
        _record_move(merge)
        finish(merge)
        log.warning("merge.finished_late", merge_id=merge.pk)
        return True
    if give_up and merge.state == MergeState.INTENDED:
        drop(merge)
        log.warning("merge.dropped", merge_id=merge.pk)
        return True
    return False


def _record_move(merge: Merge) -> None:
    """Record that the branch moved, when the transaction that should have was lost."""
    pull_request = merge.pull_request
    repository, branch = pull_request.repository, pull_request.target_branch
    head = repository.store().branch_head(branch)
    if branch == repository.default_branch and repository.head_oid != head:
        change = refs.RefChange(f"{refs.BRANCH}{branch}", merge.base_oid, head)
        refs.pushed(repository, Actor(merge.by), [change])


def reconcile_heads() -> None:
    """Record pushes whose request died between moving `refs/pr/N` and writing the row."""
    rows = Discussion.objects.pull_requests().open().select_related("repository__namespace")
    for row in rows.iterator():
        try:
            if row.repository.store().ref_oid(row.ref) not in {None, row.head_oid}:
                record_push(row.repository, row.number, by=None)
        except Exception:  # whatever is wrong with one, the others go on
            log.exception("pull_request.unreadable", discussion_id=row.pk)
