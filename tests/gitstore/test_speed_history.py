"""Last commits, counts and reachability: worked out once, kept, and never wrong afterwards."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime

import pytest

from hub.errors import RevisionNotFoundError
from hub.gitstore import AddFile, DeleteFolder, GitStore, derived
from tests.gitstore.conftest import ANN
from tests.gitstore.test_store import change, native, random_history


def last_oids(store: GitStore, oid: str, folder: str = "") -> dict[str, str]:
    return {path: one.oid for path, one in store.last_commits(oid, folder).items()}


def named_by_git(store: GitStore, oid: str, folder: str = "") -> dict[str, str]:
    paths = [entry.path for entry in store.tree(oid, folder)]
    return {
        path: native(store, "log", "-1", "--format=%H", oid, "--", path).strip() for path in paths
    }


@pytest.mark.parametrize("seed", [101, 102])
def test_an_answer_that_begins_from_kept_ones_is_the_one_git_gives(store, seed):
    head = random_history(store, seed)
    commits = native(store, "rev-list", "--reverse", head).split()
    for number, oid in enumerate(commits):
        carried_on = last_oids(store, oid)
        if number % 5 == 0 or oid == head:
            assert carried_on == named_by_git(store, oid)
            folders = {entry.path for entry in store.tree(oid) if entry.kind == "directory"}
            if "d" in folders:
                assert last_oids(store, oid, "d") == named_by_git(store, oid, "d")


def test_a_second_question_reads_no_history(store):
    oid = change(store, AddFile("a/b.txt", b"1"), message="One\n\nwith a body")
    first = store.last_commits(oid, "a")
    assert first["a/b.txt"].subject == "One"
    # With no patience at all, only a kept answer can be whole.
    assert GitStore(store.path).last_commits(oid, "a", patience_seconds=-1) == first


def test_an_answer_that_time_cut_short_is_not_kept(store):
    for number in range(70):
        oid = change(store, AddFile("busy", b"%d" % number))
    cut = store.last_commits(oid, patience_seconds=-1)
    assert set(cut) == {"busy"}
    assert set(store.last_commits(oid)) == {"busy", "README.md", ".gitattributes"}


def test_forced_pushes_renames_and_deletions_ask_under_other_keys(store):
    base = store.resolve("main")
    first = change(store, AddFile("a/one", b"1"), AddFile("a/two", b"2"))
    assert last_oids(store, first, "a") == {"a/one": first, "a/two": first}
    moved = change(store, AddFile("b/one", b"1"), AddFile("b/two", b"2"), DeleteFolder("a"))
    assert last_oids(store, moved) == named_by_git(store, moved)
    back = change(store, AddFile("a/one", b"1"))
    assert last_oids(store, back, "a") == {"a/one": back}
    rewritten = store.commit_tree(
        store.tree_oid(first), parents=[base], message="again", author=ANN, at=datetime.now(UTC)
    )
    store.move_ref("refs/heads/main", new=rewritten, old=back)
    assert last_oids(store, store.resolve("main"), "a") == {"a/one": rewritten, "a/two": rewritten}


def test_names_that_are_no_text_keep_their_commits(store):
    blob = native_input(store, b"x", "hash-object", "-w", "--stdin")
    tree = native_input(store, b"100644 blob %s\tb\xffd\0" % blob, "mktree", "-z").decode()
    oid = store.commit_tree(tree, parents=[], message="odd", author=ANN)
    for _ in range(2):
        assert last_oids(store, oid) == {"b\ufffdd": oid}


def native_input(store: GitStore, content: bytes, *arguments: str) -> bytes:
    command = ["git", f"--git-dir={store.path}", *arguments]
    return subprocess.run(command, input=content, capture_output=True, check=True).stdout.strip()


def test_a_torn_answer_is_worked_out_again(store):
    oid = change(store, AddFile("x", b"1"))
    whole = store.last_commits(oid)
    (kept,) = (store.path / derived.FOLDER).glob("last-*")
    for torn in (b"", kept.read_bytes()[:-3], b"\0" * 40):
        kept.write_bytes(torn)
        assert store.last_commits(oid) == whole


def test_kept_answers_stay_below_their_bound(store, monkeypatch):
    monkeypatch.setattr(derived, "FILES_LIMIT", 8)
    for number in range(20):
        oid = change(store, AddFile(f"f{number}", b"1"))
        assert set(last_oids(store, oid)) == {entry.path for entry in store.tree(oid)}
    assert len(list((store.path / derived.FOLDER).iterdir())) <= 8
    monkeypatch.setattr(derived, "TOTAL_LIMIT_BYTES", 1)
    store.last_commits(change(store, AddFile("g", b"1")))
    assert not list((store.path / derived.FOLDER).iterdir())


def test_a_repository_that_cannot_be_written_to_still_answers(store):
    (store.path / derived.FOLDER).write_bytes(b"in the way")
    oid = change(store, AddFile("x", b"1"))
    assert last_oids(store, oid) == named_by_git(store, oid)


def test_commits_are_counted_on_from_the_last_count(store):
    head = random_history(store, 7)
    commits = native(store, "rev-list", "--reverse", head).split()
    for oid in [*commits[:: len(commits) // 5], head, head]:
        assert store.count_commits(oid) == int(native(store, "rev-list", "--count", oid))


@pytest.mark.parametrize("seed", range(3))
def test_commits_come_in_the_order_of_rev_list(store, seed):
    head = random_history(store, seed)
    listed = [one.oid for one in store.commits(head, limit=1000)]
    assert listed == native(store, "rev-list", head).split()
    assert [one.oid for one in store.commits(head, skip=5, limit=7)] == listed[5:12]


def test_a_commit_is_found_by_its_oid_as_long_as_a_ref_reaches_it(store):
    base = store.resolve("main")
    old = change(store, AddFile("x", b"1"))
    new = change(store, AddFile("x", b"2"))
    side = store.commit_tree(store.tree_oid(base), parents=[old], message="side", author=ANN)
    with pytest.raises(RevisionNotFoundError):
        store.resolve(side)
    store.move_ref("refs/heads/side", new=side, old=None)
    for oid in (old, new, side, base, old[:10]):
        assert oid.startswith(old[:10]) == (store.resolve(oid) == old)
    store.delete_ref("refs/heads/side", old=side)
    with pytest.raises(RevisionNotFoundError):
        store.resolve(side)
    store.move_ref("refs/heads/main", new=base, old=new)
    for oid in (old, new):
        with pytest.raises(RevisionNotFoundError):
            store.resolve(oid)
    assert store.resolve(base) == base
