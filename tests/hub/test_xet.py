"""Xet: tokens, what they open, and what the store makes of what is sent."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client

from hub.api.grants import Act, Grant
from hub.api.xet import CasAddress
from hub.errors import StorageUnavailableError
from hub.models import (
    Access,
    BranchProtection,
    ObjectLink,
    Repository,
    StoredObject,
    TokenScope,
    Visibility,
)
from tests.blobstore.xet_builder import claim_of, shard_of, xorb_name, xorb_of
from tests.factories import actor, make_member, make_repository, make_user
from tests.hub.transfers import CHUNKS, Cas, LargeFile, local, no_blobs_in
from tests.hub.wire import body_of, commit, large_file
from tests.reviews.factories import make_pull_request

pytestmark = pytest.mark.django_db
FILE = LargeFile(b"".join(CHUNKS))


@pytest.fixture
def repository() -> Repository:
    return make_repository(visibility=Visibility.PRIVATE)


@pytest.fixture
def writer(repository):
    return make_member(repository.namespace, access=Access.WRITE)


@pytest.fixture
def client(writer, api_for) -> Client:
    return api_for(writer)


def test_a_token_is_told_in_body_and_headers(client, repository, settings):
    response = client.get(f"/{repository.api_path}/xet-write-token/main")
    said = response.json()
    assert response["X-Xet-Cas-Url"] == said["casUrl"]
    assert response["X-Xet-Access-Token"] == said["accessToken"]
    assert response["X-Xet-Token-Expiration"] == str(said["exp"])
    assert said["casUrl"].startswith(
        f"{settings.PUBLIC_URL}/-/xet/private-{repository.namespace_id}/"
    )


def token_status(client: Client, repository: Repository, rest: str) -> int:
    path = f"/{repository.api_path}/xet-{rest}"
    return client.get(path, RAW_URI=path).status_code


def test_who_gets_a_token_for_what(api_for, writer, repository):
    public = make_repository(repository.namespace)
    pull_request = make_pull_request(public)
    protected = BranchProtection(repository=public, branch="main")
    member, reader = api_for(writer), api_for(make_user())
    assert token_status(member, public, "write-token/main") == 200
    assert token_status(reader, public, "write-token/main") == 403
    assert token_status(Client(), public, "write-token/main") == 401
    assert token_status(reader, public, "write-token/None?create_pr=1") == 200
    assert token_status(Client(), public, "write-token/None?create_pr=1") == 401
    only_reads = api_for(writer, scope=TokenScope.READ)
    assert token_status(only_reads, public, "write-token/None?create_pr=1") == 403
    proposal = f"write-token/refs%2Fpr%2F{pull_request.number}"
    assert token_status(api_for(pull_request.author), public, proposal) == 200
    assert token_status(member, public, proposal) == 200
    assert token_status(reader, public, proposal) == 403
    protected.save()
    assert token_status(member, public, "write-token/main") == 403
    assert token_status(Client(), public, "read-token/main") == 200
    assert token_status(reader, repository, "read-token/main") == 404


def test_a_file_arrives_and_is_committed(client, repository):
    cas = Cas.of(client, repository)
    assert cas.post_xorb().json() == {"was_inserted": True}
    assert cas.post_xorb().json() == {"was_inserted": False}
    assert cas.post_shard()[-1] == {"type": "result"}
    stored = StoredObject.objects.get(links__repository=repository)
    assert (stored.sha256, stored.size_bytes) == (FILE.sha256, len(FILE.content))
    assert len(stored.xet_hash) == 64
    line = large_file("w.bin", FILE.sha256, size=len(FILE.content))
    assert commit(client, repository, line).status_code == 200
    response = client.get(f"/{repository.path}/resolve/main/w.bin")
    assert body_of(response) == FILE.content


@pytest.mark.parametrize("spelling", ["v1/", ""])
def test_the_first_version_and_older_spellings_work(client, repository, spelling):
    cas = Cas.of(client, repository)
    assert cas.post_xorb(old=spelling).status_code == 200
    response = cas.post(f"{spelling}shards", shard_of(claim_of(CHUNKS)))
    assert response.json() == {"result": 1}
    assert ObjectLink.objects.filter(repository=repository).exists()


def test_what_is_not_offered_is_unknown_and_not_a_fault(client, repository):
    cas = Cas.of(client, repository)
    assert cas.get(f"v1/chunks/default/{xorb_name(CHUNKS)}").status_code == 404
    assert cas.post(f"v1/xorb-grants/default/{xorb_name(CHUNKS)}", b"{}").status_code == 404
    assert cas.post("v1/telemetry", b"{}").status_code == 200


def test_a_refusal_of_a_shard_is_a_frame(client, repository):
    cas = Cas.of(client, repository)
    (frame,) = cas.post_shard()
    assert (frame["type"], frame["retryable"]) == ("error", False)
    assert "not stored here" in frame["message"]
    cas.post_xorb()
    for lie in ({"sha256": bytes(32)}, {"proof": bytes(32)}, {"file_hash": bytes(32)}):
        frame = cas.post_shard(**lie)[-1]
        assert (frame["type"], frame["retryable"]) == ("error", False)
    assert cas.post("v2/shards", b"x" * 100).getvalue().count(b"\n") == 1
    assert cas.post("v1/shards", b"x" * 100).status_code == 422
    assert no_blobs_in(repository)
    assert not ObjectLink.objects.exists()


def test_a_passing_fault_may_be_retried(client, repository, monkeypatch):
    cas = Cas.of(client, repository)
    cas.post_xorb()

    def moved(*_args, **_more):
        raise StorageUnavailableError("The visibility of this repository changed: send it again.")

    monkeypatch.setattr("hub.actions.large_files._require_same_scope", moved)
    frame = cas.post_shard()[-1]
    assert frame["retryable"] is True


def test_a_long_ingest_says_that_it_goes_on(client, repository, monkeypatch):
    monkeypatch.setattr("hub.api.xet_cas.FRAME_EVERY_SECONDS", 0.0)
    cas = Cas.of(client, repository)
    cas.post_xorb()
    frames = cas.post_shard()
    assert {frame["type"] for frame in frames[:-1]} == {"validating"}
    assert frames[-1] == {"type": "result"}


def test_a_xorb_is_what_its_name_says_or_is_not_taken(client, repository):
    cas = Cas.of(client, repository)
    wrong = cas.post(f"v1/xorbs/default/{xorb_name(CHUNKS[:1])}", xorb_of(CHUNKS))
    assert (wrong.status_code, wrong["X-Error-Code"]) == (422, "Unprocessable")
    assert cas.post(f"v1/xorbs/default/{'ab' * 32}", b"").status_code == 422
    assert no_blobs_in(repository)


def test_a_token_opens_one_store_for_one_act(client, repository, writer):
    cas, address = Cas.of(client, repository), CasAddress.of(repository)
    other = make_repository(repository.namespace)  # a public one: another store
    read = Cas.of(client, repository, mode="read")
    expired = Grant.give(
        Act.XET_WRITE,
        actor(writer),
        repository,
        address.scope,
        address.epoch,
        lifetime=timedelta(seconds=-2),
    )
    for wrong in (
        read,
        Cas(cas.base, ""),
        Cas(cas.base, cas.token[:-1]),
        Cas(cas.base, expired.seal()),
        Cas(local(CasAddress.of(other).url), cas.token),
        Cas(cas.base.rpartition("/")[0] + "/0", cas.token),
    ):
        assert wrong.post_xorb().status_code == 401
    writer.memberships.update(access=Access.NONE)
    assert cas.post_xorb()["X-Error-Code"] == "RepoNotFound"


def test_a_token_ends_when_the_files_move(client, repository):
    cas = Cas.of(client, repository)
    Repository.objects.filter(pk=repository.pk).update(visibility=Visibility.PUBLIC)
    assert cas.post_xorb().status_code == 401


def test_naming_xorbs_of_another_store_gives_nothing(client, repository, api_for):
    Cas.of(client, repository).post_xorb()
    person = make_user()
    # Private, so that no other test has put anything into its store.
    mine = make_repository(person.namespaces.get(), visibility=Visibility.PRIVATE)
    frame = Cas.of(api_for(person), mine).post_shard()[-1]
    assert frame["type"] == "error"
    assert not ObjectLink.objects.filter(repository=mine).exists()


def read_file(client: Client, repository: Repository) -> tuple[Cas, str]:
    cas = Cas.of(client, repository)
    cas.post_xorb()
    cas.post_shard()
    xet_hash = StoredObject.objects.get(sha256=FILE.sha256, scope=repository.scope).xet_hash
    return Cas.of(client, repository, mode="read"), xet_hash


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_reconstruction_names_ranges_that_can_be_fetched(client, repository, version):
    cas, xet_hash = read_file(client, repository)
    plan = cas.get(f"{version}/reconstructions/{xet_hash}", range="bytes=0-99999").json()
    if version == "v1":
        fetches = [(f["url"], f["url_range"]) for x in plan["fetch_info"].values() for f in x]
    else:
        fetches = [(f["url"], f["ranges"][0]["bytes"]) for x in plan["xorbs"].values() for f in x]
    assert sum(term["unpacked_length"] for term in plan["terms"]) == len(FILE.content)
    ((url, span),) = fetches
    wanted = f"bytes={span['start']}-{span['end']}"
    response = Client().get(local(url), headers={"range": wanted})
    assert (response.status_code, body_of(response)) == (206, xorb_of(CHUNKS))
    assert Client().get(local(url), headers={"range": "bytes=0-0"}).status_code == 416
    assert Client().get(local(url)).status_code == 416
    wider = local(url).replace(f"last={span['end']}", f"last={span['end'] + 1}")
    assert Client().get(wider, headers={"range": f"bytes=0-{span['end'] + 1}"}).status_code == 401
    Repository.objects.filter(pk=repository.pk).update(visibility=Visibility.PUBLIC)
    assert Client().get(local(url), headers={"range": wanted}).status_code == 401


def test_a_reconstruction_needs_a_link_to_the_file(client, repository, writer, api_for):
    cas, xet_hash = read_file(client, repository)
    beside = make_repository(repository.namespace, visibility=Visibility.PRIVATE)
    theirs = Cas.of(client, beside, mode="read")
    path = f"v2/reconstructions/{xet_hash}"
    assert cas.get(path, range="bytes=0-9").status_code == 200
    assert cas.get(path, range="bytes=99999-100000").status_code == 416
    assert theirs.get(path, range="bytes=0-9").status_code == 404
    assert cas.get(f"v2/reconstructions/{'ab' * 32}").status_code == 404
    ObjectLink.objects.filter(repository=repository).delete()
    assert cas.get(path, range="bytes=0-9").status_code == 404


def test_an_emptied_store_has_another_address(client, repository):
    import shutil

    before = Cas.of(client, repository)
    assert Cas.of(client, repository).base == before.base
    shutil.rmtree(repository.blobs().root)
    assert Cas.of(client, repository).base != before.base
    assert before.post_xorb().status_code == 401
