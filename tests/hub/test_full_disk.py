"""A full disk under the repositories: one plain sentence, nothing torn, and no restart needed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import Client

from hub.errors import StorageFullError
from hub.models import Access, Repository, User
from reviews.actions.merging import merge_pull_request
from reviews.models import Discussion, Merge
from tests.factories import actor, make_member, make_repository, make_token
from tests.gitstore.conftest import Client as Git
from tests.hub.wire import commit, file, send_json
from tests.reviews.factories import make_pull_request

MIB = 1024**2
# The server of the push answers in other threads: rows must be committed.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(params=["reserved", "nothing left"])
def disk(tmp_path: Path, settings, request) -> Iterator[Path]:
    """A small disk for repositories; a call of `fill` leaves the reserve, or no byte at all."""
    folder = tmp_path / "repositories"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"this machine lets nobody mount a small disk: {done.stderr.strip()}")
    settings.REPOSITORIES_DIR = folder
    settings.FREE_DISK_RESERVE_BYTES = 4 * MIB if request.param == "reserved" else 0
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def repository(disk) -> Repository:
    return make_repository()


@pytest.fixture
def writer(repository) -> User:
    return make_member(repository.namespace, access=Access.ADMIN)


def fill(disk: Path, settings) -> Path:
    ballast = disk / ".ballast"
    usage = os.statvfs(disk)
    left = min(settings.FREE_DISK_RESERVE_BYTES, usage.f_blocks * usage.f_frsize // 20)
    free = usage.f_bavail * usage.f_frsize
    ballast.write_bytes(bytes(max(0, free - max(left - 8192, 0))))
    return ballast


def is_refused(answer) -> None:
    assert (answer.status_code, answer["X-Error-Code"]) == (507, "StorageFull")
    assert "disk is full" in answer["X-Error-Message"]


def test_every_door_refuses_and_nothing_moves(
    disk, repository, writer, settings, api_for, client_for, tmp_path, live_server
):
    client: Client = api_for(writer)
    pull_request = make_pull_request(repository)
    git = Git(tmp_path / "home", live_server.url)
    remote = f"{live_server.url}/{repository.path}".replace(
        "://", f"://{writer.username}:{make_token(writer)}@"
    )
    work = str(tmp_path / "work")
    git("clone", "--quiet", remote, work)
    (tmp_path / "work" / "big.txt").write_bytes(os.urandom(MIB // 4).hex().encode())
    git("-C", work, "add", ".")
    git("-C", work, "commit", "--quiet", "-m", "More")
    before = {ref.name: ref.oid for ref in repository.store().refs()}
    ballast = fill(disk, settings)

    big = file("more.txt", os.urandom(MIB).hex().encode())
    is_refused(commit(client, repository, big))
    is_refused(commit(client, repository, big, query="?create_pr=1"))
    is_refused(send_json(client, "POST", "/api/repos/create", {"name": "new", "type": "model"}))
    is_refused(send_json(client, "POST", f"/{repository.api_path}/branch/dev", {}))
    with pytest.raises(StorageFullError):
        merge_pull_request(pull_request, actor(writer))
    said = git("-C", work, "push", remote, "HEAD:refs/heads/pushed", ok=False)
    assert "500" not in said
    page = client_for(writer).post(
        "/-/new",
        {"kind": "model", "owner": writer.username, "name": "x", "visibility": "public"},
    )
    assert "disk is full" in page.content.decode()

    assert {ref.name: ref.oid for ref in repository.store().refs()} == before
    assert client.get(f"/{repository.path}/resolve/main/README.md").status_code == 200
    assert not Merge.objects.filter(state="done").exists()
    assert Repository.objects.count() == 1
    ballast.unlink()
    Merge.objects.filter(state="intended").update(state="dropped")
    assert commit(client, repository, big).status_code == 200
    git("-C", work, "push", remote, "HEAD:refs/heads/pushed")
    assert Discussion.objects.get(pk=pull_request.pk).status == "open"
