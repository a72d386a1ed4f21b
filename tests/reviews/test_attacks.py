"""What people could try around a merge, and what a broken neighbour must not stop."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

from hub.actions import refs
from hub.errors import HubError
from hub.gitstore import AddFile
from hub.models import AuditEntry
from hub.policies import Actor
from reviews.actions import merging
from reviews.actions.discussions import change_status
from reviews.actions.merging import merge_pull_request
from reviews.jobs import reconcile
from reviews.jobs.pushes import record_push
from reviews.jobs.reconcile import reconcile_heads, reconcile_merges
from reviews.models import Discussion, DiscussionStatus, Merge, MergeState
from tests.factories import TESTER, make_organization, make_repository
from tests.reviews.factories import make_maintainer, make_pull_request, push

pytestmark = pytest.mark.django_db


def during_merge(monkeypatch: pytest.MonkeyPatch, act: Any) -> list[HubError]:
    """Have `act` happen after the intent is written and before the branch moves."""
    move, refused = refs.move_ref, list[HubError]()

    def interrupted(*args: Any, **kwargs: Any) -> None:
        try:
            act()
        except HubError as error:
            refused.append(error)
        move(*args, **kwargs)

    monkeypatch.setattr(merging.refs, "move_ref", interrupted)
    return refused


def test_what_is_being_merged_cannot_be_closed(monkeypatch):
    pull_request = make_pull_request()
    maintainer = Actor(make_maintainer(pull_request.repository))
    refused = during_merge(monkeypatch, lambda: change_status(pull_request, maintainer, "closed"))
    oid = merge_pull_request(pull_request, maintainer)
    row = Discussion.objects.get(pk=pull_request.pk)
    assert (row.status, row.merge_oid) == (DiscussionStatus.MERGED, oid)
    assert "being merged" in str(refused[0])


def test_a_push_into_a_merge_changes_nothing_that_is_recorded_of_it(monkeypatch):
    pull_request = make_pull_request()
    weighed = pull_request.head_oid
    during_merge(monkeypatch, lambda: push(pull_request, {"late.txt": b"unseen\n"}) and None)
    merge_pull_request(pull_request, Actor(make_maintainer(pull_request.repository)))
    row = Discussion.objects.get(pk=pull_request.pk)
    assert row.head_oid == weighed == Merge.objects.get(pull_request=row).head_oid


def test_a_push_into_a_merge_that_is_given_up_is_recorded_later(monkeypatch):
    pull_request = make_pull_request()
    merge = Merge.objects.create(
        pull_request=pull_request,
        by=pull_request.author,
        head_oid=pull_request.head_oid,
        base_oid="1" * 40,
        merge_oid="2" * 40,
    )
    weighed = pull_request.head_oid
    head = push(pull_request, {"late.txt": b"more\n"})
    assert Discussion.objects.get(pk=pull_request.pk).head_oid == weighed
    Merge.objects.filter(pk=merge.pk).update(state=MergeState.DROPPED)
    reconcile_heads()
    assert Discussion.objects.get(pk=pull_request.pk).head_oid == head


def test_names_of_the_greatest_length_can_be_merged(client_for):
    branch = "b" * 201
    repository = make_repository(make_organization("o" * 96), name="r" * 96)
    store = repository.store()
    store.move_ref(f"refs/heads/{branch}", new=store.resolve("main"), old=None)
    pull_request = make_pull_request(repository, target_branch=branch)
    oid = merge_pull_request(pull_request, Actor(make_maintainer(repository)))
    assert Discussion.objects.get(pk=pull_request.pk).merge_oid == oid
    assert AuditEntry.objects.filter(action="pull_request.merge", new=oid).exists()


def test_a_head_without_a_common_commit_does_not_break_its_page(client_for):
    pull_request = make_pull_request()
    repository = pull_request.repository
    store = repository.store()
    tree = store.write_tree_on(None, [AddFile("else.txt", b"another history\n")])
    orphan = store.commit_tree(tree, parents=[], message="Begin anew", author=TESTER)
    store.move_ref(pull_request.ref, new=orphan, old=pull_request.head_oid)
    record_push(repository, pull_request.number, by=pull_request.author)
    maintainer = make_maintainer(repository)
    client = client_for(maintainer)
    for tab in ("", "/files", "/commits"):
        assert client.get(f"{pull_request.get_absolute_url()}{tab}").status_code == 200
    page = client.get(pull_request.get_absolute_url()).content.decode()
    assert "share no commit" in page
    with pytest.raises(HubError, match="share no commit"):
        merge_pull_request(pull_request, Actor(maintainer))
    change_status(pull_request, Actor(maintainer), "closed")


def test_a_repository_without_its_folder_stops_no_other_from_being_settled():
    broken, sound = make_pull_request(), make_pull_request()
    head = sound.repository.store().commit(
        ref=sound.ref,
        parent=sound.head_oid,
        operations=[AddFile("late.txt", b"more\n")],
        message="More",
        author=TESTER,
        expect=sound.head_oid,
    )
    shutil.rmtree(broken.repository.store().path)
    reconcile_heads()
    assert Discussion.objects.get(pk=sound.pk).head_oid == head


def test_a_merge_that_cannot_be_finished_stops_no_other(monkeypatch):
    merges = []
    for pull_request in (make_pull_request(), make_pull_request()):
        monkeypatch.setattr(merging, "finish", lambda merge, **_: merges.append(merge))
        merge_pull_request(pull_request, Actor(make_maintainer(pull_request.repository)))

    finish = reconcile.finish

    def finish_or_fail(merge: Merge, **more: Any) -> None:
        if merge.pk == merges[0].pk:
            raise RuntimeError("the row cannot be written")
        finish(merge, **more)

    monkeypatch.setattr(reconcile, "finish", finish_or_fail)
    reconcile_merges()
    assert Discussion.objects.get(pk=merges[1].pull_request_id).status == DiscussionStatus.MERGED
