"""Calls 21-24: pull requests and discussions."""

from __future__ import annotations

import hashlib
import os
import re

import pytest

from tests.golden.person import CallError, Person


def test_call_21_an_upload_becomes_a_pull_request(ann: Person):
    name = ann.repo("m1", {"a.txt": b"a"})
    head = ann.api.model_info(name).sha
    ann.file("new.txt", b"new")
    ann.hf("upload", name, "new.txt", "new.txt", "--create-pr")
    assert ann.api.model_info(name).sha == head
    assert ann.call("discussion", name, 1)["status"] == "open"
    assert "new.txt" not in ann.api.list_repo_files(name)
    found = ann.call("download", name, "new.txt", {"revision": "refs/pr/1"})
    assert found["sha256"] == hashlib.sha256(b"new").hexdigest()


def test_call_22_somebody_without_rights_proposes_weights(ann: Person, ben: Person):
    name, weights = ann.repo("m1", {"a.txt": b"a"}), os.urandom(2_000_000)
    path = ben.file("weights", weights)
    with pytest.raises(CallError, match="403"):
        ben.call("upload", name, "w.safetensors", str(path))
    made = ben.call("upload", name, "w.safetensors", str(path), {"create_pr": True})
    assert (made["revision"], made["number"]) == ("refs/pr/1", 1)
    ben.file("proposed/v.safetensors", weights[:-1])
    ben.hf("upload", name, "./proposed", ".", "--create-pr")
    for number, file, content in ((1, "w", weights), (2, "v", weights[:-1])):
        options = {"revision": f"refs/pr/{number}"}
        found = ann.call("download", name, f"{file}.safetensors", options)
        assert found["sha256"] == hashlib.sha256(content).hexdigest()


def test_call_23_a_pull_request_on_the_command_line(ann: Person, ben: Person):
    name = ann.repo("m1", {"a.txt": b"a\n"})
    made = ben.call("upload", name, "a.txt", str(ben.file("b", b"b\n")), {"create_pr": True})
    listed = ann.hf("discussions", "list", name, "--kind", "pull_request")
    assert re.search(rf"1 .*open +{ben.name}", listed)
    assert '"status": "open"' in ann.hf("discussions", "info", name, "1")
    diff = ann.hf("discussions", "diff", name, "1")
    assert "-a" in diff.splitlines() and "+b" in diff.splitlines()
    ann.hf("discussions", "comment", name, "1", "--body", "Good.")
    assert "403" in ben.hf("discussions", "merge", name, "1", "--yes", ok=False)
    ann.hf("discussions", "merge", name, "1", "--yes")
    found = ann.call("discussion", name, 1)
    assert found["status"] == "merged"
    commits = [one.commit_id for one in ann.api.list_repo_commits(name)]
    assert commits[0] == found["merged"]
    assert made["oid"] in commits
    assert ann.call("download", name, "a.txt")["sha256"] == hashlib.sha256(b"b\n").hexdigest()


def test_call_24_a_discussion_tells_its_story_in_order(ann: Person):
    found = ann.call("converse", ann.repo("m1"))
    assert (found["title"], found["status"]) == ("A question", "closed")
    assert found["edited"] == "Because." and found["same"] == ["Because."]
    kinds = [kind for kind, _ in found["events"]]
    assert kinds == ["comment", "comment", "title-change", "status-change", "comment"]
    texts = [text for kind, text in found["events"] if kind == "comment"]
    assert texts == ["Why?", "Because.", "Done."]
