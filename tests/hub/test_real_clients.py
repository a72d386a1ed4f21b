"""hf, hf_xet, git and git-lfs against a whole hub, as people run them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import time
from collections.abc import Iterator
from http.client import HTTPResponse
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.hub.machines import Machine, ask, random_file, signed_upload
from tests.hub.transfers import changed
from tests.server import HubServer

pytestmark = pytest.mark.stack
SIZE = 3_000_000
XET_DOWNLOAD = """
import hf_xet
name, size, path = args
session = hf_xet.XetSession()
url = os.environ["HF_ENDPOINT"] + "/api/models/ann/home/xet-read-token/main"
headers = {"authorization": "Bearer " + os.environ["HF_TOKEN"]}
with session.new_file_download_group(token_refresh_url=url, token_refresh_headers=headers,
                                     custom_headers={}, progress_callback=None) as group:
    group.start_download_file(hf_xet.XetFileInfo(name, int(size)), path)
"""
XET_UPLOAD = """
import hf_xet, json
session = hf_xet.XetSession()
url = os.environ["HF_ENDPOINT"] + "/api/models/ann/home/xet-write-token/main"
headers = {"authorization": "Bearer " + os.environ["HF_TOKEN"]}
with session.new_upload_commit(token_refresh_url=url, token_refresh_headers=headers,
                               custom_headers={}, progress_callback=None) as commit:
    handle = commit.start_upload_file(args[0], sha256=hf_xet.COMPUTE_SHA256)
info = handle.result().xet_info
print(json.dumps([info.hash, info.sha256, info.file_size]))
"""


@pytest.fixture(scope="module")
def ann(hub_server: HubServer, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    machine = Machine(hub_server, tmp_path_factory.mktemp("ann"), hub_server.person("ann"))
    machine.python("api.create_repo('ann/home', exist_ok=True, private=True)")
    machine.python("api.create_repo('ann/public', exist_ok=True)")
    return machine


@pytest.fixture(scope="module")
def ben(hub_server: HubServer, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    return Machine(hub_server, tmp_path_factory.mktemp("ben"), hub_server.person("ben"))


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return random_file(tmp_path / "weights.safetensors", SIZE)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


UPLOAD = "api.upload_file(path_or_fileobj=args[0], path_in_repo=args[1], repo_id=args[2])"
DOWNLOAD = "print(hf_hub_download(args[1], args[0], revision=args[2]))"


@pytest.mark.parametrize("environment", [{}, {"HF_HUB_DISABLE_XET": "1"}], ids=["xet", "lfs"])
def test_hf_sends_and_fetches_a_file(ann, weights, environment):
    name = f"{'lfs' if environment else 'xet'}.safetensors"
    ann.python(UPLOAD, weights, name, "ann/home", **environment)
    tree = "print([x.lfs.sha256 for x in api.list_repo_tree('ann/home') if x.path == args[0]])"
    assert ann.python(tree, name) == str([sha256(weights)])
    found = ann.python(DOWNLOAD, name, "ann/home", "main", **environment)
    assert sha256(Path(found)) == sha256(weights)


def test_hf_sends_a_folder_twice(ann, tmp_path, weights):
    folder = tmp_path / "folder"
    folder.mkdir()
    shutil.copy(weights, folder / "model.safetensors")
    (folder / "empty.bin").touch()
    (folder / "config.json").write_text("{}")
    script = "print(api.upload_folder(folder_path=args[0], repo_id='ann/home').oid)"
    ann.python(script, folder)
    with (folder / "model.safetensors").open("ab") as file:
        file.write(os.urandom(1000))
    ann.python(script, folder)  # most of it is in this machine's cache of what it sent
    found = ann.python(DOWNLOAD, "model.safetensors", "ann/home", "main")
    assert sha256(Path(found)) == sha256(folder / "model.safetensors")


@pytest.mark.parametrize("environment", [{}, {"HF_HUB_DISABLE_XET": "1"}], ids=["xet", "lfs"])
def test_someone_without_rights_proposes_weights(ann, ben, weights, environment):
    script = UPLOAD[:-1] + ", create_pr=True).pr_revision"
    number = ben.python(f"print({script})", weights, "w.safetensors", "ann/public", **environment)
    found = ann.python(DOWNLOAD, "w.safetensors", "ann/public", number)
    assert sha256(Path(found)) == sha256(weights)
    said = ben.python(UPLOAD, weights, "w.safetensors", "ann/public", ok=False, **environment)
    assert "403" in said
    said = ben.python(UPLOAD, weights, "w.safetensors", "ann/home", ok=False, **environment)
    assert "404" in said


def test_hf_xet_fetches_what_it_sent(ann, weights, tmp_path):
    xet_hash, digest, size = json.loads(ann.python(XET_UPLOAD, weights))
    assert (digest, size) == (sha256(weights), SIZE)
    fetched = tmp_path / "fetched"
    ann.python(XET_DOWNLOAD, xet_hash, size, fetched)
    assert sha256(fetched) == digest


@pytest.mark.skipif(shutil.which("git-lfs") is None, reason="git-lfs is not installed")
def test_git_lfs_pushes_and_clones(ann, ben, weights):
    git = ann.git()
    work = git.home / "work"
    git("clone", "--quiet", f"{git.url}/ann/home", str(work))
    shutil.copy(weights, work / "pushed.safetensors")
    (work / "notes.txt").write_bytes(os.urandom(2_000_000))  # large enough to come in chunks
    git("-C", str(work), "add", ".")
    git("-C", str(work), "commit", "--quiet", "-m", "Weights")
    git("-C", str(work), "push", "--quiet", "origin", "main")
    again = git.home / "again"
    git("clone", "--quiet", f"{git.url}/ann/home.git", str(again))
    assert sha256(again / "pushed.safetensors") == sha256(weights)
    found = ann.python(DOWNLOAD, "pushed.safetensors", "ann/home", "main")
    assert sha256(Path(found)) == sha256(weights)
    stranger = ben.git()
    said = stranger("ls-remote", f"{stranger.url}/ann/home", ok=False)
    assert "not found" in said


def test_bytes_travel_through_the_proxy_whole_or_not_at_all(ann, weights):
    content = weights.read_bytes()
    href = signed_upload(ann, sha256(weights), SIZE)
    wrong = ask(href, "PUT", content[::-1])
    assert (wrong.status, json.loads(wrong.body)["message"] != "") == (400, True)
    pieces: Iterator[bytes] = (content[at : at + 100_000] for at in range(0, SIZE, 100_000))
    assert ask(href, "PUT", pieces, {"Transfer-Encoding": "chunked"}).status == 200
    assert ask(href, "PUT", content, {"X-Body-File": "/etc/passwd"}).status == 200
    # nginx removes its file once it has sent the answer.
    deadline = time.monotonic() + 10
    while left := list((ann.server.data_dir / "spool").iterdir()):
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("lie", "status"), [({"size": "1"}, 401), ({"grant": "1.1.1.1." + "0" * 64}, 401), ({}, 400)]
)
def test_a_refused_upload_is_not_asked_for_its_bytes(ann, lie, status):
    href = changed(signed_upload(ann, "ab" * 32, SIZE), **lie)
    parts = urlsplit(href)
    with socket.create_connection((parts.hostname, parts.port), timeout=20) as connection:
        lines = [f"PUT {parts.path}?{parts.query} HTTP/1.1", f"Host: {parts.netloc}"]
        lines += [f"Content-Length: {SIZE + 1}", "Expect: 100-continue", "", ""]
        connection.sendall("\r\n".join(lines).encode())
        response = HTTPResponse(connection)
        response.begin()
        assert response.status == status
        assert json.loads(response.read())["error"]
