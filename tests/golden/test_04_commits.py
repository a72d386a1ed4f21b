"""Calls 18-20 and 25-28: commits, branches, tags, and reading all of it."""

from __future__ import annotations

import hashlib
import os
import re

import pytest
from huggingface_hub import CommitOperationAdd

from tests.golden.person import CallError, Person
from tests.golden.traffic import watching


def test_call_18_a_stream_goes_by_lfs(ann: Person):
    name, content = ann.repo("m1"), os.urandom(300_000)
    path = ann.file("stream", content)
    with watching(ann.server) as seen:
        ann.call("upload_stream", name, "x.bin", str(path))
    assert [one[0] for one in seen.to("/-/lfs/") if one[0] == "PUT"] == ["PUT"]
    (entry,) = ann.api.get_paths_info(name, "x.bin")
    assert entry.lfs.sha256 == hashlib.sha256(content).hexdigest()
    assert ann.call("download", name, "x.bin")["sha256"] == entry.lfs.sha256


def test_call_19_add_delete_and_copy_in_one_commit(ann: Person):
    name = ann.repo("m1", {"old.txt": b"old", "kept.txt": b"kept"})
    ann.call("upload", name, "w.bin", str(ann.file("w", os.urandom(50_000))))
    before = len(ann.api.list_repo_commits(name))
    operations = [
        ["add", "new.txt", "new"],
        ["delete", "old.txt"],
        ["copy", "w.bin", "copied.bin"],
        ["copy", "kept.txt", "copied.txt"],
    ]
    ann.call("commit", name, operations)
    assert len(ann.api.list_repo_commits(name)) == before + 1
    files = {one.path: one.blob_id for one in ann.api.list_repo_tree(name)}
    assert "new.txt" in files and "old.txt" not in files
    assert files["copied.bin"] == files["w.bin"]
    assert files["copied.txt"] == files["kept.txt"]


def test_call_20_an_old_parent_is_refused(ann: Person):
    name = ann.repo("m1", {"a.txt": b"a"})
    first = ann.api.list_repo_commits(name)[-1].commit_id
    text = "The branch was updated since you opened this page. Please refresh and try again."
    with pytest.raises(CallError, match=re.escape(text)) as refused:
        ann.call("commit", name, [["add", "late.txt", "late"]], {"parent_commit": first})
    assert "412" in str(refused.value)
    assert "late.txt" not in ann.api.list_repo_files(name)


def test_call_25_a_branch_is_apart_from_main(ann: Person):
    name = ann.repo("m1", {"a.txt": b"a"})
    ann.file("dev.txt", b"dev")
    ann.hf("repos", "branch", "create", name, "dev")
    ann.hf("upload", name, "dev.txt", "dev.txt", "--revision", "dev")
    assert "dev.txt" in ann.call("list_files", name, {"revision": "dev"})
    assert "dev.txt" not in ann.call("list_files", name)
    ann.hf("repos", "branch", "delete", name, "dev")
    assert [one.name for one in ann.api.list_repo_refs(name).branches] == ["main"]
    said = ann.hf("repos", "branch", "delete", name, "main", ok=False)
    assert "Cannot delete refs/heads/main" in said


def test_call_26_a_tag_names_a_commit(ann: Person):
    name = ann.repo("m1", {"a.txt": b"first"})
    head = ann.api.model_info(name).sha
    ann.hf("repos", "tag", "create", name, "v1")
    ann.call("commit", name, [["add", "a.txt", "second"]])
    said = ann.hf("download", name, "a.txt", "--revision", "v1")
    assert f"/snapshots/{head}/a.txt" in said
    assert ann.call("download", name, "a.txt", {"revision": "v1"})["sha256"] == (
        hashlib.sha256(b"first").hexdigest()
    )
    assert re.search(rf"v1 +{head}", ann.hf("repos", "tag", "list", name))
    with watching(ann.server) as seen:
        assert "already exists" in ann.hf("repos", "tag", "create", name, "v1", ok=False)
    assert seen.to(f"/{name}/tag/") == [("POST", 409)]
    ann.hf("repos", "tag", "delete", "-y", name, "v1")
    assert ann.api.list_repo_refs(name).tags == []


def test_call_27_every_list_says_the_same(ann: Person):
    name = ann.repo("m1", {"a.txt": b"a", "folder/b.txt": b"bb"})
    ann.call("upload", name, "w.bin", str(ann.file("w", os.urandom(50_000))))
    found = ann.call("reading", name)
    assert found["tree"] == found["paths"]
    files = {path for path, entry in found["tree"].items() if path != "folder"}
    assert files == set(found["files"])
    assert found["tree"]["folder/b.txt"][:2] == [git_blob(b"bb"), 2]
    commits = [oid for oid, _ in found["commits"]]
    assert [title for _, title in found["commits"]][-1] == "initial commit"
    assert found["refs"] == {"refs/heads/main": commits[0]}
    assert found["tree"]["w.bin"][2] == commits[0]
    assert found["tree"]["a.txt"][2] == found["tree"]["folder"][2] == commits[1]


def git_blob(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()  # noqa: S324


def test_call_27_many_files_come_in_pages(ann: Person):
    name = ann.repo("m1")
    adds = [CommitOperationAdd(f"many/{n:04}.txt", b"%d" % n) for n in range(1500)]
    ann.api.create_commit(name, adds, commit_message="Many")
    with watching(ann.server) as seen:
        found = ann.call("list_files", name)
    assert [path for path in found if path.startswith("many/")] == [
        f"many/{n:04}.txt" for n in range(1500)
    ]
    assert len(seen.to(f"/{name}/tree/")) > 1


def test_call_28_info_of_every_revision(ann: Person):
    name, weights = ann.repo("m1", {"a.txt": b"a"}), os.urandom(40_000)
    ann.api.create_branch(name, branch="dev")
    ann.api.create_tag(name, tag="v1")
    first = ann.api.model_info(name).sha
    ann.call("upload", name, "w.bin", str(ann.file("w", weights)))
    info = ann.call("model_info", name, {"files_metadata": True})
    files = {one[0]: one[1:] for one in info["siblings"]}
    assert files["a.txt"] == [1, git_blob(b"a"), None]
    assert files["w.bin"][0::2] == [len(weights), hashlib.sha256(weights).hexdigest()]
    assert info["sha"] != first
    for revision in ("dev", "v1", first, first[:7]):
        assert ann.call("model_info", name, {"revision": revision})["sha"] == first


def test_call_28_only_what_was_expanded(ann: Person):
    name = ann.repo("m1", {"a.txt": b"a"})
    found = ann.call("model_info", name, {"expand": ["downloads", "tags", "createdAt"]})
    keys = {"id", "downloads", "tags", "created_at"}
    assert set(found["keys"]) - {"modelId"} == keys
    said = f"{ann.endpoint}/api/models/{name}?expand=nothing"
    answer = ann.run(["curl", "-s", "-w", "%{http_code}", said]).stdout
    assert "expected one of" in answer and answer.endswith("400")
