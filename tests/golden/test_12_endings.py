"""Calls 39 and 40: what is forgotten and what is deleted."""

from __future__ import annotations

import hashlib
import os

import pytest
from huggingface_hub import HfApi

from tests.golden.person import CallError, Person


def test_call_39_history_is_squashed_and_storage_shrinks(ann: Person):
    name, other, weights = ann.repo("m1"), ann.repo("m2"), os.urandom(400_000)
    for repo_id in (name, other):
        ann.call("upload", repo_id, "w.bin", str(ann.file("w", weights)))
    ann.call("commit", name, [["add", "a.txt", "a"]])
    assert ann.call("squash", name, "All in one")[0][1] == "All in one"
    assert len(ann.api.list_repo_commits(name)) == 1
    ((path, oid, size),) = ann.call("large_files", name)
    assert (path, oid, size) == ("w.bin", hashlib.sha256(weights).hexdigest(), len(weights))
    before = storage_of(ann)[name]
    assert ann.call("forget_large_files", name, "w.bin") == 1
    assert ann.call("large_files", name) == []
    assert storage_of(ann)[name] <= before - len(weights)
    assert "w.bin" not in ann.api.list_repo_files(name)
    found = ann.call("download", other, "w.bin", home=ann.home / "call-39")
    assert found["sha256"] == oid


def storage_of(person: Person) -> dict[str, int]:
    """Bytes by repository, as `hf repos ls` shows them."""
    listed = HfApi(endpoint=person.server.url, token=person.token).list_user_repos()
    return {one.id: one.storage for one in listed}


def test_call_40_what_is_deleted_is_gone_everywhere(ann: Person):
    kept, name = ann.repo("m2"), ann.repo("m3", {"a.txt": b"a"})
    weights = os.urandom(123_456)
    ann.call("upload", kept, "w.bin", str(ann.file("w", weights)))
    said = ann.hf("repos", "ls", "--limit", "500")
    assert kept in said and name in said
    assert storage_of(ann)[kept] >= len(weights)
    ann.hf("repos", "delete", name, "--yes")
    said = ann.hf("repos", "ls", "--limit", "500")
    assert kept in said and name not in said
    with pytest.raises(CallError, match=r"\bRepositoryNotFoundError\b"):
        ann.call("model_info", name, {})
    with pytest.raises(CallError, match=r"\bRepositoryNotFoundError\b"):
        ann.call("download", name, "a.txt", home=ann.home / "call-40")
    git = ann.git()
    assert "not found" in git("ls-remote", f"{git.url}/{name}", ok=False)
    with ann.browser() as browser:
        assert browser.get(f"/{name}").status_code == 404
    said = ann.hf("repos", "delete", name, "--yes", ok=False)
    assert "Repository not found" in said or "404" in said


def test_call_40_a_token_is_forgotten(ann: Person):
    fresh = {"HF_HOME": str(ann.home / "call-40-out"), "HF_TOKEN": ""}
    ann.hf("auth", "login", "--token", ann.token, **fresh)
    ann.hf("auth", "logout", **fresh)
    assert "Not logged in" in ann.hf("auth", "whoami", ok=False, **fresh)
