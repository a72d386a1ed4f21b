"""The merge queue: in order, each on the one before, once, and never worse than it was."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from hub.errors import (
    AlreadyDecidedError,
    BranchMovedError,
    ConflictError,
    ForbiddenError,
    NotFoundError,
)
from hub.models import Access, AuditEntry, BranchProtection, Event
from reviews.actions import merging, queue_step
from reviews.actions.discussions import change_status
from reviews.actions.merging import merge_pull_request
from reviews.actions.queueing import leave_queue
from reviews.actions.verdicts import submit_review
from reviews.jobs.queue import advance, first_ones
from reviews.jobs.reconcile import reconcile_merges
from reviews.models import Discussion, Merge, QueueEntry, TimelineEvent
from tests.factories import actor, commit_files, make_repository, make_user
from tests.races import at_once
from tests.reviews.factories import make_maintainer, make_pull_request, push
from tests.reviews.queueing import held, outcome, proposals, queued, work

pytestmark = pytest.mark.usefixtures("transactional_db")


def test_they_merge_in_order_each_on_the_one_before():
    repository, rows = proposals(3)
    store, base = repository.store(), repository.store().resolve("main")
    by = make_maintainer(repository)
    entries = [queued(row, by) for row in reversed(rows)]
    work()
    assert [outcome(entry) for entry in entries] == [("merged", "")] * 3
    oids = [Discussion.objects.get(pk=row.pk).merge_oid for row in reversed(rows)]
    for before, oid, row in zip([base, *oids], oids, reversed(rows), strict=False):
        assert store.commit_info(oid).parents == (before, row.head_oid)
    assert store.resolve("main") == oids[-1]
    merged = Discussion.objects.get(pk=rows[0].pk)
    assert merged.decided_by == by
    said = TimelineEvent.objects.filter(discussion=merged, kind="queue").get()
    assert (said.actor, said.data["what"]) == (by, "joined")
    assert AuditEntry.objects.filter(action="queue.joined").count() == 3
    assert Event.objects.filter(kind="queue.joined").count() == 3


def test_one_that_cannot_merge_is_ejected_and_the_next_still_merges():
    repository = make_repository(files={"a.txt": b"one\n"})
    rows = [make_pull_request(repository, files={"a.txt": text}) for text in (b"two\n", b"3\n")]
    rows.append(make_pull_request(repository, files={"b.txt": b"b\n"}))
    entries = [queued(row) for row in rows]
    work()
    results = [outcome(entry) for entry in entries]
    assert results == [("merged", ""), ("ejected", "requirement"), ("merged", "")]
    said = entries[1].reason["parameters"]["said"]
    assert "a.txt" in said["en"][1] and "a.txt" in said["zh-hans"][1]
    assert said["en"] != said["zh-hans"]
    assert Discussion.objects.get(pk=rows[1].pk).status == "open"
    assert Event.objects.filter(kind="queue.ejected").count() == 1


def test_a_push_takes_its_proposal_out_at_once_wherever_it_stands():
    _repository, rows = proposals(2)
    first, second = (queued(row) for row in rows)
    push(rows[1], {"late.txt": b"unseen\n"})
    assert outcome(second) == ("ejected", "new_version")
    assert outcome(first) == ("waiting", "")
    work()
    assert outcome(first) == ("merged", "")
    again = queued(rows[1])
    work()
    assert outcome(again) == ("merged", "")


def test_a_push_that_nobody_has_recorded_yet_is_waited_for_and_never_merged():
    repository, (row,) = proposals(1)
    entry = queued(row)
    commit_files(repository, {"late.txt": b"late\n"}, ref=row.ref)
    work()
    assert outcome(entry) == ("working", "")
    with pytest.raises(BranchMovedError):
        queued(make_pull_request(repository), expected_head="0" * 40)


def test_closing_and_merging_by_hand_settle_it():
    repository, rows = proposals(2)
    first, second = (queued(row) for row in rows)
    change_status(held(rows[0]), actor(rows[0].author), "closed")
    assert outcome(first) == ("withdrawn", "closed")
    merge_pull_request(held(rows[1]), actor(make_maintainer(repository)))
    assert outcome(second) == ("merged", "")
    assert first_ones() == []


def test_a_branch_moved_by_hand_means_another_base_and_nothing_else(monkeypatch):
    repository, (row,) = proposals(1)
    entry = queued(row)
    real, moved = queue_step.merge_pull_request, []

    def merge(*args, **more):
        if not moved:  # between the look at the checklist and the merge
            moved.append(commit_files(repository, {"by-hand.txt": b"x\n"}))
        return real(*args, **more)

    monkeypatch.setattr(queue_step, "merge_pull_request", merge)
    work()
    assert outcome(entry) == ("merged", "")
    oid = repository.store().resolve("main")
    assert repository.store().commit_info(oid).parents == (moved[0], row.head_oid)


def test_what_waits_for_people_does_not_get_in():
    repository = make_repository()
    BranchProtection.objects.create(repository=repository, branch="main", require_gate=False)
    row = make_pull_request(repository)
    with pytest.raises(ConflictError, match="0 of 1 approval"):
        queued(row)
    draft = make_pull_request(repository, draft=True)
    with pytest.raises(ConflictError, match="draft"):
        queued(draft)
    submit_review(row, actor(make_maintainer(repository)), head_oid=row.head_oid, verdict="approve")
    entry = queued(row)
    with pytest.raises(ConflictError, match="already"):
        queued(row)
    critic = make_maintainer(repository)
    submit_review(row, actor(critic), head_oid=row.head_oid, verdict="request_changes")
    work()
    assert outcome(entry) == ("ejected", "requirement")
    assert entry.reason["parameters"]["key"] == "approvals"
    assert critic.username in entry.reason["parameters"]["said"]["en"][1]


def test_its_person_and_maintainers_take_it_out():
    repository, rows = proposals(2)
    by = make_maintainer(repository)
    first, second = (queued(row, by) for row in rows)
    leave_queue(held(rows[0]), actor(by))
    leave_queue(held(rows[1]), actor(make_maintainer(repository)))
    assert [outcome(each) for each in (first, second)] == [("withdrawn", "left")] * 2
    with pytest.raises(NotFoundError):
        leave_queue(held(rows[0]), actor(by))


def test_of_many_who_queue_it_at_once_one_does_and_of_many_who_take_it_out():
    _repository, (row,) = proposals(1)
    by = make_maintainer(row.repository)
    joined = at_once(*[lambda: queued(row, by)] * 4)
    (entry,) = [each for each in joined if isinstance(each, QueueEntry)]
    assert QueueEntry.objects.count() == 1
    left = at_once(*[lambda: leave_queue(held(row), actor(by)), lambda: advance(entry.pk)] * 3)
    assert sum(each is None for each in left) >= 3, "workers never fail"
    state = outcome(entry)
    assert state in {("withdrawn", "left"), ("merged", "")}
    merged = Discussion.objects.get(pk=row.pk).status == "merged"
    assert merged == (state[0] == "merged")
    assert TimelineEvent.objects.filter(kind="queue").count() == 2 - merged


def test_one_who_may_not_merge_any_more_may_still_take_back_the_wish():
    repository, rows = proposals(2)
    by = make_maintainer(repository)
    entries = [queued(row, by) for row in rows]
    by.memberships.filter(namespace=repository.namespace).delete()
    leave_queue(held(rows[0], Access.READ), actor(by))
    with pytest.raises(ForbiddenError):
        leave_queue(held(rows[1], Access.READ), actor(make_user()))
    assert [outcome(entry)[0] for entry in entries] == ["withdrawn", "waiting"]


def test_whoever_lost_the_right_to_merge_merges_nothing():
    repository, rows = proposals(3)
    leaver, gone = make_maintainer(repository), make_maintainer(repository)
    entries = [queued(rows[0], leaver), queued(rows[1], gone), queued(rows[2])]
    leaver.memberships.filter(namespace=repository.namespace).delete()
    gone.is_active = False
    gone.save()
    work()
    lost = ("ejected", "no_access")
    assert [outcome(entry) for entry in entries] == [lost, lost, ("merged", "")]


def test_of_many_workers_one_merges_and_the_order_is_kept():
    _repository, rows = proposals(3)
    entries = [queued(row) for row in rows]
    at_once(*[lambda entry=entry: advance(entry.pk) for entry in entries * 2])
    work()
    assert [outcome(entry) for entry in entries] == [("merged", "")] * 3
    merges = list(Merge.objects.order_by("pk").values_list("pull_request", "state"))
    assert merges == [(row.pk, "done") for row in rows]


@pytest.mark.parametrize("reached_git", [True, False])
def test_a_worker_that_dies_while_it_merges_leaves_nothing_undone(reached_git, monkeypatch):
    repository, rows = proposals(2)
    first, second = (queued(row) for row in rows)

    def crash(repository, actor, ref, *, old, new):
        if reached_git:
            repository.store().move_ref(ref, new=new, old=old)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(merging.refs, "move_ref", crash)
        with pytest.raises(KeyboardInterrupt):
            advance(first.pk)
    work()
    assert outcome(first) == ("working", ""), "its lease holds, and the merge is not settled"
    expired = timezone.now() - timedelta(seconds=1)
    QueueEntry.objects.filter(pk=first.pk).update(lease_ends_at=expired)
    work()
    assert outcome(second) == ("waiting", "")
    Merge.objects.update(created_at=timezone.now() - timedelta(minutes=5))
    assert reconcile_merges() == 1
    work()
    assert [outcome(each) for each in (first, second)] == [("merged", "")] * 2
    assert Merge.objects.filter(state="done").count() == 2
    head = repository.store().resolve("main")
    assert repository.store().read(head, "0.txt", limit_bytes=10) == b"x\n"


def test_a_worker_that_was_thought_dead_merges_nothing_for_the_claim_it_lost(monkeypatch):
    _repository, (row,) = proposals(1)
    entry = queued(row)
    stale = QueueEntry.objects.claim(entry.pk)
    QueueEntry.objects.filter(pk=entry.pk).update(lease_ends_at=timezone.now())
    fresh = QueueEntry.objects.claim(entry.pk)
    assert fresh is not None and fresh.fence == stale.fence + 1
    with pytest.raises(ConflictError, match="left the merge queue"):
        merge_pull_request(held(row), actor(entry.by), queued=stale)
    leave_queue(held(row), actor(entry.by))
    with pytest.raises(ConflictError, match="left the merge queue"):
        merge_pull_request(held(row), actor(entry.by), queued=fresh)
    assert not Merge.objects.exists()


def test_nobody_leaves_in_the_middle_of_the_merge(monkeypatch):
    _repository, (row,) = proposals(1)
    entry = queued(row)

    def slow(*args, **more):
        with pytest.raises(AlreadyDecidedError):
            leave_queue(held(row), actor(entry.by))
        return real(*args, **more)

    real = merging.refs.move_ref
    monkeypatch.setattr(merging.refs, "move_ref", slow)
    work()
    assert outcome(entry) == ("merged", "")


def test_a_bell_that_rings_while_a_worker_looks_is_heard_afterwards(monkeypatch):
    _repository, (row,) = proposals(1)
    entry, looks = queued(row), []

    def step(claimed):
        looks.append(claimed.pk)
        if len(looks) == 1:
            advance(entry.pk)  # another worker
        return False

    monkeypatch.setattr("reviews.extensions.registries.queue_step", step)
    work()
    assert looks == [entry.pk] * 2


def test_an_entry_that_kills_its_workers_is_left_alone_and_the_next_merges():
    _repository, rows = proposals(2)
    first, second = (queued(row) for row in rows)
    expired = timezone.now() - timedelta(seconds=1)
    QueueEntry.objects.filter(pk=first.pk).update(attempts_left=0, lease_ends_at=expired)
    work()
    assert outcome(first) == ("ejected", "workers_died")
    assert outcome(second) == ("merged", "")


def test_a_fault_of_ours_ejects_one_and_stops_nobody(monkeypatch):
    _repository, rows = proposals(2)
    first, second = (queued(row) for row in rows)
    real = queue_step.checklist

    def broken(row, *args):
        if row.pk == rows[0].pk:
            raise RuntimeError("a fault of ours")
        return real(row, *args)

    monkeypatch.setattr(queue_step, "checklist", broken)
    work()
    assert outcome(first) == ("ejected", "internal")
    assert outcome(second) == ("merged", "")


def test_branches_have_queues_of_their_own():
    repository = make_repository()
    store = repository.store()
    store.move_ref("refs/heads/next", new=store.resolve("main"), old=None)
    stuck = make_pull_request(repository, files={"a.txt": b"a\n"})
    other = make_pull_request(repository, files={"b.txt": b"b\n"}, target_branch="next")
    first, second = queued(stuck), queued(other)
    assert sorted(first_ones()) == sorted([first.pk, second.pk])
    advance(second.pk)
    assert outcome(second) == ("merged", "")
    assert outcome(first) == ("waiting", "")
