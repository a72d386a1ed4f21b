"""Where a file says that it can be fetched by Xet, and that it can be (threats D5, D6)."""

from __future__ import annotations

import pytest
from django.test import Client

from hub.actions.large_files import move_scope, xet_store
from hub.blobstore.xet.hashing import to_hex
from hub.jobs import integrity
from hub.models import (
    Access,
    ObjectLink,
    Repository,
    StoredObject,
    TokenScope,
    Visibility,
)
from tests.blobstore.xet_builder import claim_of
from tests.factories import make_member, make_organization, make_repository, make_user
from tests.hub.transfers import CHUNKS, Cas, LargeFile, local
from tests.hub.wire import body_of, commit, large_file, send_json, stored

pytestmark = pytest.mark.django_db
FILE = LargeFile(b"".join(CHUNKS))
XET_HASH = to_hex(claim_of(CHUNKS).file_hash)
TREE = "tree/main?recursive=true"


@pytest.fixture
def repository() -> Repository:
    return make_repository(make_organization(), visibility=Visibility.PRIVATE)


@pytest.fixture
def admin(repository):
    return make_member(repository.namespace, access=Access.ADMIN)


@pytest.fixture
def client(admin, api_for) -> Client:
    return api_for(admin, scope=TokenScope.ADMIN)


@pytest.fixture
def committed(client, repository) -> Repository:
    """`w.bin` came by Xet, `l.bin` by LFS."""
    cas = Cas.of(client, repository)
    cas.post_xorb()
    cas.post_shard()
    other = stored(repository, b"by LFS")
    lines = [
        large_file("w.bin", FILE.sha256, size=len(FILE.content)),
        large_file("l.bin", other.sha256, size=6),
    ]
    assert commit(client, repository, *lines).status_code == 200
    return repository


def hashes_in(entries) -> dict[str, str | None]:
    return {entry["path"]: entry.get("xetHash") for entry in entries if "lfs" in entry}


def tree(client: Client, repository: Repository) -> dict[str, str | None]:
    return hashes_in(client.get(f"/{repository.api_path}/{TREE}").json())


def by_xet(client: Client, repository: Repository, xet_hash: str = XET_HASH) -> bytes:
    """The stored frames of a file, fetched as hf_xet fetches them."""
    cas = Cas.of(client, repository, mode="read")
    plan = cas.get(f"v2/reconstructions/{xet_hash}", range="bytes=0-").json()
    found = b""
    for fetches in plan["xorbs"].values():
        for fetch in fetches:
            span = fetch["ranges"][0]["bytes"]
            wanted = f"bytes={span['start']}-{span['end']}"
            found += body_of(Client().get(local(fetch["url"]), headers={"range": wanted}))
    return found


def test_a_listing_names_the_hash_of_what_came_by_xet(client, committed):
    assert tree(client, committed) == {"w.bin": XET_HASH, "l.bin": None}
    form = b"paths=w.bin&paths=l.bin"
    kind = "application/x-www-form-urlencoded"
    path = f"/{committed.api_path}/paths-info/main"
    listed = client.post(path, form, content_type=kind).json()
    assert hashes_in(listed) == {"w.bin": XET_HASH, "l.bin": None}


def test_a_listing_asks_once_however_many_files_it_has(
    client, committed, django_assert_num_queries
):
    with django_assert_num_queries(3):  # the token, the repository, the hashes
        client.get(f"/{committed.api_path}/{TREE}")


def test_a_download_names_the_hash_and_where_tokens_come_from(client, committed):
    for method in (client.head, client.get):
        response = method(f"/{committed.path}/resolve/main/w.bin")
        if response.streaming:
            response.getvalue()
        route = response["X-Xet-Refresh-Route"]
        assert response["X-Xet-Hash"] == XET_HASH
        assert response["Link"] == f'<{route}>; rel="xet-auth"'
        assert client.get(local(route)).json()["accessToken"]
    assert "X-Xet-Hash" not in client.head(f"/{committed.path}/resolve/main/l.bin")
    assert "X-Xet-Hash" not in client.head(f"/{committed.path}/raw/main/w.bin")


def test_who_may_not_read_the_files_is_told_no_hash(client, committed, api_for):
    send_json(client, "PUT", f"/{committed.api_path}/settings", {"visibility": "public"})
    reader = api_for(make_user())
    assert tree(reader, committed)["w.bin"] == XET_HASH
    send_json(client, "PUT", f"/{committed.api_path}/settings", {"gated": "manual"})
    assert tree(reader, committed) == {"w.bin": None, "l.bin": None}
    assert reader.get(f"/{committed.api_path}/xet-read-token/main").status_code == 403
    assert tree(client, committed)["w.bin"] == XET_HASH


def test_a_grant_of_a_reader_ends_when_the_repository_is_gated(client, committed, api_for):
    send_json(client, "PUT", f"/{committed.api_path}/settings", {"visibility": "public"})
    reader = Cas.of(api_for(make_user()), committed, mode="read")
    path = f"v2/reconstructions/{XET_HASH}"
    plan = reader.get(path, range="bytes=0-9").json()
    ((fetch,),) = plan["xorbs"].values()
    span = fetch["ranges"][0]["bytes"]
    headers = {"range": f"bytes={span['start']}-{span['end']}"}
    assert body_of(Client().get(local(fetch["url"]), headers=headers))
    send_json(client, "PUT", f"/{committed.api_path}/settings", {"gated": "manual"})
    for answer in (
        reader.get(path, range="bytes=0-9"),
        Client().get(local(fetch["url"]), headers=headers),
    ):
        assert (answer.status_code, answer["X-Error-Code"]) == (401, "GatedRepo")


def test_a_change_of_visibility_takes_the_hash_along(client, committed):
    before = by_xet(client, committed)
    for visibility in (Visibility.PUBLIC, Visibility.PRIVATE):
        body = {"visibility": visibility}
        assert send_json(client, "PUT", f"/{committed.api_path}/settings", body).status_code == 200
        assert tree(client, committed)["w.bin"] == XET_HASH
        committed.refresh_from_db()
        assert by_xet(client, committed) == before
    assert list(integrity.check(deep=True)) == []


def test_chunks_of_other_files_stay_behind(client, repository):
    """Two files share a xorb; only one of their repositories becomes public."""
    beside = make_repository(repository.namespace, visibility=Visibility.PRIVATE)
    cas = Cas.of(client, repository)
    cas.post_xorb()
    whole = claim_of(CHUNKS)
    part = claim_of(CHUNKS[1:]).but(xorb=whole.xorb, start=1, end=3)
    Cas.of(client, beside).post_claims(part)
    beside.visibility = Visibility.PUBLIC
    before = Repository.objects.get(pk=beside.pk)
    shelf = xet_store(beside).xorbs
    stored_before = set(shelf.names())
    move_scope(beside, source=before)
    beside.save()
    (name,) = set(shelf.names()) - stored_before
    assert name != to_hex(whole.xorb)
    assert [size for _, size in shelf.index(name).leaves(0, 2)] == [5000, 400]
    (row,) = StoredObject.objects.filter(scope="public")
    assert row.xet_hash == to_hex(part.file_hash)
    link = ObjectLink.objects.get(repository=beside)
    assert link.stored_object == row
    assert by_xet(client, beside, row.xet_hash)


def test_numbers_about_a_transfer_are_taken_wherever_they_are_sent(client, repository):
    cas = Cas.of(client, repository)
    assert cas.post("v1/telemetry", b"{}").status_code == 200
    browser = Client(enforce_csrf_checks=True)
    answer = browser.post("/v1/telemetry", b"{}", content_type="application/json")
    assert (answer.status_code, answer.content) == (200, b"")
