"""A proposal of a sparse patch alone, through the public client, against a running hub."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
import requests
from huggingface_hub import CommitOperationAdd, HfApi
from safetensors.numpy import load_file, save_file

from reviews.weights.patch_writing import make_patch
from reviews.weights.patches import PATCH
from tests.server import HubServer
from tests.training.factories import TINY
from tests.weights.folders import opened

pytestmark = pytest.mark.stack
REPO = "patcher/model"
NAME = "model.layers.1.self_attn.q_proj.weight"
PATIENCE_SECONDS = 90


def asked(url: str, token: str, method: str = "GET", **headers: str) -> bytes:
    about = {"Authorization": f"Bearer {token}", **headers}
    answer = requests.request(method, url, headers=about, timeout=60)
    answer.raise_for_status()
    return answer.content


def settled(url: str, token: str) -> dict[str, Any]:
    """The answer once a worker is done."""
    ends_at = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < ends_at:
        told = json.loads(asked(url, token))
        if told["state"] in ("done", "failed"):
            return told
        time.sleep(0.5)
    raise AssertionError(f"{url} is not done: {told['state']}")


def test_a_patch_is_proposed_weighed_and_downloaded_as_full_weights(
    hub_server: HubServer, tmp_path: Path
):
    owner = HfApi(endpoint=hub_server.url, token=hub_server.person("patcher"))
    token = hub_server.person("giver")
    giver = HfApi(endpoint=hub_server.url, token=token)
    base, whole = tmp_path / "base", tmp_path / "whole"
    for folder in (base, whole):
        folder.mkdir()
    held = load_file(TINY / "model.safetensors")
    save_file(held, base / "model.safetensors", metadata={"format": "pt"})
    held[NAME][3, 5:60] += 1
    save_file(held, whole / "model.safetensors", metadata={"format": "pt"})
    with opened(base) as before, opened(whole) as after:
        make_patch(before, after, tmp_path / PATCH)
    owner.create_repo(REPO)
    owner.upload_folder(repo_id=REPO, folder_path=base)
    owner.upload_file(
        repo_id=REPO, path_or_fileobj=TINY / "config.json", path_in_repo="config.json"
    )
    done = giver.create_commit(
        REPO,
        [CommitOperationAdd(PATCH, tmp_path / PATCH)],
        commit_message="Mend row 3",
        create_pr=True,
    )
    assert done.pr_num == 1
    root = f"{hub_server.url}/api/models/{REPO}"
    told = settled(f"{root}/discussions/1/weights", token)
    assert told["problems"] == []
    facts = {fact["code"]: fact["parameters"] for fact in told["summary"]["facts"]}
    assert (facts["patched"]["replaced"], facts["patched"]["tensors"]) == (55, [NAME])
    page = asked(f"{hub_server.url}/{REPO}/discussions/1/weights", token).decode()
    assert "A sparse patch replaces 55 of " in page and "No loader reads a sparse patch" in page
    full = f"{root}/full-weights/refs%2Fpr%2F1"
    asked(full, token, "POST")
    (file,) = settled(full, token)["files"]
    expected = (whole / "model.safetensors").read_bytes()
    assert asked(file["url"], token) == expected
    assert asked(file["url"], token, Range="bytes=1000-1999") == expected[1000:2000]
    names = giver.list_repo_files(REPO, revision="refs/pr/1")
    assert PATCH in names and (tmp_path / PATCH).stat().st_size < len(expected) / 100
