"""What an attacker tries with the doors that clients got: each was open once, or nearly."""

from __future__ import annotations

import base64
import io
import json
import subprocess
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import urlsplit

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from hub.actions import access_requests, large_files, likes, moving, refs, repositories
from hub.actions.devices import GRACE
from hub.api import listing, trees
from hub.errors import ConflictError, RepositoryNotFoundError
from hub.gitstore import GitStore
from hub.gitstore.http import serve
from hub.models import (
    Access,
    AccessRequest,
    AccessToken,
    BranchProtection,
    DeviceSession,
    Kind,
    Like,
    Membership,
    RepoId,
    Repository,
    TokenScope,
    Visibility,
)
from tests.factories import (
    actor,
    commit_files,
    make_member,
    make_organization,
    make_repository,
    make_token,
    make_user,
)
from tests.gitstore.conftest import Client as Git
from tests.hub.wire import commit, file, send, stored
from tests.races import at_once

MIB = 1024**2


def settle(repository: Repository, by: Any, visibility: str) -> Repository:
    return repositories.update_settings(repository, actor(by), visibility=visibility)


@pytest.mark.django_db
class TestVisibilityAndMoves:
    def test_who_hides_a_repository_that_has_just_moved_away_is_told_to_look_again(self):
        """Its large files would go to the store of the namespace it left, and be lost there."""
        first, second = make_organization(), make_organization()
        repository = make_repository(first)
        owner = make_member(first, access=Access.ADMIN)
        Membership.objects.create(namespace=second, user=owner, access=Access.ADMIN)
        row = stored(repository, b"weights")
        late = Repository.objects.select_related("namespace").get(pk=repository.pk)
        to = RepoId(Kind.MODEL, second.slug, repository.name)
        moving.move_repository(repository, actor(owner), to)
        with pytest.raises(ConflictError, match="look again"):
            settle(late, owner, Visibility.PRIVATE)
        now = Repository.objects.get(pk=repository.pk)
        assert now.visibility == Visibility.PUBLIC
        settle(now, owner, Visibility.PRIVATE)
        found = large_files.require_link(now, row.sha256)
        assert found.scope == now.scope == f"private-{second.pk}"
        assert now.blobs().stat(row.sha256) is not None


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "act",
    [
        lambda repository, by: stored(repository, b"weights"),
        lambda repository, by: repositories.update_settings(repository, by, visibility="private"),
        lambda repository, by: moving.move_repository(
            repository, by, RepoId(Kind.MODEL, repository.namespace.slug, "elsewhere")
        ),
        lambda repository, by: refs.move_ref(
            repository, by, "refs/heads/x", old=None, new=repository.head_oid
        ),
        lambda repository, by: likes.set_like(repository, by, liked=True),
        lambda repository, by: access_requests.grant(repository, by, make_user().username),
        lambda repository, by: access_requests.ask(repository, actor(make_user()), {}),
    ],
    ids=["upload", "settings", "move", "push", "like", "grant", "ask"],
)
def test_what_a_deletion_overtakes_ends_in_a_404_and_no_fault(act):
    owner = make_user()
    repository = make_repository(owner.namespace, gated="manual")
    by, late = actor(owner), Repository.objects.get(pk=repository.pk)
    late.store().resolve("main")
    row = Repository.objects.get(pk=repository.pk)
    repositories.delete_repository(row, by)
    with pytest.raises(RepositoryNotFoundError):
        act(late, by)
    assert not AccessRequest.objects.exists() and not Like.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_limited_token_never_outlives_its_last_repository_however_they_are_deleted():
    """Two deletions at once each saw the other's repository still on its list."""
    for _ in range(8):
        owner = make_user()
        both = [make_repository(owner.namespace, name=name) for name in ("one", "two")]
        token, _secret = AccessToken.objects.issue(owner, name="ci", scope=TokenScope.WRITE)
        token.repositories.set(both)
        at_once(*(partial(repositories.delete_repository, one, actor(owner)) for one in both))
        assert not token.repositories.exists()
        assert not AccessToken.objects.live().filter(pk=token.pk).exists()


@pytest.mark.django_db
def test_a_device_stays_on_the_list_of_tokens_as_long_as_it_can_renew_itself(client_for):
    """Its token ends after days; what renews it lives on, and could not be revoked by anybody."""
    person = make_user()
    session = DeviceSession.objects.create(user=person, name="old laptop", scope="write")
    now = timezone.now()
    ended = {"expires_at": now + GRACE / 2, "session": session}
    AccessToken.objects.issue(person, name="old laptop", scope="write", **ended)
    token, _ = AccessToken.objects.issue(person, name="old laptop", scope="write", **ended)
    AccessToken.objects.filter(pk=token.pk).update(expires_at=now - timedelta(days=1))
    browser = client_for(person)
    page = browser.get("/-/settings/tokens").content.decode()
    assert page.count("/revoke") == 1
    browser.post(f"/-/settings/tokens/{token.pk}/revoke")
    session.refresh_from_db()
    assert session.ended_at is not None


@pytest.mark.django_db
class TestBoundedAnswers:
    @pytest.mark.parametrize("value", ["[Infinity, 1]", "[1e400, 1]", "[1, Infinity]"])
    def test_a_cursor_beyond_all_numbers_is_refused_and_no_fault(self, value):
        cursor = base64.urlsafe_b64encode(value.encode()).decode()
        answer = Client().get("/api/models", {"sort": "likes", "cursor": cursor})
        assert (answer.status_code, answer["X-Error-Code"]) == (400, "BadRequest")

    def test_one_large_header_named_a_thousand_times_fills_no_memory(self):
        notes = json.dumps({"__metadata__": {"notes": "x" * (15 * MIB)}}).encode()
        repository = make_repository()
        row = stored(repository, len(notes).to_bytes(8, "little") + notes)
        pointer = (
            "version https://git-lfs.github.com/spec/v1\n"
            f"oid sha256:{row.sha256}\nsize {row.size_bytes}\n"
        ).encode()
        names = [f"{number}.safetensors" for number in range(12)]
        index = {"weight_map": {name: name for name in names}}
        files = {"all.safetensors.index.json": json.dumps(index).encode()}
        commit_files(repository, files | dict.fromkeys(names, pointer))
        address = f"/{repository.api_path}/safetensors-metadata/all.safetensors.index.json"
        answer = Client().get(address)
        assert answer.status_code == 413
        assert "together" in answer.json()["error"]

    def test_a_page_of_repositories_ends_where_their_files_are_too_many(self, monkeypatch):
        """A hundred repositories of a hundred thousand names made gigabytes of one answer."""
        monkeypatch.setattr(listing, "NAMES_LIMIT", 3)
        namespace = make_organization()
        made = {make_repository(namespace, files={"a": b"", "b": b""}).repo_id for _ in range(4)}
        client, path, pages = Client(), f"/api/models?author={namespace.slug}&full=true", []
        while path:
            answer = client.get(path)
            pages.append([one["id"] for one in answer.json()])
            assert all(len(one["siblings"]) >= 2 for one in answer.json())
            link = answer.headers.get("Link", "")
            path = link.partition("<")[2].partition(">")[0].replace("http://testserver", "")
        assert len(pages) > 1 and {one for page in pages for one in page} == made

    def test_all_folders_of_one_listing_share_one_reader_s_patience(self):
        """A thousand folders of a long history took a thousand times as long."""
        given: list[float] = []

        def last_commits(oid: str, path: str, *, patience_seconds: float) -> dict[str, Any]:
            given.append(patience_seconds)
            return {}

        store = cast(GitStore, SimpleNamespace(last_commits=last_commits))
        history = trees.Attribution(store, "0" * 40, patience_seconds=0.0)
        assert history.of("a/x") is None and history.of("b/x") is None
        assert given == [0.0, 0.0]


@pytest.fixture
def small_spool(tmp_path: Path, settings) -> Iterator[Path]:
    """Room for a tenth of a commit's body."""
    folder = tmp_path / "spool"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"this machine lets nobody mount a small disk: {done.stderr.strip()}")
    settings.SPOOL_DIR = folder
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.django_db
@pytest.mark.parametrize("size", [20_000, 900_000])
def test_a_spool_without_room_refuses_the_commit_in_words(small_spool, api_for, size):
    repository = make_repository()
    client = api_for(make_member(repository.namespace, access=Access.WRITE))
    lines = [file(f"{number}.txt", b"x" * size) for number in range(6)]
    answer = commit(client, repository, *lines)
    assert (answer.status_code, answer["X-Error-Code"]) == (507, "StorageFull")
    assert repository.store().branch_head("main") == repository.head_oid


class Slow(io.BytesIO):
    """A body during whose way in something happens."""

    def __init__(self, content: bytes, event: Callable[[], Any]) -> None:
        super().__init__(content)
        self._event = event

    def read(self, size: int | None = -1, /) -> bytes:
        event, self._event = self._event, lambda: None
        event()
        return super().read(size)


def dismiss(repository: Repository, writer: Any) -> None:
    Membership.objects.filter(namespace=repository.namespace, user=writer).delete()


def revoke(repository: Repository, writer: Any) -> None:
    AccessToken.objects.filter(user=writer).update(revoked_at=timezone.now())


def protect(repository: Repository, writer: Any) -> None:
    BranchProtection.objects.create(repository=repository, branch="main")


MEANWHILE = pytest.mark.parametrize(
    ("event", "status"), [(dismiss, 403), (revoke, 401), (protect, 403)]
)


@pytest.mark.django_db
@MEANWHILE
def test_rights_that_end_while_a_commit_arrives_end_it(event, status, api_for):
    """A body may be sent for hours; who was dismissed with one under way still had a commit."""
    repository = make_repository()
    writer = make_member(repository.namespace, access=Access.WRITE)
    lines: list[dict[str, Any]] = [{"key": "header", "value": {"summary": "Late"}}]
    lines.append(file("late.txt", b"late"))
    body = b"\n".join(json.dumps(line).encode() for line in lines)
    more: dict[str, Any] = {
        "wsgi.input": Slow(body, lambda: event(repository, writer)),
        "CONTENT_LENGTH": str(len(body)),
    }
    path = f"/{repository.api_path}/commit/main"
    answer = send(api_for(writer), "POST", path, body, content_type="application/x-ndjson", **more)
    assert answer.status_code == status
    assert repository.store().branch_head("main") == repository.head_oid


@pytest.mark.django_db(transaction=True)
@MEANWHILE
def test_rights_that_end_while_a_push_arrives_end_it(
    event, status, tmp_path, live_server, monkeypatch
):
    repository = make_repository()
    writer = make_member(repository.namespace, access=Access.WRITE)
    git, parts = Git(tmp_path / "home", live_server.url), urlsplit(live_server.url)
    remote = f"http://{writer.username}:{make_token(writer)}@{parts.netloc}/{repository.path}"
    work = git.home / "work"
    git("clone", "--quiet", remote, str(work))
    git.commit(work, "late.txt", b"late")

    def late(*args: Any, **more: Any) -> Any:
        event(repository, writer)
        connection.close()
        return serve(*args, **more)

    monkeypatch.setattr("hub.api.git.serve", late)
    said = git("-C", str(work), "push", remote, "main", ok=False)
    assert ("500" not in said and "remote: " in said) or "refus" in said or "reject" in said
    assert repository.store().branch_head("main") == repository.head_oid
