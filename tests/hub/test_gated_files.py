"""The files of a gated repository: who reads them through which door, and from when on."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from hub.actions import access_requests
from hub.gitstore import AddPointer
from hub.models import Access, Membership, Repository, User, Visibility
from tests.factories import (
    TESTER,
    actor,
    commit_files,
    make_member,
    make_repository,
    make_token,
    make_user,
)
from tests.hub.test_xet import read_file, token_status
from tests.hub.transfers import Cas, LargeFile, batch, href_to, local, upload
from tests.hub.wire import body_of, send, send_json
from tests.reviews.factories import make_pull_request
from tests.role_matrix import TABLE, Need, World

pytestmark = pytest.mark.django_db
SECRET = "only for those who were let in"
WEIGHTS = b"weights " * 2000
REFUSED = "you are not in the authorized list."
STANDINGS = ["anonymous", "stranger", "pending", "rejected", "accepted", "member", "author"]
INSIDE = {"accepted", "member", "author"}


@pytest.fixture
def owner() -> User:
    return make_user()


@pytest.fixture
def repository(owner, api_for) -> Repository:
    found = make_repository(owner.namespace)
    file = upload(api_for(owner), found, WEIGHTS)
    store = found.store()
    head = store.resolve("main")
    pointer = AddPointer("weights.bin", file.sha256, len(WEIGHTS))
    store.commit(
        ref="refs/heads/main", parent=head, operations=[pointer], message="Add weights",
        author=TESTER, expect=head,
    )  # fmt: skip
    commit_files(found, {"secret.txt": SECRET.encode()})
    make_pull_request(found, files={"secret.txt": f"still {SECRET}".encode()})
    Repository.objects.filter(pk=found.pk).update(gated="manual")
    found.refresh_from_db()
    return found


def somebody(standing: str, repository: Repository, owner: User) -> User | None:
    """A person who stands like this with the files."""
    if standing == "anonymous":
        return None
    if standing == "author":
        return owner
    if standing == "member":
        return make_member(repository.namespace, access=Access.READ)
    person = make_user()
    if standing != "stranger":
        access_requests.ask(repository, actor(person), {})
    if standing in {"accepted", "rejected"}:
        access_requests.decide(repository, actor(owner), user=person.username, status=standing)
    return person


Door = Callable[[Client, Repository], Any]


def _get(address: str, **headers: str) -> Door:
    def get(client: Client, repository: Repository) -> Any:
        path = address.format(page=f"/{repository.path}", api=f"/{repository.api_path}")
        return send(client, "GET", path, headers=headers)

    return get


def _head(client: Client, repository: Repository) -> Any:
    return client.head(f"/{repository.path}/resolve/main/weights.bin")


def _fetch(client: Client, repository: Repository) -> Any:
    path = f"/{repository.path}.git/git-upload-pack"
    return client.post(path, b"0000", content_type="application/x-git-upload-pack-request")


def _duplicate(client: Client, repository: Repository) -> Any:
    body = {"repository": f"nobody/{repository.name}-copy"}
    return send_json(client, "POST", f"/{repository.api_path}/duplicate", body)


def _copy_files(client: Client, repository: Repository) -> Any:
    files = [{"sha256": LargeFile(WEIGHTS).sha256}]
    body = {"target": {"type": "model", "name": "nobody/none"}, "files": files}
    return send_json(client, "POST", f"/{repository.api_path}/lfs-files/duplicate", body)


# They write elsewhere, where nobody here may: past the gate comes another refusal.
COPIES: dict[str, Door] = {"duplicate": _duplicate, "copy of large files": _copy_files}
# Doors that programs use, by token; pages are walked below.
DOORS: dict[str, Door] = {
    "resolve": _get("{page}/resolve/main/secret.txt"),
    "resolve of a large file": _get("{page}/resolve/main/weights.bin"),
    "a range": _get("{page}/resolve/main/weights.bin", range="bytes=0-9"),
    "HEAD": _head,
    "raw": _get("{page}/raw/main/secret.txt"),
    "a pull request's file": _get("{page}/resolve/refs%2Fpr%2F1/secret.txt"),
    "LFS": lambda client, repository: batch(client, repository, "download", LargeFile(WEIGHTS)),
    "Xet": _get("{api}/xet-read-token/main"),
    "git": _get("{page}.git/info/refs?service=git-upload-pack"),
    "git's second step": _fetch,
}


@pytest.mark.parametrize("standing", STANDINGS)
def test_every_door_knows_who_was_let_in(standing, repository, owner, api_for):
    client = api_for(somebody(standing, repository, owner))
    wrong = {}
    for name, door in DOORS.items():
        response = door(client, repository)
        body_of(response)
        wanted = 401 if standing == "anonymous" else 403
        refused = (response.status_code, response.headers.get("X-Error-Code"))
        if standing in INSIDE and response.status_code >= 300:
            wrong[name] = refused
        if standing not in INSIDE and refused != (wanted, "GatedRepo"):
            wrong[name] = refused
    assert not wrong


@pytest.mark.parametrize("standing", ["stranger", "pending", "rejected", "accepted", "member"])
def test_nobody_copies_what_they_may_not_read(standing, repository, owner, api_for):
    client = api_for(somebody(standing, repository, owner))
    for name, copy in COPIES.items():
        refused = copy(client, repository)
        assert refused.status_code in {403, 404}, name
        assert (refused["X-Error-Code"] == "GatedRepo") == (standing not in INSIDE), name


@pytest.mark.parametrize("standing", STANDINGS)
def test_a_pull_request_is_read_by_everyone_and_its_diff_by_those_let_in(
    standing, repository, owner, api_for
):
    """The client always asks for the diff: refusing it would refuse the whole conversation."""
    client = api_for(somebody(standing, repository, owner))
    details = client.get(f"/{repository.api_path}/discussions/1?diff=1")
    assert details.status_code == 200 and details.json()["num"] == 1
    assert (SECRET in details.content.decode()) == (standing in INSIDE)
    assert (details.json()["diff"] is not None) == (standing in INSIDE)


@pytest.mark.parametrize(
    ("standing", "said"),
    [
        ("anonymous", "You must have access to it and be authenticated to access it."),
        ("stranger", REFUSED),
        ("pending", "is awaiting a review from the repo authors"),
        ("rejected", "has been rejected by the repo's authors"),
    ],
)
def test_the_refusal_says_where_one_stands(standing, said, repository, owner, api_for):
    client = api_for(somebody(standing, repository, owner))
    response = client.get(f"/{repository.path}/resolve/main/secret.txt")
    assert said in response["X-Error-Message"]
    it = f"model {repository.repo_id}"
    assert f"Access to {it} is restricted" in response["X-Error-Message"]
    assert response.json()["error"] == response["X-Error-Message"]


def _addresses(world: World) -> dict[str, str]:
    """Every route that reads this repository; `secret.txt` in place of a path."""
    found, store = {}, world.repository.store()
    head = store.resolve("main")
    reading = {
        name: route
        for (name, method), route in TABLE.items()
        if method == "GET" and route.of_repository and route.need is Need.READ
    }
    # All at first: one makes a data set of it, which has other addresses.
    for route in reading.values():
        with suppress(Exception), transaction.atomic():  # the repository has a pull request already
            route.prepare(world)
    for name, route in reading.items():
        kwargs = route.address(world)
        if "path" in kwargs:
            kwargs["path"] = "secret.txt"
        if name == "hub:commit":
            kwargs["oid"] = head
        found[name] = reverse(name, kwargs=kwargs)
    # Some routes were given files of their own in place of ours.
    store.move_ref("refs/heads/main", new=head, old=store.resolve("main"))
    return found


def test_no_route_shows_a_stranger_what_is_in_the_files(repository, owner):
    """Walks the role matrix, so that a route which is added later is asked too."""
    world = World(repository, repository, repository.namespace, {"reader": owner})
    stranger, shown, leaks = make_user(), set(), set()
    people = ((owner, shown), (stranger, leaks))
    doors = [(client, seen) for person, seen in people for client in _clients(person)]
    for name, address in _addresses(world).items():
        for client, seen in doors:
            if SECRET.encode() in body_of(client.get(address)):
                seen.add(name)
    assert not leaks
    assert {"hub:file-resolve", "hub:file-raw", "hub:file", "hub:commit"} <= shown


def _clients(person: User) -> list[Client]:
    page = Client(headers={"accept": "text/html"})
    page.force_login(person)
    return [page, Client(headers={"authorization": f"Bearer {make_token(person)}"})]


def test_what_is_shown_before_the_gate_stays_shown(repository, api_for):
    client = api_for(make_user())
    info = client.get(f"/{repository.api_path}").json()
    assert info["gated"] == "manual"
    assert "secret.txt" in {one["rfilename"] for one in info["siblings"]}
    tree = client.get(f"/{repository.api_path}/tree/main").json()
    assert "weights.bin" in {entry["path"] for entry in tree}


def test_a_signed_address_ends_with_the_acceptance(repository, owner, api_for):
    person = somebody("accepted", repository, owner)
    href = href_to(api_for(person), repository, "download", LargeFile(WEIGHTS))
    assert body_of(Client().get(href)) == WEIGHTS
    for status in ("rejected", "pending"):
        access_requests.decide(repository, actor(owner), user=person.username, status=status)
        assert Client().get(href)["X-Error-Code"] == "GatedRepo"
    access_requests.grant(repository, actor(owner), person.username)
    assert body_of(Client().get(href)) == WEIGHTS


def test_a_xet_token_ends_with_the_acceptance(repository, owner, api_for):
    _cas, xet_hash = read_file(api_for(owner), repository)
    person = somebody("accepted", repository, owner)
    cas = Cas.of(api_for(person), repository, mode="read")
    path = f"v2/reconstructions/{xet_hash}"
    plan = cas.get(path, range="bytes=0-99999").json()
    fetch = next(iter(plan["xorbs"].values()))[0]
    span = fetch["ranges"][0]["bytes"]
    wanted = {"range": f"bytes={span['start']}-{span['end']}"}
    assert body_of(Client().get(local(fetch["url"]), headers=wanted))
    access_requests.decide(repository, actor(owner), user=person.username, status="rejected")
    assert cas.get(path, range="bytes=0-9")["X-Error-Code"] == "GatedRepo"
    assert Client().get(local(fetch["url"]), headers=wanted)["X-Error-Code"] == "GatedRepo"
    assert token_status(api_for(person), repository, "read-token/main") == 403


def test_leaving_the_namespace_closes_the_files(repository, owner, api_for):
    member = make_member(repository.namespace, access=Access.READ)
    path = f"/{repository.path}/raw/main/secret.txt"
    assert api_for(member).get(path).status_code == 200
    Membership.objects.filter(user=member, namespace=repository.namespace).delete()
    assert api_for(member).get(path).status_code == 403


def test_an_open_gate_keeps_what_was_decided(repository, owner, api_for):
    accepted = somebody("accepted", repository, owner)
    rejected = somebody("rejected", repository, owner)
    path = f"/{repository.path}/raw/main/secret.txt"
    owners = api_for(owner, scope="admin")
    send_json(owners, "PUT", f"/{repository.api_path}/settings", {"gated": False})
    assert [api_for(one).get(path).status_code for one in (accepted, rejected)] == [200, 200]
    send_json(owners, "PUT", f"/{repository.api_path}/settings", {"gated": "auto"})
    assert [api_for(one).get(path).status_code for one in (accepted, rejected)] == [200, 403]


def test_acceptance_opens_no_private_repository(repository, owner, api_for):
    accepted = somebody("accepted", repository, owner)
    Repository.objects.filter(pk=repository.pk).update(visibility=Visibility.PRIVATE)
    response = api_for(accepted).get(f"/{repository.path}/raw/main/secret.txt")
    assert (response.status_code, response["X-Error-Code"]) == (404, "RepoNotFound")


def test_a_proposal_to_a_gated_repository_reads_nothing(repository, api_for):
    """Whoever may propose gets a token to send with; it reads nothing."""
    client = api_for(make_user())
    cas = Cas.of(client, repository, rest="None?create_pr=1")
    assert cas.get(f"v2/reconstructions/{'ab' * 32}")["X-Error-Code"] == "GatedRepo"
