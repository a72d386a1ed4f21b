"""git and git-lfs through the whole hub, proxy included: every way they have of asking."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import CommitOperationAdd, HfApi

from tests.gitstore.conftest import Client as Git
from tests.hub.machines import Machine
from tests.server import HubServer

pytestmark = pytest.mark.stack
STEPS = 6


@pytest.fixture(scope="module")
def ida(hub_server: HubServer, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    machine = Machine(hub_server, tmp_path_factory.mktemp("gita"), hub_server.person("gita"))
    api = api_of(machine)
    api.create_repo("gita/home", private=True)
    for number in range(STEPS):
        files = {"step.txt": b"%d" % number, f"folder/{number}.txt": b"x" * number}
        operations = [CommitOperationAdd(path, content) for path, content in files.items()]
        api.create_commit("gita/home", operations=operations, commit_message=f"Step {number}")
    return machine


def api_of(machine: Machine) -> HfApi:
    return HfApi(endpoint=machine.server.url, token=machine.token)


@pytest.fixture
def git(ida: Machine, tmp_path: Path) -> Git:
    """A new computer; the token is in the address."""
    return Git(tmp_path / "home", ida.server.url.replace("://", f"://person:{ida.token}@"))


def address(git: Git, repo_id: str = "gita/home") -> str:
    return f"{git.url}/{repo_id}"


def cloned(git: Git, *options: str, folder: str = "work", ending: str = "") -> str:
    work = str(git.home / folder)
    git("clone", "--quiet", *options, address(git) + ending, work)
    return work


def count(git: Git, work: str, what: str = "HEAD") -> int:
    return int(git("-C", work, "rev-list", "--count", what))


@pytest.mark.parametrize("version", ["0", "1", "2"])
@pytest.mark.parametrize("ending", ["", ".git"])
def test_a_shallow_clone_is_deepened_and_made_whole(git, version, ending):
    git("config", "--global", "protocol.version", version)
    work = cloned(git, "--depth=1", ending=ending)
    assert count(git, work) == 1
    git("-C", work, "fetch", "--quiet", "--deepen=2")
    assert count(git, work, "origin/main") == 3
    git("-C", work, "fetch", "--quiet", "--depth=2")
    assert count(git, work, "origin/main") == 2
    git("-C", work, "fetch", "--quiet", "--unshallow")
    assert count(git, work, "origin/main") == STEPS + 1


@pytest.mark.parametrize("wanted", ["blob:none", "tree:0", "blob:limit=3"])
def test_a_partial_clone_fetches_the_rest_when_it_is_looked_at(git, wanted):
    work = cloned(git, f"--filter={wanted}", "--no-checkout")
    missing = git("-C", work, "rev-list", "--objects", "--missing=print", "--all")
    assert any(line.startswith("?") for line in missing.splitlines())
    assert git("-C", work, "show", f"HEAD:folder/{STEPS - 1}.txt") == "x" * (STEPS - 1)
    git("-C", work, "checkout", "--quiet", "HEAD~2")
    assert (git.home / "work" / "step.txt").read_text() == str(STEPS - 3)


def test_a_sparse_clone_holds_one_folder(git):
    work = cloned(git, "--filter=blob:none", "--sparse")
    assert not (git.home / "work" / "folder").exists()
    git("-C", work, "sparse-checkout", "set", "folder")
    assert (git.home / "work" / "folder" / "2.txt").read_text() == "xx"


@pytest.mark.parametrize(
    "settings",
    [
        {"http.postBuffer": "1024"},
        {"http.extraHeader": "Expect: 100-continue"},
        {"http.postBuffer": "1024", "http.extraHeader": "Expect: 100-continue"},
        {"http.version": "HTTP/1.1", "http.postBuffer": "100000000"},
    ],
    ids=["chunks", "expect", "chunks and expect", "one piece"],
)
def test_a_push_arrives_however_it_is_sent(ida, git, settings):
    work = cloned(git)
    for name, value in settings.items():
        git("config", "--global", name, value)
    name = f"pushed-{'-'.join(settings)}.txt".replace(".", "_")
    content = os.urandom(400_000).hex().encode()
    oid = git.commit(git.home / "work", name, content)
    git("-C", work, "push", "--quiet", "origin", "HEAD:refs/heads/pushed", "--force")
    info = api_of(ida).model_info("gita/home", revision="pushed")
    assert info.sha == oid
    answer = ida.ask("GET", f"{ida.server.url}/gita/home/resolve/{oid}/{name}")
    assert hashlib.sha256(answer.body).digest() == hashlib.sha256(content).digest()


def test_a_proposal_is_fetched_changed_and_pushed_back(ida, git):
    made = api_of(ida).create_commit(
        "gita/home",
        operations=[CommitOperationAdd("proposed.txt", b"1")],
        commit_message="Propose",
        create_pr=True,
    )
    ref = f"refs/pr/{made.pr_num}"
    work = cloned(git)
    git("-C", work, "fetch", "--quiet", "origin", f"{ref}:proposal")
    git("-C", work, "checkout", "--quiet", "proposal")
    oid = git.commit(git.home / "work", "proposed.txt", b"2")
    git("-C", work, "push", "--quiet", "origin", f"HEAD:{ref}")
    assert api_of(ida).model_info("gita/home", revision=ref).sha == oid


def test_who_may_not_is_told_in_words(ida, git, hub_server, tmp_path):
    nobody = Git(tmp_path / "nobody", hub_server.url)
    assert "could not read Username" in nobody("ls-remote", address(nobody), ok=False)
    for where, service in (
        ("info/refs?service=git-upload-pack", "GET"),
        ("git-upload-pack", "POST"),
    ):
        headers = {"Authorization": ""}
        answer = ida.ask(service, f"{hub_server.url}/gita/home.git/{where}", b"", **headers)
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"].startswith("Basic")
        assert answer.headers["X-Error-Code"] == "RepoNotFound"
        assert answer.headers["X-Error-Message"]


def test_a_gzipped_request_may_not_unpack_without_end(ida):
    bomb = gzip.compress(b"0032want " + b"0" * 64 * 1024**2, compresslevel=9)
    assert len(bomb) < 100_000
    kind = {"Content-Encoding": "gzip", "Content-Type": "application/x-git-upload-pack-request"}
    where = f"{ida.server.url}/gita/home.git"
    refused = ida.ask("POST", f"{where}/git-upload-pack", bomb, **kind)
    assert (refused.status, refused.headers["X-Error-Code"]) == (413, "TooLarge")
    for body in (bomb[:1000], b"\x1f\x8b" + b"\0" * 100, b"no gzip"):
        refused = ida.ask("POST", f"{where}/git-receive-pack", body, **kind)
        assert (refused.status, refused.headers["X-Error-Code"]) == (400, "BadRequest")
    odd = ida.ask("POST", f"{where}/git-upload-pack", b"", **{"Content-Encoding": "br"})
    assert odd.status == 400
    assert ida.ask("GET", f"{where}/info/refs?service=git-upload-pack").status == 200


@pytest.mark.skipif(shutil.which("git-lfs") is None, reason="git-lfs is not installed")
def test_git_lfs_asks_for_locks_pushes_and_pulls(ida, git, tmp_path):
    git("lfs", "install", "--skip-repo")
    work = cloned(git)
    content = os.urandom(300_000)
    git("-C", work, "lfs", "track", "*.dat")
    (git.home / "work" / "w.dat").write_bytes(content)
    git("-C", work, "add", ".")
    git("-C", work, "commit", "--quiet", "-m", "A large file")
    git("-C", work, "push", "origin", "main")
    pulled = cloned(git, folder="pulled")
    git("-C", pulled, "lfs", "pull")
    assert (git.home / "pulled" / "w.dat").read_bytes() == content
    # Pushed without its bytes, the pointer is refused with a remedy.
    (git.home / "work" / "w.dat").write_bytes(os.urandom(1000))
    git("-C", work, "commit", "--quiet", "-am", "Another")
    said = git("-C", work, "-c", "core.hooksPath=/dev/null", "push", "origin", "main", ok=False)
    assert "was never uploaded to this repository" in said and "git lfs push --all" in said


def asked(machine: Machine, path: str, value: Any) -> Any:
    kind = {"Content-Type": "application/vnd.git-lfs+json"}
    return machine.ask("POST", f"{machine.server.url}/{path}", json.dumps(value), **kind)


def test_no_lock_of_git_lfs_is_ever_held(ida):
    answer = asked(ida, "gita/home.git/info/lfs/locks/verify", {"ref": {"name": "refs/heads/main"}})
    assert answer.status in {200, 404}
    if answer.status == 200:
        assert json.loads(answer.body) == {"ours": [], "theirs": []}
