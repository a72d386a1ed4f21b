"""Repositories as huggingface_hub creates, moves, copies, lists and removes them."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from huggingface_hub import HfApi, hf_api, snapshot_download
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
