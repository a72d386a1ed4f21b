"""Creating, changing and deleting repositories."""

from __future__ import annotations

import pytest

from hub import events
from hub.models import Access, AuditEntry, Repository, StoredObject
from tests.factories import commit_files, make_member, make_organization, make_repository, make_user
from tests.hub.wire import body_of, commit, large_file, send_json, stored

pytestmark = pytest.mark.django_db
CREATE, DELETE = "/api/repos/create", "/api/repos/delete"


def test_a_new_repository_holds_gitattributes_in_its_initial_commit(api_for, settings):
    user = make_user("ada")
    client = api_for(user)
    response = send_json(client, "POST", CREATE, {"name": "tiny", "organization": None})
    assert response.status_code == 200, response.content
    assert response.json()["url"] == f"{settings.PUBLIC_URL}/ada/tiny"
    repository = Repository.objects.get(name="tiny")
    store = repository.store()
    first = store.commits(store.resolve("main"))
    assert [one.subject for one in first] == ["initial commit"]
    attributes = store.read(first[0].oid, ".gitattributes", limit_bytes=100_000).decode()
    for suffix in ("bin", "safetensors", "pkl", "parquet"):
        assert f"*.{suffix} filter=lfs diff=lfs merge=lfs -text\n" in attributes
    assert repository.head_oid == first[0].oid
    assert AuditEntry.objects.filter(action="repository.create", actor_name="ada").exists()


def test_a_name_that_is_taken_answers_with_its_url(api_for, settings):
    user = make_user("ada")
    client = api_for(user)
    send_json(client, "POST", CREATE, {"name": "Tiny"})
    response = send_json(client, "POST", CREATE, {"name": "tiny"})
    assert (response.status_code, response.json()["url"]) == (
        409,
        f"{settings.PUBLIC_URL}/ada/Tiny",
    )
    other_kind = send_json(client, "POST", CREATE, {"name": "tiny", "type": "dataset"})
    assert other_kind.json()["url"] == f"{settings.PUBLIC_URL}/datasets/ada/tiny"


@pytest.mark.parametrize(
    "body",
    [
        {"name": "-x"},
        {"name": "a--b"},
        {"name": "a.git"},
        {"name": "a" * 97},
        {"name": "a", "type": "bucket"},
        {"name": "a", "visibility": "secret"},
        {"name": "a", "private": "yes"},
        {"name": 7},
        {},
        [],
    ],
)
def test_a_bad_request_to_create_is_refused(api_for, body):
    response = send_json(api_for(make_user()), "POST", CREATE, body)
    assert response.status_code == 400, response.content
    assert Repository.objects.count() == 0


@pytest.mark.parametrize(
    ("given", "private"),
    [
        ({}, True),
        ({"visibility": "public"}, False),
        ({"private": False}, False),
        ({"private": True}, True),
    ],
)
def test_an_organisation_may_be_private_by_default(api_for, given, private):
    organization = make_organization(private_by_default=True)
    member = make_member(organization, access=Access.WRITE)
    body = {"name": "tiny", "organization": organization.slug, **given}
    assert send_json(api_for(member), "POST", CREATE, body).status_code == 200
    assert Repository.objects.get().is_private is private


@pytest.mark.parametrize(
    ("access", "status"), [(None, 403), (Access.READ, 403), (Access.WRITE, 200)]
)
def test_creating_in_an_organisation_needs_write_access(api_for, access, status):
    organization = make_organization()
    member = make_member(organization, access=access)
    body = {"name": "tiny", "organization": organization.slug}
    assert send_json(api_for(member), "POST", CREATE, body).status_code == status


def test_a_deleted_repository_is_gone_from_disk_and_reads_as_missing(
    api_for, django_capture_on_commit_callbacks
):
    repository = make_repository()
    folder = repository.store().path
    admin = api_for(make_member(repository.namespace, access=Access.ADMIN))
    body = {"name": repository.name, "organization": repository.namespace.slug}
    with django_capture_on_commit_callbacks(execute=True):
        assert send_json(admin, "DELETE", DELETE, body).status_code == 200
    assert not folder.exists()
    missing = send_json(admin, "DELETE", DELETE, body)
    assert (missing.status_code, missing["X-Error-Code"]) == (404, "RepoNotFound")


def test_the_large_files_of_others_outlive_a_deleted_repository(
    api_for, client, django_capture_on_commit_callbacks
):
    keeper, goner = make_repository(), make_repository()
    sha256 = stored(keeper, b"shared").sha256
    assert stored(goner, b"shared").sha256 == sha256
    assert StoredObject.objects.count() == 1
    writer = api_for(make_member(keeper.namespace, access=Access.WRITE))
    commit(writer, keeper, large_file("w.bin", sha256))
    admin = api_for(make_member(goner.namespace, access=Access.ADMIN))
    with django_capture_on_commit_callbacks(execute=True):
        send_json(admin, "DELETE", DELETE, {"name": goner.repo_id})
    assert body_of(client.get(f"/{keeper.path}/resolve/main/w.bin")) == b"shared"


class TestVisibility:
    @pytest.fixture
    def repository(self) -> Repository:
        repository = make_repository(files={"a.txt": b"a"})
        sha256 = stored(repository, b"weights").sha256
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize 7\n"
        commit_files(repository, {"w.bin": pointer.encode()})
        return repository

    def flip(self, api_for, repository: Repository, **body) -> None:
        admin = api_for(make_member(repository.namespace, access=Access.ADMIN))
        path = f"/{repository.api_path}/settings"
        response = send_json(admin, "PUT", path, body)
        assert response.status_code == 200, response.content
        repository.refresh_from_db()

    def test_a_private_repository_is_hidden_at_once_and_its_files_move_along(
        self, api_for, client, repository
    ):
        public = repository.blobs()
        sha256 = repository.object_links.get().stored_object.sha256
        self.flip(api_for, repository, visibility="private")
        assert repository.is_private
        for path in (
            f"/{repository.path}/resolve/main/w.bin",
            f"/{repository.path}/raw/main/a.txt",
            f"/{repository.api_path}",
            f"/{repository.api_path}/tree/main",
            f"/{repository.api_path}/refs",
            f"/{repository.api_path}/commits/main",
        ):
            assert api_for(make_user()).get(path).status_code == 404, path
            assert client.get(path).status_code == 401, path
        reader = api_for(make_member(repository.namespace, access=Access.READ))
        assert body_of(reader.get(f"/{repository.path}/resolve/main/w.bin")) == b"weights"
        assert repository.object_links.get().stored_object.scope == repository.scope
        assert repository.blobs().root != public.root
        assert repository.blobs().stat(sha256) is not None

    def test_and_back(self, api_for, client, repository):
        self.flip(api_for, repository, private=True)
        self.flip(api_for, repository, private=False)
        assert body_of(client.get(f"/{repository.path}/resolve/main/w.bin")) == b"weights"
        assert repository.object_links.get().stored_object.scope == "public"

    def test_knowing_the_id_of_a_private_file_is_not_having_it(self, api_for, repository):
        self.flip(api_for, repository, private=True)
        sha256 = repository.object_links.get().stored_object.sha256
        thief = make_user()
        own = make_repository(thief.namespace)
        response = commit(api_for(thief), own, large_file("w.bin", sha256, size=7))
        assert response.status_code == 400

    def test_gating_is_read_back_as_it_was_set(self, api_for, repository):
        self.flip(api_for, repository, gated="manual")
        client = api_for(make_user())
        assert client.get(f"/{repository.api_path}").json()["gated"] == "manual"
        self.flip(api_for, repository, gated=False)
        assert client.get(f"/{repository.api_path}").json()["gated"] is False
        path = f"/{repository.api_path}/settings"
        admin = api_for(make_member(repository.namespace, access=Access.ADMIN))
        assert send_json(admin, "PUT", path, {"gated": "never"}).status_code == 400
        assert send_json(admin, "PUT", path, {"gated": []}).status_code == 400


def test_settings_take_what_clients_send_and_say_what_changed(
    api_for, client, django_capture_on_commit_callbacks
):
    repository = make_repository()
    admin = api_for(make_member(repository.namespace, access=Access.ADMIN))
    heard: list[dict[str, object]] = []

    def listen(changes: dict[str, object], **told: object) -> None:
        heard.append(changes)

    events.repository_changed.connect(listen)
    path = f"/{repository.api_path}/settings"
    for body in (
        {"gated": "manual", "visibility": None, "description": "Ours"},
        {"gated": "manual"},
        {"gated": False, "private": None},
        {"visibility": "private"},
    ):
        with django_capture_on_commit_callbacks(execute=True):
            assert send_json(admin, "PUT", path, body).status_code == 200
    events.repository_changed.disconnect(listen)
    assert heard == [{"gated": "manual"}, {"gated": ""}, {"visibility": "private"}]
    info = admin.get(f"/{repository.api_path}").json()
    assert (info["gated"], info["private"]) == (False, True)
    assert send_json(admin, "PUT", path, {"gated": "perhaps"}).status_code == 400


def test_the_check_of_access_is_about_the_files(api_for):
    repository = make_repository(gated="manual")
    stranger = api_for(make_user()).get(f"/{repository.api_path}/auth-check")
    assert (stranger.status_code, stranger["X-Error-Code"]) == (403, "GatedRepo")
    member = api_for(make_member(repository.namespace, access=Access.READ))
    assert member.get(f"/{repository.api_path}/auth-check").status_code == 200
    assert member.get(f"/{repository.api_path}/auth-check/write").status_code == 403
