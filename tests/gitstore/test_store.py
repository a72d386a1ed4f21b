"""Reading and writing one repository, with git itself as the second opinion."""

import hashlib
import multiprocessing
import random
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from hub.errors import (
    BranchMovedError,
    ConflictError,
    EntryNotFoundError,
    ForbiddenError,
    MergeConflictError,
    RevisionNotFoundError,
    TooLargeError,
    UnprocessableError,
)
from hub.gitstore import (
    AddFile,
    AddPointer,
    Author,
    CopyPath,
    DeleteFile,
    DeleteFolder,
    GitStore,
    pointers_named,
)
from hub.gitstore.pointers import format_pointer, parse_pointer
from tests.gitstore.conftest import ANN

SHA = hashlib.sha256(b"weights").hexdigest()


def change(store, *operations, branch="main", message="change") -> str:
    before = store.branch_head(branch)
    return store.commit(
        ref=f"refs/heads/{branch}",
        parent=before,
        operations=operations,
        message=message,
        author=ANN,
        expect=before,
    )


def native(store, *arguments: str) -> str:
    done = subprocess.run(
        ["git", f"--git-dir={store.path}", *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout


def test_a_commit_is_one_that_git_reads_the_same(store):
    oid = change(
        store,
        AddFile("docs/guide/one.md", b"# One\n"),
        AddPointer("model.bin", SHA, 7),
        AddFile("docs.md", b"x"),
        message="Add a guide\n\nIt explains.",
    )
    assert native(store, "fsck", "--full", "--strict") == ""
    listed = native(store, "ls-tree", "-r", "-t", "--format=%(objectname) %(path)", oid)
    assert listed.splitlines() == [
        f"{entry.oid} {entry.path}" for entry in store.tree(oid, recursive=True)
    ]
    info = store.commit_info(oid)
    assert (info.subject, info.body, info.author) == ("Add a guide", "It explains.", ANN)
    assert abs((datetime.now(UTC) - info.committed_at).total_seconds()) < 60


def test_a_pointer_shows_the_size_of_its_large_file(store):
    oid = change(store, AddPointer("model.bin", SHA, 10**12))
    entry = store.entry(oid, "model.bin")
    text = format_pointer(SHA, 10**12)
    assert (entry.size, entry.lfs.sha256) == (10**12, SHA)
    assert entry.lfs.pointer_size_bytes == len(text)
    assert store.read(oid, "model.bin", limit_bytes=1000) == text
    assert parse_pointer(text) == entry.lfs
    assert pointers_named([AddFile("sly.txt", text), AddPointer("m", SHA, 10**12)]) == [
        entry.lfs,
        entry.lfs,
    ]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"version https://git-lfs.github.com/spec/v1\n",
        format_pointer(SHA, 7) + b"more\n",
        format_pointer(SHA, 7).replace(SHA.encode(), SHA[:-1].encode()),
        format_pointer(SHA, 7).replace(b"size 7", b"size -7"),
        format_pointer(SHA, 7).replace(b"size 7", b"size " + b"9" * 19),
        format_pointer(SHA, 7) + b"\n" * 1024,
    ],
)
def test_what_only_resembles_a_pointer_is_a_file(content):
    assert parse_pointer(content) is None


@pytest.mark.parametrize("spelling", [bytes.strip, lambda text: text.replace(b"\n", b"\r\n")])
def test_a_pointer_that_git_lfs_would_follow_is_recognised(spelling):
    assert parse_pointer(spelling(format_pointer(SHA, 7))).sha256 == SHA


def test_operations_apply_in_order_and_emptied_folders_go(store):
    change(store, AddFile("a/b/c.txt", b"1"), AddFile("a/d.txt", b"2"))
    oid = change(
        store,
        DeleteFile("a/b"),  # huggingface_hub names folders so
        DeleteFolder("a/"),
        AddFile("a", b"now a file"),
        CopyPath("a/d.txt", None, "copied.txt"),
        DeleteFile("README.md"),
        AddFile("README.md", b"replaced"),
    )
    assert [entry.path for entry in store.tree(oid, recursive=True)] == [
        ".gitattributes",
        "README.md",
        "a",
        "copied.txt",
    ]
    assert store.read(oid, "README.md", limit_bytes=99) == b"replaced"


def test_deleting_copying_or_placing_what_cannot_be_is_refused(store):
    oid = change(store, AddFile("folder/file", b"1"))
    with pytest.raises(EntryNotFoundError, match="A file with this name doesn't exist"):
        change(store, DeleteFile("missing"))
    with pytest.raises(EntryNotFoundError):
        change(store, DeleteFolder("README.md"))
    with pytest.raises(EntryNotFoundError):
        change(store, CopyPath("folder", None, "other"))
    with pytest.raises(UnprocessableError):
        change(store, AddFile("folder", b"1"))
    with pytest.raises(UnprocessableError):
        change(store, AddFile("folder/file/x", b"1"))
    assert store.branch_head("main") == oid


def test_a_change_of_nothing_makes_no_commit_but_notices_a_moved_branch(store):
    first = store.branch_head("main")
    assert change(store, AddFile("README.md", b"# A model\n")) == first
    change(store, AddFile("x", b"1"))
    with pytest.raises(BranchMovedError):
        store.commit(
            ref="refs/heads/main",
            parent=first,
            operations=[AddFile("README.md", b"# A model\n")],
            message="nothing",
            author=ANN,
            expect=first,
        )


def test_an_executable_file_stays_so_when_its_content_changes(store):
    blob = store.entry(store.resolve("main"), "README.md").oid
    tree = subprocess.run(
        ["git", f"--git-dir={store.path}", "mktree"],
        input=f"100755 blob {blob}\trun.sh\n".encode(),
        capture_output=True,
        check=True,
    ).stdout.decode()
    base = store.commit_tree(tree.strip(), parents=[], message="x", author=ANN)
    after = store.write_tree_on(base, [AddFile("run.sh", b"new")])
    assert store.entry(after, "run.sh").mode == "100755"


def test_files_and_folders_above_their_limits_are_refused(store):
    with pytest.raises(TooLargeError, match="LFS"):
        change(store, AddFile("big", bytes(10 * 1024**2 + 1)))
    change(store, AddFile("just", bytes(10 * 1024**2)))
    with pytest.raises(TooLargeError):
        store.read(store.resolve("main"), "just", limit_bytes=10 * 1024**2 - 1)
    blob = store.entry(store.resolve("main"), "README.md").oid
    listing = "".join(f"100644 blob {blob}\tf{number}\n" for number in range(10_000))
    tree = subprocess.run(
        ["git", f"--git-dir={store.path}", "mktree"],
        input=listing.encode(),
        capture_output=True,
        check=True,
    ).stdout.decode()
    base = store.commit_tree(tree.strip(), parents=[], message="x", author=ANN)
    with pytest.raises(TooLargeError):
        store.write_tree_on(base, [AddFile("one more", b"x")])
    folders = "".join(f"040000 tree {tree.strip()}\td{number}\n" for number in range(10))
    full = subprocess.run(
        ["git", f"--git-dir={store.path}", "mktree"],
        input=folders.encode(),
        capture_output=True,
        check=True,
    ).stdout.decode()
    with pytest.raises(TooLargeError):
        store.write_tree_on(full.strip(), [AddFile("one more", b"x")])


def test_revisions_are_branches_tags_pull_requests_and_reachable_commits(store):
    first = store.resolve("main")
    second = change(store, AddFile("x", b"1"))
    store.move_ref("refs/tags/v1", new=first, old=None)
    store.move_ref("refs/pr/7", new=second, old=None)
    assert store.resolve("v1") == store.resolve("refs/tags/v1") == first
    assert store.resolve("refs/pr/7") == store.resolve("refs/heads/main") == second
    assert store.resolve(first[:7]) == store.resolve(first) == first
    unreachable = store.commit_tree(store.tree_oid(first), parents=[], message="x", author=ANN)
    for revision in (unreachable, unreachable[:12], store.tree_oid(first)):
        with pytest.raises(RevisionNotFoundError):
            store.resolve(revision)


def test_refs_move_only_from_where_they_are(store):
    first = store.resolve("main")
    second = change(store, AddFile("x", b"1"))
    with pytest.raises(BranchMovedError):
        store.move_ref("refs/heads/main", new=first, old=first)
    with pytest.raises(ConflictError, match="Reference refs/heads/main already exists"):
        store.move_ref("refs/heads/main", new=first, old=None)
    with pytest.raises(BranchMovedError):
        store.delete_ref("refs/heads/main", old=first)
    with pytest.raises(ConflictError):
        store.move_ref("refs/heads/main/below", new=first, old=None)
    store.move_ref("refs/heads/other", new=first, old=None)
    store.delete_ref("refs/heads/other", old=first)
    assert [(ref.name, ref.oid) for ref in store.refs()] == [("refs/heads/main", second)]


def test_every_head_a_pull_request_had_stays_reachable(store):
    main = store.resolve("main")
    tree = store.write_tree_on(main, [AddFile("x", b"1")])
    heads = [
        store.commit_tree(tree, parents=[main], message=f"try {number}", author=ANN)
        for number in range(3)
    ]
    old = None
    for new in heads:
        store.move_ref("refs/pr/1", new=new, old=old)
        old = new
    assert [store.resolve(head) for head in heads] == heads
    assert [ref.name for ref in store.refs()] == ["refs/heads/main", "refs/pr/1"]
    with pytest.raises(ForbiddenError):
        store.delete_ref("refs/pr/1", old=heads[-1])


def race(path, barrier, content, results) -> None:
    store = GitStore(path)
    parent = store.branch_head("main")
    barrier.wait(30)
    try:
        oid = store.commit(
            ref="refs/heads/main",
            parent=parent,
            operations=[AddFile("contested", content)],
            message="race",
            author=ANN,
            expect=parent,
        )
        results.put(("won", oid))
    except BranchMovedError:
        results.put(("lost", None))


def test_of_six_racing_commits_exactly_one_wins(store):
    context = multiprocessing.get_context("spawn")
    for turn in range(3):
        barrier, results = context.Barrier(6), context.Queue()
        racers = [
            context.Process(
                target=race, args=(store.path, barrier, b"%d %d" % (turn, number), results)
            )
            for number in range(6)
        ]
        for racer in racers:
            racer.start()
        outcomes = [results.get(timeout=60) for _ in racers]
        for racer in racers:
            racer.join()
        assert sorted(kind for kind, _ in outcomes) == ["lost"] * 5 + ["won"]
        winner = dict(outcomes)["won"]
        assert store.branch_head("main") == winner
    assert native(store, "fsck", "--full", "--no-dangling") == ""


def random_history(store, seed: int) -> str:
    """A history with merges of every kind, some of which drop one side's change."""
    dice = random.Random(seed)
    heads = [store.resolve("main")]
    for step in range(60):
        if dice.random() < 0.25 and len(heads) > 1:
            parents = dice.sample(heads, 2)
            tree = dice.choice([store.tree_oid(parent) for parent in parents])
            if dice.random() < 0.6:
                try:
                    tree = store.merge_tree(*parents)
                except MergeConflictError:
                    tree = store.write_tree_on(tree, [AddFile("d/f1", b"both %d" % step)])
        else:
            parents = [dice.choice(heads)]
            path = dice.choice(["a", "b", "d/f0", "d/f1", "d/e/f2", "g/h"])
            tree = store.write_tree_on(parents[0], [AddFile(path, b"%d" % dice.randrange(4))])
        at = datetime.fromtimestamp(1_700_000_000 + dice.randrange(500), UTC)  # clocks disagree
        oid = store.commit_tree(tree, parents=parents, message=str(step), author=ANN, at=at)
        heads = [head for head in heads if dice.random() < 0.8 or head not in parents] + [oid]
    return heads[-1]


@pytest.mark.parametrize("seed", range(8))
def test_last_commits_are_those_that_git_names_one_by_one(store, seed):
    oid = random_history(store, seed)
    for folder in ("", "d"):
        paths = [entry.path for entry in store.tree(oid, folder)]
        naive = {path: native(store, "log", "-1", "--format=%H", oid, "--", path) for path in paths}
        found = store.last_commits(oid, folder)
        assert {path: f"{info.oid}\n" for path, info in found.items()} == naive


@pytest.mark.parametrize("seed", range(4))
def test_a_file_s_last_commit_is_git_s_whether_its_folder_was_looked_at_or_not(store, seed):
    oid = random_history(store, seed)
    for path in (path for path in store.paths(oid) if path.startswith(("a", "b", "d/"))):
        named = native(store, "log", "-1", "--format=%H", oid, "--", path).strip()
        assert store.last_commit(oid, path).oid == named
        store.last_commits(oid, path.rpartition("/")[0])
        assert store.last_commit(oid, path).oid == named


def test_history_is_newest_first_and_can_follow_one_path(store):
    first = store.resolve("main")
    second = change(store, AddFile("x", b"1"), message="second")
    third = change(store, AddFile("y", b"1"), message="third")
    assert [one.oid for one in store.commits(third)] == [third, second, first]
    assert [one.oid for one in store.commits(third, skip=1, limit=1)] == [second]
    assert [one.oid for one in store.commits(third, path="x")] == [second]
    assert (store.count_commits(third), store.count_commits(third, path="x")) == (3, 1)


def test_a_merge_holds_both_sides(store):
    base = store.resolve("main")
    store.move_ref("refs/heads/side", new=base, old=None)
    ours = change(store, AddFile("README.md", b"# A better model\n"))
    theirs = change(store, AddFile("new.txt", b"new"), branch="side")
    assert store.merge_base(ours, theirs) == base
    assert store.is_ancestor(base, ours)
    assert not store.is_ancestor(ours, theirs)
    tree = store.merge_tree(ours, theirs)
    merged = store.commit_tree(tree, parents=[ours, theirs], message="Merge", author=ANN)
    assert store.read(merged, "README.md", limit_bytes=99) == b"# A better model\n"
    assert store.read(merged, "new.txt", limit_bytes=99) == b"new"


def test_a_merge_of_the_same_lines_names_the_paths(store):
    base = store.resolve("main")
    store.move_ref("refs/heads/side", new=base, old=None)
    ours = change(store, AddFile("README.md", b"mine"), AddPointer("m.bin", SHA, 7))
    theirs = change(
        store, AddFile("README.md", b"yours"), AddPointer("m.bin", "a" * 64, 7), branch="side"
    )
    with pytest.raises(MergeConflictError) as caught:
        store.merge_tree(ours, theirs)
    assert caught.value.paths == ["README.md", "m.bin"]
    alone = store.commit_tree(store.tree_oid(base), parents=[], message="x", author=ANN)
    with pytest.raises(ConflictError, match="share no commit"):
        store.merge_tree(ours, alone)


def test_a_diff_shows_lines_for_text_and_none_for_large_or_binary_files(store):
    text = b"".join(b"line %d\n" % number for number in range(30))
    base = change(store, AddFile("a.txt", text), AddPointer("m.bin", SHA, 7))
    head = change(
        store,
        DeleteFile("a.txt"),
        AddFile("b.txt", text.replace(b"line 3\n", b"LINE 3\n")),
        AddPointer("m.bin", "b" * 64, 9),
        AddFile("pixel", b"\x00\x01\xff"),
        DeleteFile("README.md"),
    )
    found = {one.path: one for one in store.diff(base, head)}
    assert {path: one.status for path, one in found.items()} == {
        "README.md": "deleted",
        "b.txt": "renamed",
        "m.bin": "modified",
        "pixel": "added",
    }
    renamed = found["b.txt"]
    assert renamed.old_path == "a.txt"
    changed = [(one.sign, one.old_no, one.new_no, one.text) for one in renamed.hunks[0].lines]
    assert ("-", 4, None, "line 3") in changed
    assert ("+", None, 4, "LINE 3") in changed
    assert found["m.bin"].hunks == []
    assert (found["m.bin"].old.lfs.size_bytes, found["m.bin"].new.size) == (7, 9)
    assert found["pixel"].binary
    assert store.changed_paths(base, head) == ["README.md", "a.txt", "b.txt", "m.bin", "pixel"]
    assert [one.truncated for one in store.diff(base, head, limit_bytes=50)].count(True) == 1
    assert len(store.diff(base, head, limit_files=2)) == 2
    assert "+LINE 3" in store.patch(base, head)
    assert len(store.patch(base, head, limit_bytes=200)) < 260
    assert [one.status for one in store.diff(None, base)] == ["added"] * 4


def test_two_large_files_are_no_rename_of_each_other(store):
    base = change(store, AddPointer("old.bin", SHA, 10**9))
    head = change(store, DeleteFile("old.bin"), AddPointer("new.bin", SHA[:-1] + "0", 10**9))
    assert sorted(one.status for one in store.diff(base, head)) == ["added", "deleted"]
    moved = change(store, DeleteFile("new.bin"), AddPointer("x.bin", SHA[:-1] + "0", 10**9))
    assert [one.status for one in store.diff(head, moved)] == ["renamed"]


def test_large_blobs_stream_and_can_be_left_unread(store):
    content = random.Random(1).randbytes(6 * 1024**2)
    oid = change(store, AddFile("six", content))
    blob = store.entry(oid, "six").oid
    with store.open_blob(blob) as stream:
        assert stream.read(10) == content[:10]
    with store.open_blob(blob) as stream:
        assert hashlib.sha256(stream.read()).digest() == hashlib.sha256(content).digest()
    with pytest.raises(EntryNotFoundError):
        store.open_blob(store.tree_oid(oid))


def test_a_listing_of_a_tree_bomb_ends_with_a_refusal(store):
    tree = store.write_tree_on(None, [AddFile("f", b"x")])
    for _ in range(10):
        listing = "".join(f"040000 tree {tree}\td{number}\n" for number in range(10))
        arguments = ["git", f"--git-dir={store.path}", "mktree"]
        done = subprocess.run(arguments, input=listing.encode(), capture_output=True, check=True)
        tree = done.stdout.decode().strip()
    with pytest.raises(TooLargeError):
        store.tree(tree, recursive=True)
    with pytest.raises(TooLargeError):
        store.write_tree_on(tree, [AddFile("g", b"x")])


def test_objects_folders_and_refs_are_synced_before_a_commit_returns(store, tmp_path):
    trace = tmp_path / "trace"
    strace = ["strace", "-f", "-y", "-e", "trace=fsync,fdatasync", "-o", str(trace)]
    program = (
        "import sys; from pathlib import Path; from hub.gitstore import *\n"
        "s = GitStore(Path(sys.argv[1])); h = s.branch_head('main')\n"
        "s.commit(ref='refs/heads/main', parent=h, operations=[AddFile('a/b', b'1')],"
        " message='m', author=Author('A', 'a@b'), expect=h)"
    )
    try:
        subprocess.run([*strace, sys.executable, "-c", program, str(store.path)], check=True)
    except FileNotFoundError:
        pytest.skip("strace is not installed here")
    synced = trace.read_text()
    assert synced.count(f"<{store.path}/objects/") >= 8  # four objects and the folders naming them
    assert f"<{store.path}/refs/heads/main.lock>" in synced
    assert f"<{store.path}/refs/heads>" in synced


def test_a_new_repository_is_refused_where_one_is(store):
    with pytest.raises(ConflictError):
        GitStore.create(store.path, files={}, author=ANN)
    assert store.branch_head("main")
    assert not list(store.path.parent.glob(".new-*"))


def test_an_author_cannot_write_a_header_of_a_commit(store):
    sly = Author("Eve\nparent 0", "e@x> 0 +0000\ncommitter <")
    oid = store.commit_tree(
        store.tree_oid(store.resolve("main")), parents=[], message="x", author=sly
    )
    assert store.commit_info(oid).parents == ()
    assert native(store, "fsck", "--full", "--strict", "--no-dangling") == ""
