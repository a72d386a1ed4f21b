"""Calls 32 and 33: gated access and moving."""

from __future__ import annotations

import hashlib
import os

import pytest

from tests.golden.person import CallError, Person


def test_call_32_access_is_asked_for_and_given(ann: Person, ben: Person):
    name = ann.repo("m1", {"config.json": b"{}"})
    ann.hf("repos", "settings", name, "--gated", "auto")
    assert ann.call("model_info", name, {})["gated"] == "auto"
    text = f"Access to model {name} is restricted and you are not in the authorized list"
    with pytest.raises(CallError, match=r"\bGatedRepoError\b") as refused:
        ben.call("download", name, "config.json")
    assert text in str(refused.value)
    ask_for_access(ben, name)
    assert ben.call("download", name, "config.json")["sha256"] == sha256(b"{}")
    assert ann.call("requests_for", name, "accepted") == [[ben.name, "accepted"]]


def test_call_32_a_request_is_decided_by_hand(ann: Person, ben: Person):
    name = ann.repo("m1", {"config.json": b"{}"})
    ann.hf("repos", "settings", name, "--gated", "manual")
    ask_for_access(ben, name)
    assert ann.call("requests_for", name, "pending") == [[ben.name, "pending"]]
    ann.call("reject", name, ben.name, "Not now.")
    with pytest.raises(CallError, match=r"\bGatedRepoError\b"):
        ben.call("download", name, "config.json")
    ann.call("access", name, "accept_access_request", ben.name)
    assert ben.call("download", name, "config.json")["sha256"] == sha256(b"{}")
    with pytest.raises(CallError):
        ann.call("access", name, "accept_access_request", ben.name)


def test_call_32_access_is_granted_without_a_request(ann: Person, ben: Person):
    name = ann.repo("m1", {"config.json": b"{}"})
    ann.hf("repos", "settings", name, "--gated", "manual")
    ann.call("access", name, "grant_access", ben.name)
    assert ben.call("download", name, "config.json")["sha256"] == sha256(b"{}")
    assert ann.call("requests_for", name, "accepted") == [[ben.name, "accepted"]]
    with pytest.raises(CallError):
        ann.call("access", name, "grant_access", ben.name)


def ask_for_access(person: Person, repo_id: str) -> None:
    """The form on the repository's page, sent as a browser sends it."""
    with person.browser() as browser:
        assert browser.post(f"/{repo_id}/ask-access", {}).status_code < 400


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_call_33_an_old_name_still_works_everywhere(ann: Person, team: str):
    name, weights = ann.repo("m1", {"config.json": b"{}"}), os.urandom(100_000)
    ann.call("upload", name, "w.bin", str(ann.file("w", weights)))
    moved = f"{team}/{name.partition('/')[2]}"
    ann.hf("repos", "move", name, moved)
    head = ann.api.model_info(moved).sha
    for repo_id in (name, moved):
        fresh = ann.home / f"call-33-{repo_id.partition('/')[0]}"
        assert ann.call("download", repo_id, "w.bin", home=fresh)["sha256"] == sha256(weights)
        assert ann.call("snapshot", repo_id, home=fresh)["config.json"] == sha256(b"{}")
        assert ann.call("model_info", repo_id, {})["sha"] == head
        git = ann.git()
        assert head in git("ls-remote", f"{git.url}/{repo_id}", "HEAD")
        assert head in git("ls-remote", f"{git.url}/{repo_id}.git", "HEAD")
    assert "already" in ann.hf("repos", "move", ann.repo("m1"), moved, ok=False)
