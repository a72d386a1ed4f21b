"""The API as huggingface_hub uses it, against a running hub."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest
from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationDelete,
    HfApi,
    HfFileSystem,
    hf_hub_download,
    snapshot_download,
)
from huggingface_hub.errors import (
    BadRequestError,
    HfHubHTTPError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from tests.server import HubServer

pytestmark = pytest.mark.stack
CARD = b"---\nlicense: mit\ntags: [tiny]\n---\n# Tiny\n"


@pytest.fixture(scope="module")
def api(hub_server: HubServer) -> HfApi:
    secret = hub_server.manage("ensure_user", "client-test", "--token", "admin")
    return HfApi(endpoint=hub_server.url, token=secret)


@pytest.fixture(scope="module")
def repo_id(api: HfApi) -> str:
    name = "client-test/tiny"
    api.create_repo(name)
    files = {"README.md": CARD, "config.json": b"{}", "sub folder/to?/my$file%20x": b"odd"}
    operations = [CommitOperationAdd(path, content) for path, content in files.items()]
    api.create_commit(name, operations=operations, commit_message="Add files")
    return name


def test_the_client_knows_itself(api: HfApi):
    answer = api.whoami()
    assert answer["name"] == "client-test"
    assert answer["auth"]["accessToken"]["role"] == "admin"


def test_creating_again_is_no_fault_when_allowed(api: HfApi, repo_id: str):
    assert api.create_repo(repo_id, exist_ok=True).repo_id == repo_id
    with pytest.raises(HfHubHTTPError, match="409"):
        api.create_repo(repo_id)


def test_the_request_id_of_the_client_comes_back(api: HfApi, hub_server: HubServer):
    for sent in ({"x-amzn-trace-id": "trace-1"}, {"x-request-id": "request-1"}):
        response = httpx2.get(f"{hub_server.url}/api/models", headers=sent)
        assert response.headers["x-request-id"] == next(iter(sent.values()))


def test_downloads(api: HfApi, repo_id: str, tmp_path: Path):
    where: dict[str, Any] = {
        "endpoint": api.endpoint,
        "token": api.token,
        "cache_dir": tmp_path / "cache",
    }
    path = hf_hub_download(repo_id, "sub folder/to?/my$file%20x", **where)
    assert Path(path).read_bytes() == b"odd"
    folder = Path(snapshot_download(repo_id, **where))
    assert (folder / "README.md").read_bytes() == CARD
    with pytest.raises(RemoteEntryNotFoundError):
        hf_hub_download(repo_id, "nope.json", **where)
    with pytest.raises(RevisionNotFoundError):
        hf_hub_download(repo_id, "config.json", revision="nope", **where)
    for token in (api.token, False):
        with pytest.raises(RepositoryNotFoundError):
            hf_hub_download("client-test/none", "x", **(where | {"token": token}))


def test_uploading_what_is_there_makes_no_commit(api: HfApi, repo_id: str):
    head = api.model_info(repo_id).sha
    api.upload_file(path_or_fileobj=CARD, path_in_repo="README.md", repo_id=repo_id)
    assert api.model_info(repo_id).sha == head


def test_a_card_with_invalid_metadata_is_refused_before_the_upload(api: HfApi, repo_id: str):
    with pytest.raises((ValueError, BadRequestError), match="license"):
        api.upload_file(
            path_or_fileobj=b"---\nlicense: nobody\n---\n",
            path_in_repo="README.md",
            repo_id=repo_id,
        )


def test_reading_it_all(api: HfApi, repo_id: str):
    info = api.model_info(repo_id, files_metadata=True)
    assert info.card_data is not None and info.card_data.license == "mit"
    assert info.tags is not None and "tiny" in info.tags
    tree = {entry.path for entry in api.list_repo_tree(repo_id, recursive=True, expand=True)}
    assert {"README.md", "sub folder/to?"} <= tree
    assert [one.path for one in api.get_paths_info(repo_id, ["config.json", "no"])] == [
        "config.json"
    ]
    assert api.list_repo_commits(repo_id)[-1].title == "initial commit"
    assert [ref.name for ref in api.list_repo_refs(repo_id).branches] == ["main"]
    assert repo_id in {one.id for one in api.list_models(search="tiny", author="client-test")}
    assert set(vars(api.model_info(repo_id, expand=["sha"]))) >= {"sha", "id"}


def test_branches_and_tags(api: HfApi, repo_id: str):
    api.create_branch(repo_id, branch="dev/x")
    api.upload_file(path_or_fileobj=b"1", path_in_repo="dev.txt", repo_id=repo_id, revision="dev/x")
    api.create_tag(repo_id, tag="v1", revision="dev/x")
    assert "dev.txt" in api.list_repo_files(repo_id, revision="v1")
    assert "dev.txt" not in api.list_repo_files(repo_id)
    with pytest.raises(HfHubHTTPError, match="already exists"):
        api.create_tag(repo_id, tag="v1")
    api.delete_tag(repo_id, tag="v1")
    api.delete_branch(repo_id, branch="dev/x")
    with pytest.raises(HfHubHTTPError, match="Cannot delete refs/heads/main"):
        api.delete_branch(repo_id, branch="main")
    with pytest.raises(HfHubHTTPError, match="Invalid rev id"):
        api.delete_branch(repo_id, branch="dev/x")


def test_a_commit_on_an_old_parent_is_refused(api: HfApi, repo_id: str):
    first = api.list_repo_commits(repo_id)[-1].commit_id
    with pytest.raises(HfHubHTTPError, match="The branch was updated"):
        api.create_commit(
            repo_id,
            operations=[CommitOperationAdd("late.txt", b"late")],
            commit_message="Too late",
            parent_commit=first,
        )
    with pytest.raises(RemoteEntryNotFoundError):
        api.create_commit(
            repo_id, operations=[CommitOperationDelete("nope")], commit_message="Delete nothing"
        )


def test_ranges_through_the_file_system(api: HfApi, repo_id: str):
    files = HfFileSystem(endpoint=api.endpoint, token=api.token)
    assert f"{repo_id}/config.json" in files.ls(repo_id, detail=False)
    assert files.cat_file(f"{repo_id}/README.md", start=4, end=11) == CARD[4:11]


def test_settings_and_the_end(api: HfApi, hub_server: HubServer):
    api.create_repo("client-test/short")
    api.update_repo_settings("client-test/short", private=True, gated="auto")
    info = api.model_info("client-test/short")
    assert (info.private, info.gated) == (True, "auto")
    stranger = HfApi(endpoint=hub_server.url, token=False)
    assert not stranger.repo_exists("client-test/short")
    api.delete_repo("client-test/short")
    with pytest.raises(RepositoryNotFoundError):
        api.delete_repo("client-test/short")
    api.delete_repo("client-test/short", missing_ok=True)


def test_the_hub_is_sound_after_all_of_this(hub_server: HubServer, repo_id: str):
    report = json.loads(hub_server.manage("check_integrity", "--deep", "--json"))
    assert report == {"ok": True, "findings": []}
