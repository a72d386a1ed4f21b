"""Repositories as huggingface_hub creates, moves, copies, lists and removes them."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from huggingface_hub import HfApi, HfFileSystem, hf_api, hf_hub_download, snapshot_download
from huggingface_hub.errors import BadRequestError, HfHubHTTPError

from tests.server import HubServer

pytestmark = pytest.mark.stack
EXPANSIONS = {
    "model": hf_api.ExpandModelProperty_T,
    "dataset": hf_api.ExpandDatasetProperty_T,
    "space": hf_api.ExpandSpaceProperty_T,
}


@pytest.fixture(scope="module")
def api(hub_server: HubServer) -> HfApi:
    secret = hub_server.manage("ensure_user", "owner-test", "--token", "write")
    return HfApi(endpoint=hub_server.url, token=secret)


@pytest.mark.parametrize("kind", ["space", "kernel"])
def test_other_kinds_are_plain_repositories(api: HfApi, kind: str, tmp_path: Path):
    sdk = {"space_sdk": "static"} if kind == "space" else {}
    url = api.create_repo("owner-test/other", repo_type=kind, **sdk)
    assert (url.repo_type, url.repo_id) == (kind, "owner-test/other")
    first = api.list_repo_files("owner-test/other", repo_type=kind)
    assert first == ([".gitattributes", "README.md"] if kind == "space" else [".gitattributes"])
    api.upload_file(
        path_or_fileobj=b"print(1)\n",
        path_in_repo="app.py",
        repo_id="owner-test/other",
        repo_type=kind,
    )
    folder = snapshot_download(
        "owner-test/other",
        repo_type=kind,
        endpoint=api.endpoint,
        token=api.token,
        cache_dir=tmp_path,
    )
    assert (Path(folder) / "app.py").read_bytes() == b"print(1)\n"
    api.delete_repo("owner-test/other", repo_type=kind)


def test_a_space_is_described_and_listed(api: HfApi):
    api.create_repo("owner-test/shown", repo_type="space", space_sdk="static")
    info = api.space_info("owner-test/shown")
    assert (info.author, info.private, info.runtime) == ("owner-test", False, None)
    assert [one.id for one in api.list_spaces(author="owner-test")] == ["owner-test/shown"]
    with pytest.raises(BadRequestError, match="runs no apps"):
        api.update_repo_settings("owner-test/shown", repo_type="space", visibility="protected")


@pytest.mark.parametrize("kind", ["model", "dataset"])
def test_a_moved_repository_is_found_by_its_old_name(api: HfApi, kind: str, tmp_path: Path):
    old, new = f"owner-test/old-{kind}", f"owner-test/new-{kind}"
    api.create_repo(old, repo_type=kind)
    weights = tmp_path / "w.bin"
    weights.write_bytes(bytes(range(256)) * 1000)
    api.move_repo(old, new, repo_type=kind)
    # A large and a regular file by the old name: every step of an upload is led on.
    api.upload_file(path_or_fileobj=str(weights), path_in_repo="w.bin", repo_id=old, repo_type=kind)
    api.upload_file(
        path_or_fileobj=b"a" * 9_000_000, path_in_repo="a.txt", repo_id=old, repo_type=kind
    )
    where = {"repo_type": kind, "endpoint": api.endpoint, "token": api.token}
    where["cache_dir"] = str(tmp_path / "cache")
    assert api.repo_info(old, repo_type=kind).id == new
    assert Path(hf_hub_download(old, "w.bin", **where)).read_bytes() == weights.read_bytes()
    assert (Path(snapshot_download(old, **where)) / "a.txt").stat().st_size == 9_000_000
    assert HfFileSystem(endpoint=api.endpoint, token=api.token).isfile(
        f"{'datasets/' if kind == 'dataset' else ''}{old}/a.txt"
    )
    other = f"owner-test/other-{kind}"
    api.create_repo(other, repo_type=kind)
    with pytest.raises(HfHubHTTPError, match=f"A {kind} repository called {new} already exists"):
        api.move_repo(other, new, repo_type=kind)


def test_a_copy_is_made_without_sending_anything(api: HfApi, tmp_path: Path):
    weights = tmp_path / "w.bin"
    weights.write_bytes(bytes(range(256)) * 1000)
    source, copy = "owner-test/source", "owner-test/copy"
    api.create_repo(source)
    api.upload_file(path_or_fileobj=str(weights), path_in_repo="w.bin", repo_id=source)
    api.create_tag(source, tag="v1")
    made = api.duplicate_repo(source, copy, private=True)
    assert (made.repo_id, made.files_copy_pending) == (copy, False)
    assert api.model_info(copy).private
    where = {"endpoint": api.endpoint, "token": api.token, "cache_dir": str(tmp_path / "cache")}
    got = hf_hub_download(copy, "w.bin", revision="v1", **where)
    assert Path(got).read_bytes() == weights.read_bytes()
    assert api.duplicate_repo(source, copy, exist_ok=True).repo_id == copy
    with pytest.raises(HfHubHTTPError, match="409"):
        api.duplicate_repo(source, copy)


@pytest.mark.parametrize("kind", EXPANSIONS)
def test_a_wrong_expansion_lists_the_names_that_the_client_knows(api: HfApi, kind: str):
    name = f"owner-test/expanded-{kind}"
    api.create_repo(name, repo_type=kind, space_sdk="static" if kind == "space" else None)
    with pytest.raises(HfHubHTTPError) as refused:
        api.repo_info(name, repo_type=kind, expand=["foo"])  # type: ignore[list-item]
    known = [part.strip('"') for part in str(refused.value).split("expected one of ")[1].split("|")]
    known[-1] = known[-1].partition('"')[0]
    assert known == list(get_args(EXPANSIONS[kind]))
    assert api.repo_info(name, repo_type=kind, expand=known).id == name  # type: ignore[arg-type]
