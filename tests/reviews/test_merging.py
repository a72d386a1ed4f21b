"""Merging is bound to exact oids, happens once, and survives a crash (threats M1, M2, M4)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from hub.errors import (
    AlreadyDecidedError,
    BranchMovedError,
    ConflictError,
    ForbiddenError,
    MergeConflictError,
)
from hub.models import AuditEntry, BranchProtection, Event
from hub.policies import Actor
from reviews.actions import merging
from reviews.actions.discussions import change_status
from reviews.actions.merging import merge_pull_request
from reviews.actions.verdicts import submit_review
from reviews.jobs.reconcile import reconcile_heads, reconcile_merges
from reviews.models import Discussion, DiscussionStatus, Merge, MergeState
from tests.factories import commit_files, make_repository
from tests.races import at_once
from tests.reviews.factories import make_maintainer, make_pull_request, push

pytestmark = pytest.mark.django_db


def test_a_merge_is_a_commit_with_both_parents_and_is_recorded():
    pull_request = make_pull_request(files={"notes.txt": b"better\n"})
    repository = pull_request.repository
    base, store = repository.store().resolve("main"), repository.store()
    oid = merge_pull_request(pull_request, Actor(make_maintainer(repository)), message="Well done")

    assert store.resolve("main") == oid
    assert store.commit_info(oid).parents == (base, pull_request.head_oid)
    assert store.read(oid, "notes.txt", limit_bytes=100) == b"better\n"
    assert store.resolve(pull_request.ref) == pull_request.head_oid
    row = Discussion.objects.get(pk=pull_request.pk)
    assert (row.status, row.merge_oid) == (DiscussionStatus.MERGED, oid)
    assert Merge.objects.get(pull_request=row).state == MergeState.DONE
    assert Event.objects.filter(kind="pull_request.merged").count() == 1
    assert AuditEntry.objects.filter(action="pull_request.merge", new=oid, old=base).count() == 1
    repository.refresh_from_db()
    assert repository.head_oid == oid


def test_merging_twice_is_refused_and_moves_nothing():
    pull_request = make_pull_request()
    actor = Actor(make_maintainer(pull_request.repository))
    oid = merge_pull_request(pull_request, actor)
    with pytest.raises(AlreadyDecidedError):
        merge_pull_request(pull_request, actor)
    assert pull_request.repository.store().resolve("main") == oid


def test_a_merge_names_the_head_and_base_that_were_seen():
    pull_request = make_pull_request()
    actor = Actor(make_maintainer(pull_request.repository))
    seen = pull_request.head_oid
    push(pull_request, {"late.txt": b"unseen\n"})
    with pytest.raises(BranchMovedError):
        merge_pull_request(pull_request, actor, expected_head=seen)
    base = pull_request.repository.store().resolve("main")
    commit_files(pull_request.repository, {"other.txt": b"elsewhere\n"})
    with pytest.raises(BranchMovedError):
        merge_pull_request(pull_request, actor, expected_base=base)
    assert not Merge.objects.exists()


def test_both_sides_changing_a_line_is_a_conflict_that_names_the_file():
    repository = make_repository(files={"a.txt": b"one\n"})
    pull_request = make_pull_request(repository, files={"a.txt": b"two\n"})
    head = commit_files(repository, {"a.txt": b"three\n"})
    with pytest.raises(MergeConflictError, match=r"a\.txt"):
        merge_pull_request(pull_request, Actor(make_maintainer(repository)))
    assert repository.store().resolve("main") == head


def test_a_draft_and_a_closed_pull_request_do_not_merge():
    draft = make_pull_request(draft=True)
    with pytest.raises(ConflictError, match="draft"):
        merge_pull_request(draft, Actor(make_maintainer(draft.repository)))
    closed = make_pull_request()
    actor = Actor(make_maintainer(closed.repository))
    change_status(closed, actor, "closed")
    with pytest.raises(AlreadyDecidedError):
        merge_pull_request(closed, actor)


def test_merging_needs_write_access():
    pull_request = make_pull_request()
    pull_request.repository.access = 10
    with pytest.raises(ForbiddenError):
        merge_pull_request(pull_request, Actor(pull_request.author))


def protect(repository: Any, **values: Any) -> None:
    BranchProtection.objects.create(
        repository=repository, branch="main", **({"require_gate": False} | values)
    )


def test_an_approval_counts_for_one_head_only():
    pull_request = make_pull_request()
    repository = pull_request.repository
    protect(repository)
    reviewer, actor = make_maintainer(repository), Actor(make_maintainer(repository))
    approve = {"head_oid": pull_request.head_oid, "verdict": "approve"}
    submit_review(pull_request, Actor(reviewer), **approve)
    push(pull_request, {"late.txt": b"unseen\n"})
    with pytest.raises(ConflictError, match="look at the new version"):
        merge_pull_request(pull_request, actor)
    with pytest.raises(BranchMovedError):
        submit_review(pull_request, Actor(reviewer), **approve)
    submit_review(pull_request, Actor(reviewer), **approve | {"head_oid": pull_request.head_oid})
    assert merge_pull_request(pull_request, actor)


def test_the_author_and_people_without_write_access_cannot_approve():
    repository = make_repository()
    author = make_maintainer(repository)
    pull_request = make_pull_request(repository, author=author)
    approve = {"head_oid": pull_request.head_oid, "verdict": "approve"}
    for person in (author, make_pull_request().author):
        with pytest.raises(ForbiddenError):
            submit_review(pull_request, Actor(person), **approve)


def test_an_approval_stops_counting_when_its_person_loses_access():
    pull_request = make_pull_request()
    protect(pull_request.repository)
    reviewer = make_maintainer(pull_request.repository)
    submit_review(pull_request, Actor(reviewer), head_oid=pull_request.head_oid, verdict="approve")
    reviewer.memberships.filter(namespace=pull_request.repository.namespace).delete()
    with pytest.raises(ConflictError, match="0 of 1"):
        merge_pull_request(pull_request, Actor(make_maintainer(pull_request.repository)))


def test_requested_changes_block_until_withdrawn():
    pull_request = make_pull_request()
    protect(pull_request.repository, required_approvals=1)
    critic, friend = (make_maintainer(pull_request.repository) for _ in range(2))
    head = pull_request.head_oid
    submit_review(pull_request, Actor(friend), head_oid=head, verdict="approve")
    submit_review(pull_request, Actor(critic), head_oid=head, verdict="request_changes")
    with pytest.raises(ConflictError, match="requests changes"):
        merge_pull_request(pull_request, Actor(friend))
    submit_review(pull_request, Actor(critic), head_oid=head, verdict="approve")
    assert merge_pull_request(pull_request, Actor(friend))


@pytest.mark.django_db(transaction=True)
def test_six_parallel_merges_give_one_commit():
    pull_request = make_pull_request()
    actor = Actor(make_maintainer(pull_request.repository))

    def merge() -> str:
        row = Discussion.objects.select_related("repository__namespace").get(pk=pull_request.pk)
        row.repository.access = 40
        return merge_pull_request(row, actor)

    outcomes = at_once(*[merge] * 6)
    merged = [outcome for outcome in outcomes if isinstance(outcome, str)]
    assert len(outcomes) == 6
    assert len(merged) == 1
    store = pull_request.repository.store()
    assert store.resolve("main") == merged[0]
    assert Merge.objects.filter(state=MergeState.DONE).count() == 1


@pytest.mark.parametrize("reached_git", [True, False])
def test_a_crash_between_git_and_the_rows_is_settled_by_looking_at_the_branch(
    reached_git, monkeypatch
):
    pull_request = make_pull_request()
    repository = pull_request.repository
    base = repository.store().resolve("main")

    def crash(repository: Any, actor: Any, ref: str, *, old: str, new: str) -> None:
        if reached_git:
            repository.store().move_ref(ref, new=new, old=old)
        raise KeyboardInterrupt

    monkeypatch.setattr(merging.refs, "move_ref", crash)
    with pytest.raises(KeyboardInterrupt):
        merge_pull_request(pull_request, Actor(make_maintainer(repository)))
    merge = Merge.objects.get()
    assert merge.state == MergeState.INTENDED
    Merge.objects.update(created_at=timezone.now() - timedelta(minutes=5))

    assert reconcile_merges() == 1
    assert reconcile_merges() == 0
    row = Discussion.objects.get(pk=pull_request.pk)
    head = repository.store().resolve("main")
    if reached_git:
        assert (row.status, row.merge_oid, head) == ("merged", merge.merge_oid, merge.merge_oid)
    else:
        assert (row.status, head) == ("open", base)


def test_a_push_whose_request_died_is_recorded_later():
    pull_request = make_pull_request()
    store = pull_request.repository.store()
    head = commit_files(pull_request.repository, {"late.txt": b"late\n"}, ref=pull_request.ref)
    reconcile_heads()
    pull_request.refresh_from_db()
    assert pull_request.head_oid == head == store.resolve(pull_request.ref)
    assert pull_request.patch_sets.count() == 2


def test_a_ref_that_a_crash_left_behind_does_not_block_its_number():
    repository = make_repository()
    store = repository.store()
    store.move_ref("refs/pr/1", new=store.resolve("main"), old=None)
    pull_request = make_pull_request(repository)
    assert pull_request.number == 1
    assert store.resolve("refs/pr/1") == pull_request.head_oid
