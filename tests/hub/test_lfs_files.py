"""Large files over a whole repository: listed, removed for good, copied, collected (D1, D2)."""

from __future__ import annotations

import os
import threading
import time
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from hub.actions import large_files
from hub.gitstore import AddFile, AddPointer
from hub.jobs import garbage, integrity
from hub.models import (
    Access,
    BranchProtection,
    ObjectLink,
    Repository,
    StoredObject,
    TokenScope,
    Visibility,
)
from tests.factories import TESTER, make_member, make_organization, make_repository, make_user
from tests.hub.transfers import CHUNKS, Cas, LargeFile
from tests.hub.wire import body_of, commit, deleted, large_file, send_json, stored

pytestmark = pytest.mark.django_db
OLD, NEW, BRANCHED = b"old weights", b"new weights!", b"weights of a branch"


@pytest.fixture
def repository() -> Repository:
    return make_repository(make_organization(), visibility=Visibility.PRIVATE)


@pytest.fixture
def admin(repository):
    return make_member(repository.namespace, access=Access.ADMIN)


@pytest.fixture
def client(admin, api_for) -> Client:
    return api_for(admin, scope=TokenScope.ADMIN)


@pytest.fixture
def at_once(settings):
    settings.GARBAGE_QUARANTINE = settings.UPLOAD_GRACE = settings.XORB_GRACE = timedelta()


@pytest.fixture
def history(client, repository) -> Repository:
    """`w.bin` had OLD and has NEW; branch `dev` and proposal 1 have BRANCHED beside them."""
    for content in (OLD, NEW):
        found = stored(repository, content)
        line = large_file("deep/w.bin", found.sha256, size=len(content))
        assert commit(client, repository, line).status_code == 200
    store = repository.store()
    branched = stored(repository, BRANCHED)
    base = store.resolve("main")
    pointer = AddPointer("b.bin", branched.sha256, len(BRANCHED))
    parts = {"parent": base, "operations": [pointer], "message": "More", "author": TESTER}
    oid = store.commit(ref="refs/heads/dev", expect=None, **parts)
    store.move_ref("refs/pr/1", new=oid, old=None)
    store.move_ref("refs/tags/v1", new=store.commit_info(base).parents[0], old=None)
    return repository


def listed(client: Client, repository: Repository) -> dict[str, tuple]:
    found = client.get(f"/{repository.api_path}/lfs-files").json()
    return {one["oid"]: (one["filename"], one["ref"], one["size"]) for one in found}


def remove(client: Client, repository: Repository, *contents: bytes, rewrite: bool = True):
    shas = [LargeFile(content).sha256 for content in contents]
    body = {"deletions": {"sha": shas, "rewriteHistory": rewrite}}
    return send_json(client, "POST", f"/{repository.api_path}/lfs-files/batch", body)


def paths(repository: Repository, revision: str) -> set[str]:
    store = repository.store()
    entries = store.tree(store.resolve(revision), recursive=True)
    return {entry.path for entry in entries if entry.lfs}


def test_files_of_all_refs_and_older_commits_are_listed(client, history):
    assert listed(client, history) == {
        LargeFile(OLD).sha256: ("deep/w.bin", "refs/tags/v1", len(OLD)),
        LargeFile(NEW).sha256: ("deep/w.bin", "refs/heads/main", len(NEW)),
        LargeFile(BRANCHED).sha256: ("b.bin", "refs/heads/dev", len(BRANCHED)),
    }
    page = client.get(f"/{history.api_path}/lfs-files?limit=2")
    assert len(page.json()) == 2
    assert 'rel="next"' in page["Link"]
    cursor = page["Link"].partition("cursor=")[2].partition(">")[0]
    last = client.get(f"/{history.api_path}/lfs-files?limit=2&cursor={cursor}")
    assert len(last.json()) == 1
    assert "Link" not in last


def test_removing_a_file_rewrites_every_history_that_had_it(client, history):
    before = {ref.name: ref.oid for ref in history.store().refs()}
    history.refresh_from_db()
    assert history.size_bytes > len(NEW)
    assert remove(client, history, OLD, NEW).status_code == 200
    store = history.store()
    assert paths(history, "main") == paths(history, "v1") == set()
    assert paths(history, "dev") == paths(history, "refs/pr/1") == {"b.bin"}
    assert store.is_ancestor(store.resolve("main"), store.resolve("dev"))
    assert {ref.name for ref in store.refs()} == set(before)
    info = store.commit_info(store.resolve("dev"))
    assert (info.subject, info.author) == ("More", TESTER)
    history.refresh_from_db()
    assert history.head_oid == store.resolve("main")
    assert set(listed(client, history)) == {LargeFile(BRANCHED).sha256}
    assert list(integrity.check()) == []
    assert remove(client, history, OLD, NEW).status_code == 200  # the first answer was lost


def test_removing_a_file_may_leave_its_pointers(client, history):
    head = history.store().resolve("main")
    used = client.get(f"/{history.api_path}").json()["usedStorage"]
    assert remove(client, history, NEW, rewrite=False).status_code == 200
    assert history.store().resolve("main") == head
    assert client.get(f"/{history.path}/resolve/main/deep/w.bin").status_code == 404
    assert client.get(f"/{history.api_path}").json()["usedStorage"] == used - len(NEW)
    assert list(integrity.check()) == []
    stored(history, NEW)  # sent again, it is there again
    assert client.get(f"/{history.path}/resolve/main/deep/w.bin").status_code == 200


def test_what_a_repository_does_not_hold_is_not_removed(client, history, api_for):
    person = make_user()
    other = make_repository(person.namespaces.get())
    theirs = api_for(person, scope=TokenScope.ADMIN)
    assert remove(theirs, other, NEW).status_code == 404
    assert remove(theirs, history, NEW).status_code == 404
    assert len(listed(client, history)) == 3
    for wrong in ({}, {"sha": "x"}, {"sha": [1]}, {"sha": [], "rewriteHistory": 1}):
        path = f"/{history.api_path}/lfs-files/batch"
        assert send_json(client, "POST", path, {"deletions": wrong}).status_code == 400
    many = {"deletions": {"sha": ["x"] * 1001}}
    assert send_json(client, "POST", path, many).status_code == 413


def test_a_protected_branch_is_not_rewritten(client, history):
    BranchProtection.objects.create(repository=history, branch="main")
    heads = history.store().refs()
    assert remove(client, history, OLD).status_code == 403
    assert history.store().refs() == heads
    assert len(listed(client, history)) == 3


def test_bytes_go_when_the_last_link_goes(client, history, at_once):
    beside = make_repository(history.namespace, visibility=Visibility.PRIVATE)
    large_files.copy_link(history, beside, LargeFile(NEW).sha256)
    blobs = history.blobs()
    assert remove(client, history, OLD, NEW).status_code == 200
    garbage.collect()
    assert blobs.stat(LargeFile(OLD).sha256) is None
    assert blobs.stat(LargeFile(NEW).sha256) is not None
    beside.delete()
    garbage.collect()
    assert blobs.stat(LargeFile(NEW).sha256) is None
    assert blobs.stat(LargeFile(BRANCHED).sha256) is not None
    assert list(integrity.check()) == []


def test_nothing_goes_before_its_time(client, history, settings):
    settings.UPLOAD_GRACE = timedelta()
    row = StoredObject.objects.get(sha256=LargeFile(OLD).sha256)
    remove(client, history, OLD)
    garbage.collect()
    row.refresh_from_db()
    assert row.unlinked_at is not None
    StoredObject.objects.filter(pk=row.pk).update(unlinked_at=timezone.now() - timedelta(days=8))
    settings.UPLOAD_GRACE = timedelta(hours=24)
    assert not garbage.collect_object(row.pk)  # its bytes came a moment ago
    os.utime(history.blobs().path(row.sha256), (0, 0))
    assert garbage.collect_object(row.pk)


def test_a_link_saves_what_waits_in_quarantine(client, history, settings):
    settings.UPLOAD_GRACE = timedelta()
    remove(client, history, OLD)
    garbage.collect()
    stored(history, OLD)
    rows = StoredObject.objects.filter(sha256=LargeFile(OLD).sha256)
    assert rows.get().unlinked_at is None
    settings.GARBAGE_QUARANTINE = timedelta()
    garbage.collect()
    assert rows.exists()


def test_xorbs_go_after_the_files_they_made(client, repository, at_once):
    cas = Cas.of(client, repository)
    cas.post_xorb()
    cas.post_shard()
    store = large_files.xet_store(repository)
    garbage.collect()
    assert len(list(store.xorbs.names())) == 1
    assert remove(client, repository, b"".join(CHUNKS)).status_code == 200
    done = garbage.collect()
    assert (done.recipes, done.xorbs) == (1, 1)
    assert list(store.xorbs.names()) == []


def test_xorbs_that_clients_remember_go_with_a_new_epoch_only(client, repository, settings):
    settings.UPLOAD_GRACE = timedelta()
    cas = Cas.of(client, repository)
    cas.post_xorb()
    garbage.collect()
    assert len(list(large_files.xet_store(repository).xorbs.names())) == 1
    garbage.collect(xorbs_at_once=True)
    assert list(large_files.xet_store(repository).xorbs.names()) == []
    assert Cas.of(client, repository).base != cas.base


def test_an_emptied_database_costs_no_file(repository, at_once):
    sha256 = stored(repository, OLD).sha256
    blobs = repository.blobs()
    ObjectLink.objects.all().delete()
    StoredObject.objects.all().delete()
    Repository.objects.all().delete()
    assert garbage.collect().strays == 0
    assert blobs.stat(sha256) is not None


@pytest.mark.django_db(transaction=True)
def test_collecting_beside_uploads_takes_nothing_that_is_linked(settings):
    """R11, short: links come and go while everything unlinked is collected at once."""
    settings.GARBAGE_QUARANTINE, settings.UPLOAD_GRACE = timedelta(), timedelta(seconds=0.2)
    repository = make_repository(make_organization(), visibility=Visibility.PRIVATE)
    ends_at, faults = time.monotonic() + 3, []
    contents = [bytes([number]) * 1000 for number in range(6)]

    def repeat(work) -> None:
        try:
            while time.monotonic() < ends_at:
                work()
        except Exception as error:
            faults.append(error)
        finally:
            connection.close()

    def come_and_go() -> None:
        for content in contents:
            row = stored(repository, content)
            assert repository.blobs().stat(row.sha256)
            ObjectLink.objects.filter(repository=repository, stored_object=row).delete()

    threads = [threading.Thread(target=repeat, args=(come_and_go,)) for _ in range(2)]
    threads.append(threading.Thread(target=repeat, args=(garbage.collect,)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    kept = stored(repository, contents[0])
    time.sleep(0.3)
    garbage.collect()
    blobs = repository.blobs()
    assert {blob.sha256 for blob in blobs.iter_blobs()} == {kept.sha256}
    assert list(integrity.check()) == []


def duplicate(client, source: Repository, target: Repository, *files: dict):
    body = {"target": {"type": target.kind, "name": target.repo_id}, "files": list(files)}
    return send_json(client, "POST", f"/{source.api_path}/lfs-files/duplicate", body)


@pytest.mark.parametrize("visibility", Visibility.values)
def test_a_file_is_copied_to_another_repository_without_its_bytes(
    client, repository, admin, visibility
):
    cas = Cas.of(client, repository)
    cas.post_xorb()
    cas.post_shard()
    row = StoredObject.objects.get(scope=repository.scope)
    target = make_repository(admin.namespaces.get(owner=admin), visibility=visibility)
    file = {"xetHash": row.xet_hash, "sha256": row.sha256, "filename": "w.bin"}
    unknown = {"xetHash": "0" * 64, "sha256": "ab" * 32, "filename": "x.bin"}
    answer = duplicate(client, repository, target, file, unknown)
    assert [one["sha256"] for one in answer.json()["failed"]] == ["ab" * 32]
    line = large_file("w.bin", row.sha256, size=row.size_bytes)
    assert commit(client, target, line).status_code == 200
    response = client.get(f"/{target.path}/resolve/main/w.bin")
    assert body_of(response) == b"".join(CHUNKS)
    assert response["X-Xet-Hash"] == row.xet_hash
    assert duplicate(client, repository, target, file).json() == {"failed": []}


def test_a_copy_needs_both_ends(client, repository, api_for):
    sha256 = stored(repository, NEW).sha256
    file = {"sha256": sha256}
    person = make_user()
    mine = make_repository(person.namespaces.get(), visibility=Visibility.PRIVATE)
    me = api_for(person)
    assert duplicate(me, repository, mine, file).status_code == 404  # the source is hidden
    assert duplicate(client, repository, mine, file).status_code == 404  # the target is
    reader = make_member(repository.namespace, access=Access.READ)
    read_only = api_for(reader, scope=TokenScope.READ)
    public = make_repository(reader.namespaces.get(owner=reader))
    assert duplicate(read_only, repository, public, file).status_code == 403
    wrong = {**file, "xetHash": "0" * 64}
    StoredObject.objects.filter(sha256=sha256).update(xet_hash="1" * 64)
    target = make_repository(repository.namespace, visibility=Visibility.PRIVATE)
    assert len(duplicate(client, repository, target, wrong).json()["failed"]) == 1
    assert not ObjectLink.objects.exclude(repository=repository).exists()


def test_a_gated_source_gives_no_copies(client, repository, api_for):
    public = make_repository(repository.namespace)
    sha256 = stored(public, NEW).sha256
    Repository.objects.filter(pk=public.pk).update(gated="manual")
    person = make_user()
    mine = make_repository(person.namespaces.get())
    answer = duplicate(api_for(person), public, mine, {"sha256": sha256})
    assert (answer.status_code, answer["X-Error-Code"]) == (403, "GatedRepo")


def test_a_file_that_was_deleted_in_a_commit_is_still_held(client, history):
    assert commit(client, history, deleted("deep/w.bin")).status_code == 200
    assert listed(client, history)[LargeFile(NEW).sha256][0] == "deep/w.bin"


def test_an_ordinary_commit_keeps_its_id_when_others_are_rewritten(client, history):
    store = history.store()
    first = store.commits(store.resolve("main"))[-1].oid
    plain = store.commit(
        ref="refs/heads/plain",
        parent=first,
        operations=[AddFile("a.txt", b"a")],
        message="Plain",
        author=TESTER,
        expect=None,
    )
    remove(client, history, OLD)
    assert store.resolve("plain") == plain
