"""A merge queue whose worker is killed outright: just before the branch moves, and just after."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from hub.models import Event
from reviews.jobs.queue import advance, first_ones
from reviews.jobs.reconcile import reconcile_merges
from reviews.models import Discussion, Merge, QueueEntry
from tests.killing import run_to_death
from tests.reviews.queueing import outcome, proposals, queued, work

pytestmark = [pytest.mark.drill, pytest.mark.usefixtures("transactional_db")]
WORKER = """
from hub.gitstore import GitStore
from reviews.jobs.queue import advance

really_move = GitStore.move_ref

def move_ref(store, ref, **oids):
    if ref != "refs/heads/main":
        return really_move(store, ref, **oids)
    if sys.argv[2] == "after":
        really_move(store, ref, **oids)
    die()

GitStore.move_ref = move_ref
advance(int(sys.argv[1]))
"""


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_queue_whose_worker_is_killed_merges_each_once_and_in_order(when):
    repository, rows = proposals(2)
    store, base = repository.store(), repository.store().resolve("main")
    first, second = (queued(row) for row in rows)
    run_to_death(WORKER, first.pk, when)
    assert (store.resolve("main") != base) is (when == "after")
    advance(first.pk)  # a doubled message, too early: the lease still holds
    assert outcome(first) == ("working", "")
    assert outcome(second) == ("waiting", "")

    later = timezone.now() - timedelta(hours=1)
    QueueEntry.objects.filter(pk=first.pk).update(lease_ends_at=later)
    Merge.objects.update(created_at=later)
    reconcile_merges()
    work()
    work()
    assert first_ones() == []
    assert [outcome(entry) for entry in (first, second)] == [("merged", "")] * 2
    oids = [Discussion.objects.get(pk=row.pk).merge_oid for row in rows]
    for before, oid, row in zip([base, *oids], oids, rows, strict=False):
        assert store.commit_info(oid).parents == (before, row.head_oid)
    assert store.resolve("main") == oids[-1]
    assert Event.objects.filter(kind="pull_request.merged").count() == 2
