"""People, likes and gated access as huggingface_hub uses them, against a running hub."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest
from huggingface_hub import HfApi, hf_hub_download
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError

from tests.server import HubServer

pytestmark = pytest.mark.stack
CARD = b"---\nlicense: mit\nextra_gated_fields:\n  Company: text\n---\n# Guarded\n"
REPO = "gate-org/guarded"


def person(hub_server: HubServer, name: str) -> HfApi:
    mail = f"{name}@example.org"
    secret = hub_server.manage(
        "ensure_user", name, "--email", mail, "--full-name", name.title(), "--token", "write"
    )
    return HfApi(endpoint=hub_server.url, token=secret)


@pytest.fixture(scope="module")
def owner(hub_server: HubServer) -> HfApi:
    api = person(hub_server, "gate-owner")
    hub_server.manage("ensure_org", "gate-org", "--member", "gate-owner:admin")
    return api


@pytest.fixture(scope="module")
def asker(hub_server: HubServer) -> HfApi:
    return person(hub_server, "gate-asker")


@pytest.fixture(scope="module")
def gated(owner: HfApi) -> str:
    owner.create_repo(REPO)
    owner.upload_file(path_or_fileobj=CARD, path_in_repo="README.md", repo_id=REPO)
    owner.upload_file(path_or_fileobj=b"{}", path_in_repo="config.json", repo_id=REPO)
    owner.update_repo_settings(REPO, gated="manual")
    return REPO


def download(api: HfApi, tmp_path: Path, **more: Any) -> bytes:
    where = {"endpoint": api.endpoint, "token": api.token, "cache_dir": tmp_path / "cache"}
    return Path(hf_hub_download(REPO, "config.json", **(where | more))).read_bytes()


def test_who_am_i(owner: HfApi, hub_server: HubServer, tmp_path: Path):
    me = owner.whoami()
    assert (me["name"], me["fullname"]) == ("gate-owner", "Gate-Owner")
    assert me["email"] == "gate-owner@example.org"
    (organization,) = me["orgs"]
    assert (organization["name"], organization["roleInOrg"]) == ("gate-org", "admin")
    program = [sys.executable, "-m", "huggingface_hub.cli.hf", "auth", "whoami"]
    said = subprocess.run(
        program,
        env=os.environ
        | {"HF_ENDPOINT": hub_server.url, "HF_TOKEN": str(owner.token), "HF_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    ).stdout
    assert "gate-owner" in said and "gate-org" in said


def test_a_request_from_asking_to_the_download(
    owner: HfApi, asker: HfApi, gated: str, tmp_path: Path
):
    for api, said in ((asker, "not in the authorized list"), (None, "restricted")):
        token = api.token if api else False
        with pytest.raises(GatedRepoError, match=said):
            download(asker, tmp_path, token=token)
    ask(asker)
    (pending,) = owner.list_pending_access_requests(gated)
    assert (pending.username, pending.status) == ("gate-asker", "pending")
    assert pending.email == "gate-asker@example.org"
    assert pending.fields == {"Company": "Acme"}
    owner.accept_access_request(gated, "gate-asker")
    assert download(asker, tmp_path) == b"{}"
    with pytest.raises(HfHubHTTPError, match="already accepted"):
        owner.accept_access_request(gated, "gate-asker")
    owner.cancel_access_request(gated, request_id=pending.request_id)
    assert [one.username for one in owner.list_pending_access_requests(gated)] == ["gate-asker"]
    owner.reject_access_request(gated, "gate-asker", rejection_reason="Not yet")
    (rejected,) = owner.list_rejected_access_requests(gated)
    assert rejected.status == "rejected"
    with pytest.raises(GatedRepoError, match="has been rejected"):
        download(asker, tmp_path, cache_dir=tmp_path / "new")
    with pytest.raises(HfHubHTTPError, match="403"):
        list(asker.list_pending_access_requests(gated))


def ask(api: HfApi) -> None:
    response = httpx2.post(
        f"{api.endpoint}/{REPO}/ask-access",
        data={"Company": "Acme"},
        headers={"authorization": f"Bearer {api.token}"},
    )
    assert response.status_code == 200, response.text


def test_granting_without_a_request(owner: HfApi, gated: str, hub_server: HubServer):
    person(hub_server, "gate-guest")
    owner.grant_access(gated, "gate-guest")
    (accepted,) = [
        one for one in owner.list_accepted_access_requests(gated) if one.username == "gate-guest"
    ]
    assert accepted.email is None and accepted.fullname == "Gate-Guest"
    with pytest.raises(HfHubHTTPError, match="already has access"):
        owner.grant_access(gated, "gate-guest")
    with pytest.raises(HfHubHTTPError, match="404"):
        owner.grant_access(gated, "gate-nobody")


def test_likes(owner: HfApi, asker: HfApi, gated: str):
    for kind in ("model", "dataset"):
        owner.create_repo("gate-org/liked", repo_type=kind, exist_ok=True)
        address = f"{asker.endpoint}/api/{kind}s/gate-org/liked/like"
        headers = {"authorization": f"Bearer {asker.token}"}
        assert httpx2.post(address, headers=headers).json() == {"likes": 1}
    likes = owner.list_liked_repos("gate-asker")
    assert (likes.total, likes.models, likes.datasets) == (
        2,
        ["gate-org/liked"],
        ["gate-org/liked"],
    )
    (liker,) = owner.list_repo_likers("gate-org/liked")
    assert (liker.username, liker.fullname) == ("gate-asker", "Gate-Asker")
    assert asker.get_user_overview("gate-asker").num_likes == 2
    asker.unlike("gate-org/liked", repo_type="dataset")
    asker.unlike("gate-org/liked", repo_type="dataset")
    assert owner.list_liked_repos("gate-asker").datasets == []
    assert owner.model_info("gate-org/liked").likes == 1


def test_overviews_followers_and_members(owner: HfApi, asker: HfApi, gated: str):
    headers = {"authorization": f"Bearer {asker.token}"}
    for path in ("users/gate-owner", "organizations/gate-org"):
        address = f"{asker.endpoint}/api/{path}/follow"
        assert httpx2.post(address, headers=headers).status_code == 200
    user = asker.get_user_overview("gate-owner")
    assert (user.fullname, user.is_following, user.num_followers) == ("Gate-Owner", True, 1)
    assert [one.name for one in user.orgs] == ["gate-org"]
    organization = asker.get_organization_overview("gate-org")
    assert (organization.num_users, organization.is_following) == (1, True)
    assert organization.num_models == len(list(owner.list_models(author="gate-org")))
    names = {
        "followers": asker.list_user_followers("gate-owner"),
        "following": asker.list_user_following("gate-asker"),
        "of the organisation": asker.list_organization_followers("gate-org"),
        "members": asker.list_organization_members("gate-org"),
    }
    assert {key: [one.username for one in found] for key, found in names.items()} == {
        "followers": ["gate-asker"],
        "following": ["gate-owner"],
        "of the organisation": ["gate-asker"],
        "members": ["gate-owner"],
    }
    picture = httpx2.get(user.avatar_url)
    assert picture.headers["content-type"] == "image/svg+xml"
