"""Pushes that are small on the wire and huge behind it: refused, with the hub well."""

import subprocess

import pytest

from hub.gitstore import GitStore
from hub.gitstore.http import advertise


def push(git, work, commit: str) -> str:
    said: str = git("-C", str(work), "push", "origin", f"{commit}:refs/heads/bomb", ok=False)
    return said


def mktree(git, work, lines: list[str]) -> str:
    return git(
        "-C", str(work), "mktree", stdin="".join(f"{line}\n" for line in lines).encode()
    ).strip()


def test_a_blob_of_hundreds_of_megabytes_in_a_small_pack_is_refused(server, git, store):
    work = git.clone()
    with (work / "zeros").open("wb") as file:
        file.truncate(200 * 1024**2)
    git("-C", str(work), "add", "zeros")
    git("-C", str(work), "commit", "--quiet", "-m", "zeros")
    said = push(git, work, "HEAD")
    assert "zeros is 200.0 MiB" in said
    assert "git lfs migrate import" in said
    well(store)


@pytest.mark.parametrize(("size", "accepted"), [(10 * 1024**2, True), (10 * 1024**2 + 1, False)])
def test_a_file_may_have_ten_mebibytes_and_no_more(server, git, store, size, accepted):
    work = git.clone()
    git.commit(work, "edge", bytes(size))
    git("-C", str(work), "push", "origin", "HEAD:edge", ok=accepted)
    assert (GitStore(store.path).branch_head("edge") is not None) == accepted


def test_twelve_trees_that_mean_ten_billion_paths_are_refused(server, git, store):
    work = git.clone()
    blob = git("-C", str(work), "rev-parse", "HEAD:README.md").strip()
    tree = mktree(git, work, [f"100644 blob {blob}\tf"])
    for _ in range(10):
        tree = mktree(git, work, [f"040000 tree {tree}\td{number}" for number in range(10)])
    commit = git("-C", str(work), "commit-tree", tree, "-m", "bomb").strip()
    said = push(git, work, commit)
    assert "at most 100000 files" in said.replace("\nremote: ", " ")
    well(store)


def test_folders_nested_without_end_are_refused(server, git, store):
    work = git.clone()
    blob = git("-C", str(work), "rev-parse", "HEAD:README.md").strip()
    tree = mktree(git, work, [f"100644 blob {blob}\tf"])
    for _ in range(60):
        tree = mktree(git, work, [f"040000 tree {tree}\td"])
    commit = git("-C", str(work), "commit-tree", tree, "-m", "deep").strip()
    said = push(git, work, commit)
    assert "nested deeper than 32" in said
    well(store)


def test_a_push_of_too_many_refs_is_refused(server, git, store):
    work = git.clone()
    refs = [f"HEAD:refs/heads/b{number}" for number in range(101)]
    said = git("-C", str(work), "push", "origin", *refs, ok=False)
    assert "one push moves at most 100 refs" in said
    git("-C", str(work), "push", "--quiet", "origin", *refs[:100])
    assert len(GitStore(store.path).refs()) == 101


def well(store: GitStore) -> None:
    """Nothing of the refused push is left, and the repository answers."""
    assert GitStore(store.path).branch_head("bomb") is None
    assert b"refs/heads/main" in advertise(store, "git-upload-pack", None)
    counted = subprocess.run(
        ["git", f"--git-dir={store.path}", "count-objects", "-v"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "garbage: 0" in counted
    assert "size-garbage: 0" in counted
    assert "in-pack: 0" in counted
