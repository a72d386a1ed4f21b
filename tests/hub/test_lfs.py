"""git-lfs: who may send and fetch which bytes (threats D1 to D4, D6)."""

from __future__ import annotations

import json
import time
from datetime import timedelta

import pytest
from django.test import Client

from hub.api.grants import Act, Grant
from hub.api.lfs import OBJECTS_LIMIT
from hub.gitstore import AddPointer
from hub.models import (
    Access,
    AccessToken,
    ObjectLink,
    Repository,
    StoredObject,
    TokenScope,
    Visibility,
)
from tests.factories import (
    TESTER,
    actor,
    make_member,
    make_organization,
    make_repository,
    make_token,
    make_user,
)
from tests.hub.transfers import (
    LFS_JSON,
    LargeFile,
    answer_for,
    batch,
    changed,
    href_to,
    no_blobs_in,
    put,
    upload,
)
from tests.hub.wire import body_of, commit, large_file

pytestmark = pytest.mark.django_db
WEIGHTS = LargeFile(b"weights of a model " * 1000)


@pytest.fixture
def repository() -> Repository:
    return make_repository(visibility=Visibility.PRIVATE)


@pytest.fixture
def writer(repository):
    return make_member(repository.namespace, access=Access.WRITE)


@pytest.fixture
def client(writer, api_for) -> Client:
    return api_for(writer)


def test_a_file_is_sent_verified_and_fetched(client, repository):
    answer = answer_for(client, repository, "upload", WEIGHTS)
    assert put(href_to(client, repository, "upload", WEIGHTS), WEIGHTS.content).status_code == 200
    verify = answer["actions"]["verify"]["href"]
    assert Client().post(verify, WEIGHTS.asked(), content_type=LFS_JSON).status_code == 200
    other = {"oid": WEIGHTS.sha256, "size": 5}
    assert Client().post(verify, json.dumps(other), content_type=LFS_JSON).status_code == 400
    response = Client().get(href_to(client, repository, "download", WEIGHTS))
    assert body_of(response) == WEIGHTS.content
    assert response["ETag"] == f'"{WEIGHTS.sha256}"'


def test_a_part_of_a_file_is_fetched_to_go_on_with(client, repository):
    upload(client, repository, WEIGHTS.content)
    href = href_to(client, repository, "download", WEIGHTS)
    response = Client().get(href, headers={"range": "bytes=18990-"})
    assert (response.status_code, body_of(response)) == (206, WEIGHTS.content[18990:])
    assert Client().get(href, headers={"range": "bytes=99999-"}).status_code == 416


def test_what_this_repository_has_been_given_is_not_asked_for_again(client, repository):
    upload(client, repository, WEIGHTS.content)
    assert "actions" not in answer_for(client, repository, "upload", WEIGHTS)


def test_an_empty_file_is_a_file(client, repository):
    empty = upload(client, repository, b"")
    response = Client().get(href_to(client, repository, "download", empty))
    assert (response.status_code, body_of(response)) == (200, b"")


def test_verifying_what_never_came_is_refused(client, repository):
    verify = answer_for(client, repository, "upload", WEIGHTS)["actions"]["verify"]["href"]
    assert Client().post(verify, WEIGHTS.asked(), content_type=LFS_JSON).status_code == 404


@pytest.mark.parametrize("visibility", Visibility.values)
@pytest.mark.parametrize("beside", [False, True], ids=["elsewhere", "in the same namespace"])
def test_a_foreign_object_is_neither_fetched_nor_already_there(
    client, repository, visibility, beside
):
    upload(client, repository, WEIGHTS.content)
    stranger = make_user()
    if beside:  # in the same folder of the object store, but with a token for the other one only
        stranger = make_member(repository.namespace, access=Access.WRITE)
    namespace = repository.namespace if beside else stranger.namespaces.get()
    other = make_repository(namespace, visibility=visibility)
    secret = make_token(stranger)
    AccessToken.objects.for_secret(secret).repositories.add(other)
    asker = Client(headers={"authorization": f"Bearer {secret}"})
    assert batch(asker, repository, "download", WEIGHTS).status_code == 404
    assert answer_for(asker, other, "download", WEIGHTS)["error"]["code"] == 404
    assert "upload" in answer_for(asker, other, "upload", WEIGHTS)["actions"]
    refused = commit(asker, other, large_file("w.bin", WEIGHTS.sha256, size=len(WEIGHTS.content)))
    assert refused.status_code == 400
    assert "never uploaded" in refused.json()["error"]
    assert not ObjectLink.objects.filter(repository=other).exists()


def test_a_pointer_in_git_alone_gives_no_bytes(client, repository, api_for):
    upload(client, repository, WEIGHTS.content)
    person = make_user()
    mine = make_repository(person.namespaces.get())
    store = mine.store()
    store.commit(
        ref="refs/heads/main",
        parent=store.resolve("main"),
        operations=[AddPointer("w.bin", WEIGHTS.sha256, len(WEIGHTS.content))],
        message="Steal",
        author=TESTER,
        expect=store.resolve("main"),
    )
    response = api_for(person).get(f"/{mine.path}/resolve/main/w.bin")
    assert response.status_code == 404


@pytest.mark.parametrize(
    "sent", [b"", WEIGHTS.content[:-1], WEIGHTS.content + b"x", WEIGHTS.content[::-1]]
)
def test_wrong_bytes_are_refused_and_nothing_is_kept(client, repository, sent):
    href = href_to(client, repository, "upload", WEIGHTS)
    response = put(href, sent)
    assert response.status_code == 400
    assert response.json()["message"]
    assert no_blobs_in(repository)
    assert not StoredObject.objects.filter(scope=repository.scope).exists()
    assert put(href, WEIGHTS.content).status_code == 200


def test_a_late_failure_takes_nothing_from_who_came_first(client, repository):
    href = href_to(client, repository, "upload", WEIGHTS)
    assert put(href, WEIGHTS.content).status_code == 200
    assert put(href, WEIGHTS.content).status_code == 200
    assert put(href, WEIGHTS.content[::-1]).status_code == 400
    assert ObjectLink.objects.filter(repository=repository).count() == 1
    assert body_of(Client().get(href_to(client, repository, "download", WEIGHTS)))


def test_an_address_holds_for_nothing_but_what_it_was_made_for(client, repository):
    other = LargeFile(b"other")
    upload(client, repository, WEIGHTS.content)
    fetch = href_to(client, repository, "download", WEIGHTS)
    send = href_to(client, repository, "upload", other)
    seal = send.rpartition("grant=")[2]
    numbers = seal.split(".")
    another = ".".join([str(make_repository().pk), *numbers[1:]])
    later = ".".join([*numbers[:3], str(int(time.time()) + 9999), numbers[4]])
    someone = ".".join([numbers[0], str(make_user().pk), *numbers[2:]])
    for href in (
        send.replace(other.sha256, WEIGHTS.sha256),
        changed(send, size="6"),
        changed(send, grant=another),
        changed(send, grant=later),
        changed(send, grant=someone),
        changed(send, grant=f"{seal[:-1]}{'0' if seal[-1] != '0' else '1'}"),
        changed(send, grant="nonsense"),
        send.partition("?")[0],
        fetch,
    ):
        response = put(href, other.content)
        assert (response.status_code, response["X-Error-Code"]) == (401, "Unauthenticated"), href
    assert Client().get(send).status_code == 401
    assert put(send, other.content).status_code == 200


def test_an_address_ends(repository, writer):
    size = str(len(WEIGHTS.content))
    subject = (Act.LFS_PUT, actor(writer), repository, WEIGHTS.sha256, size)
    for lifetime, status in ((timedelta(seconds=-2), 401), (timedelta(minutes=1), 200)):
        seal = Grant.give(*subject, lifetime=lifetime).seal()
        response = put(f"/-/lfs/{WEIGHTS.sha256}?size={size}&grant={seal}", WEIGHTS.content)
        assert response.status_code == status


def test_an_address_ends_with_the_right_it_was_given_for(client, repository, writer):
    upload(client, repository, WEIGHTS.content)
    fetch = href_to(client, repository, "download", WEIGHTS)
    send = href_to(client, repository, "upload", LargeFile(b"new"))
    writer.memberships.update(access=Access.NONE)
    for response in (Client().get(fetch), put(send, b"new")):
        assert (response.status_code, response["X-Error-Code"]) == (401, "RepoNotFound")
    writer.memberships.update(access=Access.WRITE)
    AccessToken.objects.filter(user=writer).update(expires_at="2020-01-01T00:00Z")
    assert Client().get(fetch).status_code == 401
    assert put(send, b"new").status_code == 401


def test_a_public_file_ends_with_its_publicity(api_for, client):
    person = make_user()
    repository = make_repository(person.namespaces.get())
    upload(api_for(person), repository, WEIGHTS.content)
    fetch = href_to(Client(), repository, "download", WEIGHTS)
    assert body_of(Client().get(fetch)) == WEIGHTS.content
    Repository.objects.filter(pk=repository.pk).update(visibility=Visibility.PRIVATE)
    assert Client().get(fetch).status_code == 401


def test_addresses_come_from_the_setting_and_not_from_the_host(client, repository, settings):
    settings.ALLOWED_HOSTS = ["evil.example", "testserver"]
    client.defaults["HTTP_HOST"] = "evil.example"
    answer = answer_for(client, repository, "upload", WEIGHTS)
    assert answer["actions"]["upload"]["href"].startswith(f"{settings.PUBLIC_URL}/-/lfs/")
    assert answer["actions"]["verify"]["href"].startswith(f"{settings.PUBLIC_URL}/-/lfs/")


@pytest.mark.parametrize(
    ("who", "scope", "operation", "status"),
    [
        ("anonymous", "", "upload", 401),
        ("anonymous", "", "download", 200),
        ("stranger", TokenScope.WRITE, "upload", 200),  # for a pull request
        ("stranger", TokenScope.READ, "upload", 403),
        ("stranger", TokenScope.READ, "download", 200),
    ],
)
def test_whoever_may_propose_may_send(api_for, who, scope, operation, status):
    public = make_repository()
    client = Client() if who == "anonymous" else api_for(make_user(), scope=scope)
    response = batch(client, public, operation, WEIGHTS)
    assert response.status_code == status
    assert response["Content-Type"] == LFS_JSON
    if status != 200:
        assert response.json()["message"]
    assert response.has_header("LFS-Authenticate") == (status == 401)


def test_files_of_a_gated_repository_are_for_members(api_for):
    gated = make_repository(make_organization(), gated="manual")
    response = batch(api_for(make_user()), gated, "download", WEIGHTS)
    assert (response.status_code, response["X-Error-Code"]) == (403, "GatedRepo")
    assert batch(Client(), gated, "download", WEIGHTS).status_code == 401


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"operation": "upload", "objects": [{"oid": "AB" * 32, "size": 1}]}, 422),
        ({"operation": "upload", "objects": [{"oid": "ab" * 32, "size": -1}]}, 422),
        ({"operation": "upload", "objects": [{"oid": "ab" * 32, "size": True}]}, 422),
        ({"operation": "upload", "objects": ["x"]}, 422),
        ({"operation": "upload", "objects": {}}, 422),
        ({"operation": "steal", "objects": []}, 400),
        ({"operation": "upload", "objects": [], "hash_algo": "md5"}, 409),
        ({"operation": "upload", "objects": [{"oid": "ab" * 32, "size": 1}] * OBJECTS_LIMIT}, 200),
        (
            {
                "operation": "upload",
                "objects": [{"oid": "ab" * 32, "size": 1}] * (OBJECTS_LIMIT + 1),
            },
            413,
        ),
        ([], 400),
    ],
)
def test_a_batch_is_looked_at_before_it_is_answered(client, repository, body, status):
    path = f"/{repository.path}/info/lfs/objects/batch"
    response = client.post(path, body, content_type=LFS_JSON)
    assert response.status_code == status


@pytest.mark.parametrize(("size", "refused"), [(50 * 1024**3, False), (50 * 1024**3 + 1, True)])
def test_a_file_has_a_largest_size(client, repository, size, refused):
    body = {"operation": "upload", "objects": [{"oid": "ab" * 32, "size": size}]}
    path = f"/{repository.path}/info/lfs/objects/batch"
    (answer,) = client.post(path, body, content_type=LFS_JSON).json()["objects"]
    assert ("error" in answer) == refused


def test_no_file_is_ever_locked(client, repository):
    path = f"/{repository.path}.git/info/lfs/locks/verify"
    response = client.post(path, {}, content_type=LFS_JSON)
    assert response.json() == {"ours": [], "theirs": []}
