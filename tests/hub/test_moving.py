"""Renamed repositories: who may rename, where the old names lead, what races cannot break."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client

from hub import events
from hub.actions import large_files, moving, repositories
from hub.errors import ConflictError, HubError
from hub.models import (
    Access,
    AccessToken,
    AuditEntry,
    Event,
    Kind,
    Membership,
    RepoId,
    Repository,
    RepositoryRedirect,
    Visibility,
)
from hub.policies import Actor
from tests.factories import (
    actor,
    make_member,
    make_organization,
    make_repository,
    make_token,
    make_user,
)
from tests.gitstore.conftest import Client as Git
from tests.hub.wire import body_of, commit, file, send, send_json, stored
from tests.races import at_once

MOVE = "/api/repos/move"


def move(client: Client, old: str, new: str, kind: str = "model") -> Any:
    return send_json(client, "POST", MOVE, {"fromRepo": old, "toRepo": new, "type": kind})


def owner_of(repository: Repository) -> Any:
    return make_member(repository.namespace, access=Access.ADMIN)


@pytest.mark.django_db
class TestMoving:
    def test_a_new_name_and_the_old_one_leads_to_it(
        self, api_for, settings, django_capture_on_commit_callbacks
    ):
        repository = make_repository(name="Old", files={"a.txt": b"a"})
        heard: list[dict[str, Any]] = []

        def listen(**told: Any) -> None:
            heard.append(told)

        events.repository_moved.connect(listen)
        client, owner = api_for(owner := owner_of(repository)), owner
        old, new = repository.repo_id, f"{repository.namespace.slug}/new"
        with django_capture_on_commit_callbacks(execute=True):
            answer = move(client, old, new)
        assert (answer.status_code, answer.json()["url"]) == (200, f"{settings.PUBLIC_URL}/{new}")
        assert client.get(f"/api/models/{new}").json()["id"] == new
        told = heard.pop()
        assert (told["old_repo_id"], told["repository"].repo_id, told["actor"]) == (old, new, owner)
        events.repository_moved.disconnect(listen)
        entry = AuditEntry.objects.get(action="repository.move")
        assert (entry.subject, entry.actor_name) == (f"model {old} → {new}", owner.username)
        assert Event.objects.get(kind="repository.moved").data == {"old": old}

    def test_a_move_that_is_sent_again_is_no_fault(self, api_for):
        repository = make_repository()
        client, old = api_for(owner_of(repository)), repository.repo_id
        for _ in range(2):
            assert move(client, old, f"{repository.namespace.slug}/new").status_code == 200
        assert RepositoryRedirect.objects.count() == 1
        assert AuditEntry.objects.filter(action="repository.move").count() == 1

    def test_there_and_back_leaves_no_loop(self, api_for):
        repository = make_repository(name="here")
        client, slug = api_for(owner_of(repository)), repository.namespace.slug
        move(client, f"{slug}/here", f"{slug}/there")
        assert move(client, f"{slug}/there", f"{slug}/here").status_code == 200
        assert client.get(f"/api/models/{slug}/here").status_code == 200
        assert client.get(f"/api/models/{slug}/there")["Location"] == f"/api/models/{slug}/here"
        assert move(client, f"{slug}/here", f"{slug}/HERE").status_code == 200
        assert client.get(f"/api/models/{slug}/here").json()["id"] == f"{slug}/HERE"

    def test_old_names_lead_to_the_newest_one_in_one_step(self, api_for):
        repository = make_repository(name="one")
        client, slug = api_for(owner_of(repository)), repository.namespace.slug
        for old, new in (("one", "two"), ("two", "three")):
            assert move(client, f"{slug}/{old}", f"{slug}/{new}").status_code == 200
        for old in ("one", "two", "ONE"):
            answer = client.get(f"/api/models/{slug}/{old}")
            assert (answer.status_code, answer["Location"]) == (307, f"/api/models/{slug}/three")

    def test_a_taken_name_is_named(self, api_for, settings):
        repository = make_repository()
        taken = make_repository(repository.namespace, name="Taken")
        make_repository(repository.namespace, name="free", kind=Kind.DATASET)
        client, slug = api_for(owner_of(repository)), repository.namespace.slug
        answer = move(client, repository.repo_id, f"{slug}/taken")
        assert answer.status_code == 409
        assert answer.json() == {
            "error": f"A model repository called {slug}/Taken already exists.",
            "url": taken.public_url(),
        }
        assert client.get(f"/api/models/{repository.repo_id}").status_code == 200
        assert move(client, repository.repo_id, f"{slug}/free").status_code == 200

    @pytest.mark.parametrize(
        ("here", "there", "status"),
        [
            (Access.ADMIN, Access.WRITE, 200),
            (Access.ADMIN, Access.CONTRIBUTE, 403),
            (Access.ADMIN, None, 403),
            (Access.WRITE, Access.ADMIN, 403),
            (None, Access.ADMIN, 404),
        ],
    )
    def test_both_ends_must_allow_it(self, api_for, here, there, status):
        repository = make_repository(visibility=Visibility.PRIVATE)
        target = make_organization()
        person = make_member(repository.namespace, access=here)
        if there is not None:
            Membership.objects.create(namespace=target, user=person, access=there)
        answer = move(api_for(person), repository.repo_id, f"{target.slug}/{repository.name}")
        assert answer.status_code == status

    def test_a_limited_token_renames_and_moves_nothing_away(self, api_for):
        repository = make_repository()
        owner, target = owner_of(repository), make_organization()
        Membership.objects.create(namespace=target, user=owner, access=Access.ADMIN)
        secret = make_token(owner)
        token = AccessToken.objects.for_secret(secret)
        assert token is not None
        token.repositories.add(repository)
        client = Client(headers={"authorization": f"Bearer {secret}"})
        assert move(client, repository.repo_id, f"{target.slug}/x").status_code == 403
        slug = repository.namespace.slug
        assert move(client, repository.repo_id, f"{slug}/x").status_code == 200

    @pytest.mark.parametrize("to", ["nothing", "a/b/c", "a/-x", "a/b--c", "a/b.git", 7, None])
    def test_nonsense_is_refused(self, api_for, to):
        repository = make_repository()
        answer = move(api_for(owner_of(repository)), repository.repo_id, to)
        assert answer.status_code == 400
        assert RepositoryRedirect.objects.count() == 0

    def test_private_large_files_move_along(self, api_for):
        repository = make_repository(visibility=Visibility.PRIVATE)
        sha256 = stored(repository, b"weights").sha256
        owner, target = owner_of(repository), make_organization()
        Membership.objects.create(namespace=target, user=owner, access=Access.ADMIN)
        client = api_for(owner)
        old_scope = repository.scope
        pointer = {"path": "w.bin", "algo": "sha256", "oid": sha256}
        assert commit(client, repository, {"key": "lfsFile", "value": pointer}).status_code == 200
        assert move(client, repository.repo_id, f"{target.slug}/mine").status_code == 200
        moved = Repository.objects.get(pk=repository.pk)
        assert moved.scope == f"private-{target.pk}" != old_scope
        assert large_files.require_link(moved, sha256).scope == moved.scope
        answer = client.get(f"/{target.slug}/mine/resolve/main/w.bin")
        assert body_of(answer) == b"weights"

    def test_the_settings_page_renames(self, client_for):
        repository = make_repository()
        browser = client_for(owner_of(repository))
        page = browser.get(f"/{repository.path}/settings").content.decode()
        assert f'name="name" value="{repository.name}"' in page
        form = {"form": "rename", "owner": repository.namespace.slug, "name": "renamed"}
        answer = browser.post(f"/{repository.path}/settings", form, follow=True)
        new = f"/{repository.namespace.slug}/renamed/settings"
        assert answer.redirect_chain == [(new, 302)]
        assert "renamed now" in answer.content.decode()


@pytest.mark.django_db
class TestOldNames:
    @pytest.fixture
    def moved(self) -> Repository:
        repository = make_repository(name="old", files={"a.txt": b"a"})
        owner = owner_of(repository)
        to = RepoId(Kind.MODEL, repository.namespace.slug, "new")
        return moving.move_repository(repository, actor(owner), to)

    @pytest.mark.parametrize(
        "path",
        [
            "/api/models/{old}",
            "/api/models/{old}/revision/refs%2Fheads%2Fmain",
            "/api/models/{old}/tree/main?recursive=true&expand=1",
            "/api/models/{old}/refs",
            "/{old}/resolve/main/a.txt",
            "/{old}/resolve/main/un%20known%3F.txt",
            "/{old}/raw/main/a.txt",
            "/{old}",
            "/{old}/tree/main",
            "/{old}/discussions",
            "/{old}/info/refs?service=git-upload-pack",
            "/{old}.git/info/refs?service=git-receive-pack",
        ],
    )
    def test_every_read_is_led_on(self, client, moved, path):
        slug = moved.namespace.slug
        old = path.replace("{old}", f"{slug.upper()}/Old")
        wanted = path.replace("{old}", f"{slug}/new")
        for method in ("GET", "HEAD"):
            if method == "HEAD" and "info/refs" in path:
                continue
            answer = send(client, method, old)
            assert (answer.status_code, answer["Location"]) == (307, wanted), method
            assert "X-Error-Code" not in answer

    def test_writes_are_led_on_with_their_body(self, api_for, moved):
        slug = moved.namespace.slug
        client = api_for(make_member(moved.namespace, access=Access.WRITE))
        line = file("b.txt", b"b")
        was = Repository(kind="model", namespace=moved.namespace, name="old")
        answer = commit(client, was, line)
        assert (answer.status_code, answer["Location"]) == (
            307,
            f"/api/models/{slug}/new/commit/main",
        )
        batch = {"operation": "upload", "objects": []}
        for ending in ("", ".git"):
            path = f"/{slug}/old{ending}/info/lfs/objects/batch"
            answer = send_json(client, "POST", path, batch)
            assert answer.status_code == 307
            assert answer["Location"] == f"/{slug}/new{ending}/info/lfs/objects/batch"

    def test_only_those_who_may_see_it_are_led_on(self, api_for, client, moved):
        Repository.objects.filter(pk=moved.pk).update(visibility=Visibility.PRIVATE)
        slug = moved.namespace.slug
        missing = client.get(f"/api/models/{slug}/never")
        for path in (f"/api/models/{slug}/old", f"/{slug}/old/resolve/main/a.txt"):
            hidden = client.get(path)
            assert hidden.status_code == missing.status_code == 401
            assert hidden["X-Error-Code"] == missing["X-Error-Code"] == "RepoNotFound"
            assert api_for(make_user()).get(path).status_code == 404
        reader = api_for(make_member(moved.namespace, access=Access.READ))
        assert reader.get(f"/api/models/{slug}/old").status_code == 307

    def test_creating_at_an_old_name_takes_it_over(self, api_for, moved):
        slug = moved.namespace.slug
        client = api_for(make_member(moved.namespace, access=Access.ADMIN))
        body = {"name": "OLD", "organization": slug}
        assert send_json(client, "POST", "/api/repos/create", body).status_code == 200
        assert client.get(f"/api/models/{slug}/old").json()["id"] == f"{slug}/OLD"
        assert RepositoryRedirect.objects.count() == 0

    def test_another_that_moves_to_an_old_name_takes_it_over(self, api_for, moved):
        slug = moved.namespace.slug
        other = make_repository(moved.namespace, name="other")
        client = api_for(make_member(moved.namespace, access=Access.ADMIN))
        assert move(client, other.repo_id, f"{slug}/old").status_code == 200
        assert client.get(f"/api/models/{slug}/old").json()["id"] == f"{slug}/old"
        assert client.get(f"/api/models/{slug}/other")["Location"] == f"/api/models/{slug}/old"

    def test_deleting_ends_the_redirects_and_takes_todays_name(self, api_for, moved):
        slug = moved.namespace.slug
        client = api_for(make_member(moved.namespace, access=Access.ADMIN))

        def delete(name: str) -> Any:
            body = {"name": name, "organization": slug}
            return send_json(client, "DELETE", "/api/repos/delete", body)

        refused = delete("old")
        assert (refused.status_code, refused["X-Error-Code"]) == (404, "RepoNotFound")
        assert f"called {slug}/new now" in refused.json()["error"]
        assert delete("new").status_code == 200
        assert client.get(f"/api/models/{slug}/old")["X-Error-Code"] == "RepoNotFound"
        assert RepositoryRedirect.objects.count() == 0


def mover(repository: Repository, by: Actor, name: str) -> Callable[[], Repository]:
    to = RepoId(Kind.MODEL, repository.namespace.slug, name)
    return partial(moving.move_repository, repository, by, to)


def creator(by: Actor, repo: RepoId) -> Callable[[], Repository]:
    return partial(repositories.create_repository, by, repo)


@pytest.mark.django_db(transaction=True)
class TestRaces:
    def test_of_two_moves_of_one_repository_one_wins(self):
        for _ in range(5):
            repository = make_repository()
            by = actor(owner_of(repository))
            copies = [Repository.objects.get(pk=repository.pk) for _ in range(2)]
            found = at_once(mover(copies[0], by, "left"), mover(copies[1], by, "right"))
            assert sorted(isinstance(one, ConflictError) for one in found) == [False, True]
            assert RepositoryRedirect.objects.get(repository=repository).name == repository.name

    def test_of_a_move_and_a_creation_one_gets_the_name(self):
        for _ in range(5):
            repository = make_repository(name="from")
            by = actor(owner_of(repository))
            to = RepoId(Kind.MODEL, repository.namespace.slug, "wanted")
            found = at_once(mover(repository, by, "wanted"), creator(by, to))
            assert sorted(isinstance(one, ConflictError) for one in found) == [False, True]
            assert Repository.objects.named(to).count() == 1

    def test_creating_where_one_just_moves_away_leaves_no_redirect_in_the_way(self):
        for _ in range(5):
            repository = make_repository(name="from")
            by, old = actor(owner_of(repository)), repository.named_by
            found = at_once(mover(repository, by, "to"), creator(by, old))
            assert not isinstance(found[0], HubError)
            created = not isinstance(found[1], HubError)
            assert Repository.objects.named(old).exists() == created
            assert RepositoryRedirect.objects.named(old).exists() != created

    def test_two_that_swap_names_end_in_a_refusal_and_not_in_a_fault(self):
        for _ in range(3):
            first = make_repository(name="first")
            second = make_repository(first.namespace, name="second")
            by = actor(owner_of(first))
            found = at_once(mover(first, by, "second"), mover(second, by, "first"))
            assert any(isinstance(one, ConflictError) for one in found)


@pytest.mark.django_db(transaction=True)
def test_git_clones_fetches_and_pushes_by_the_old_address(tmp_path, live_server):
    repository = make_repository(name="old", visibility=Visibility.PRIVATE)
    owner = owner_of(repository)
    git, secret = Git(tmp_path / "home", live_server.url), make_token(owner)
    parts = urlsplit(live_server.url)
    remote = f"http://{owner.username}:{secret}@{parts.netloc}/{repository.path}"
    to = RepoId(Kind.MODEL, repository.namespace.slug, "new")
    moving.move_repository(repository, actor(owner), to)
    work = git.home / "work"
    git("clone", "--quiet", remote, str(work))
    # Too large for one buffer: git asks first, then sends it in chunks.
    oid = git.commit(work, "more.txt", bytes(range(256)) * 8192)
    git("-C", str(work), "push", remote, "main")
    assert repository.store().branch_head("main") == oid
    git("-C", str(work), "fetch", f"{remote}.git", "main")
