"""Calls 1 and 3-8: sign in, create, upload, download."""

from __future__ import annotations

import hashlib
import os
import re
import urllib.request
from pathlib import Path

import pytest

from tests.golden.person import Person
from tests.golden.traffic import watching

CONFIG = b'{"hidden_size": 8}'


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def printed(said: str, name: str) -> str:
    """What `hf` prints behind `name:`."""
    found = re.search(rf"^ *{name}: (.+)$", said, re.MULTILINE)
    assert found, said
    return found[1].strip()


def test_call_1_a_token_signs_in(ann: Person, team: str):
    fresh = {"HF_HOME": str(ann.home / "call-1"), "HF_TOKEN": ""}
    said = ann.hf("auth", "login", "--token", ann.token, **fresh)
    assert "permission: write" in said
    said = ann.hf("auth", "whoami", **fresh)
    assert printed(said, "user") == ann.name
    assert printed(said, "orgs") == team


def test_call_1_a_wrong_token_is_refused(ann: Person):
    fresh = {"HF_HOME": str(ann.home / "call-1-wrong"), "HF_TOKEN": ""}
    said = ann.hf("auth", "login", "--token", "wb_nobody", ok=False, **fresh)
    assert "Invalid" in said


def test_call_3_create_twice(ann: Person):
    name = ann.new_name("m1")
    said = ann.hf("repos", "create", name)
    assert printed(said, "url") == f"{ann.endpoint}/{name}"
    assert printed(ann.hf("repos", "create", name, "--exist-ok"), "url") == printed(said, "url")
    assert "409" in ann.hf("repos", "create", name, ok=False)


def test_call_4_a_private_dataset_of_an_organisation(ann: Person, ben: Person, team: str):
    name = f"{team}/d1"
    ann.call("create_repo", name, {"repo_type": "dataset", "private": True})
    assert ann.call("repo_exists", name, "dataset")
    assert not ann.call("repo_exists", name, "dataset", True)
    assert not ben.call("repo_exists", name, "dataset")


def test_calls_5_and_6_one_file_up_and_down(ann: Person):
    name = ann.repo("m1")
    ann.file("config.json", CONFIG)
    before = len(ann.api.list_repo_commits(name))
    said = ann.hf("upload", name, "./config.json", "config.json")
    assert len(ann.api.list_repo_commits(name)) == before + 1
    with urllib.request.urlopen(printed(said, "url"), timeout=30) as page:  # noqa: S310
        assert page.status == 200
    path = Path(printed(ann.hf("download", name, "config.json"), "path"))
    assert path.read_bytes() == CONFIG
    with watching(ann.server) as seen:
        assert printed(ann.hf("download", name, "config.json"), "path") == str(path)
    assert seen.to(f"/{name}/resolve/") == [("HEAD", 200)]


@pytest.mark.new_client  # the older one does not say which requests are downloads
@pytest.mark.parametrize("size", [100, 1_000_000], ids=["small", "large"])
def test_call_6_a_download_counts_once(ann: Person, size: int):
    name = ann.repo("m1")
    ann.call("upload", name, "w.bin", str(ann.file("w", os.urandom(size))))
    for home in ("one", "one", "two"):
        ann.call("download", name, "w.bin", home=ann.home / f"call-6-{size}-{home}")
    assert ann.api.model_info(name).downloads == 2


def test_calls_7_and_8_a_folder_twice(ann: Person):
    name = ann.repo("m1")
    weights = os.urandom(8_000_000)
    files = {"model.safetensors": weights, "config.json": CONFIG, "empty.bin": b""}
    for path, content in files.items():
        ann.file(f"folder/{path}", content)
    with watching(ann.server) as seen:
        ann.hf("upload", name, "./folder", ".")
    assert (len(seen.contents), len(seen.commits)) == (1, 1)
    (entry,) = ann.api.get_paths_info(name, "model.safetensors")
    assert (entry.lfs.sha256, entry.size) == (sha256(weights), len(weights))
    head = ann.api.model_info(name).sha
    with watching(ann.server) as seen:
        ann.hf("upload", name, "./folder", ".")
    assert (seen.contents, seen.commits) == ([], [])
    assert ann.api.model_info(name).sha == head
    assert set(files) <= set(ann.api.list_repo_files(name))
