"""The worker finishes what a reader's patience did not suffice for."""

from __future__ import annotations

import pytest

from hub.gitstore import attribution, history
from hub.jobs import history as indexing
from hub.models import Repository
from hub.tasks import index_history
from tests.factories import commit_files, make_repository

pytestmark = pytest.mark.django_db


@pytest.fixture
def repository() -> Repository:
    repository = make_repository(files={"a/b/old.txt": b"old", "a/old.txt": b"old"})
    for number in range(70):
        commit_files(repository, {"a/busy.txt": b"%d" % number})
    return repository


def last(client, repository: Repository) -> dict[str, object]:
    entries = client.get(f"/{repository.api_path}/tree/main/a?expand=true").json()
    return {one["path"]: one["lastCommit"] and one["lastCommit"]["title"] for one in entries}


def test_a_reader_who_is_cut_short_sends_for_a_worker(client, repository, monkeypatch):
    sent = []
    monkeypatch.setattr(index_history, "delay", lambda *message: sent.append(message))
    with monkeypatch.context() as hurried:
        hurried.setattr(attribution, "PATIENCE_SECONDS", -1.0)
        for _ in range(3):  # the others find that it was asked for
            assert last(client, repository)["a/old.txt"] is None
    ((pk, oid, folder),) = sent
    assert (pk, folder) == (repository.pk, "a")
    for _ in range(2):
        index_history(pk, oid, folder)
    assert all(last(client, repository).values()) and len(sent) == 1


def test_after_a_push_the_folders_nearest_the_root_are_ready(repository):
    index_history(repository.pk)
    store = repository.store()
    oid = store.resolve("main")
    for folder in ("", "a", "a/b"):
        found = store.last_commits(oid, folder, patience_seconds=-1)
        assert set(found) == {entry.path for entry in store.tree(oid, folder)}


def test_a_long_history_gets_a_commit_graph_now_and_then(repository, monkeypatch):
    monkeypatch.setattr(history, "INDEXED_FROM", 50)
    graph = repository.store().path / "objects" / "info" / "commit-graph"
    index_history(repository.pk)
    first = graph.stat().st_mtime_ns
    commit_files(repository, {"x": b"1"})
    index_history(repository.pk)
    assert graph.stat().st_mtime_ns == first
    assert repository.store().commits(repository.store().resolve("main"), limit=1)


def test_what_is_gone_by_then_is_no_fault(repository):
    derived = repository.store().path / "derived"
    before = sorted(derived.rglob("*"))
    indexing.index(repository.pk, "nope")
    indexing.index(repository.pk + 1000)
    assert sorted(derived.rglob("*")) == before
    assert not Repository(pk=repository.pk + 1000).store().path.exists()
