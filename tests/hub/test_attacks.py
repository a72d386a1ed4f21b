"""What a stranger would try at the doors of the platform (threats sections 1, 3 and 5)."""

from __future__ import annotations

import base64
import hashlib
import os
import pickle
import re
import subprocess
import sys
from html.parser import HTMLParser
from typing import Any

import pytest
from celery import current_app
from django.conf import settings as configured
from django.core.cache import cache
from django.test import Client
from django.urls import get_resolver, reverse
from kombu.exceptions import ContentDisallowed
from kombu.message import Message

from hub.actions.people import update_user
from hub.actions.repositories import delete_repository, update_settings
from hub.gitstore.receive import RefUpdate, check_updates
from hub.http import sign_in_tries
from hub.http.throttle import TRIES, TRIES_WINDOW_SECONDS
from hub.models import Access, AccessToken, BranchProtection, Kind, Repository, Visibility
from tests.factories import PASSWORD, actor, make_member, make_repository, make_user
from tests.hub.test_role_matrix import address_of, make_world, named_patterns
from tests.hub.wire import commit, file, send_json, stored
from tests.reviews.factories import make_pull_request
from tests.role_matrix import TABLE

pytestmark = pytest.mark.django_db


def test_a_token_for_one_repository_reaches_none_once_that_is_gone(client):
    repository = make_repository()
    owner = make_member(repository.namespace, access=Access.ADMIN)
    private = make_repository(repository.namespace, visibility=Visibility.PRIVATE)
    token, secret = AccessToken.objects.issue(owner, name="ci", scope="write")
    token.repositories.set([repository])
    headers = {"authorization": f"Bearer {secret}"}
    assert client.get(f"/{private.api_path}", headers=headers).status_code == 404
    delete_repository(repository, actor(owner))
    assert client.get(f"/{private.api_path}", headers=headers).status_code in {401, 404}
    body = {"name": "made-by-it", "type": "model"}
    made = client.post("/api/repos/create", body, content_type="application/json", headers=headers)
    assert made.status_code in {401, 403}


@pytest.fixture
def no_tries() -> None:
    cache.clear()


def sign_in(name: str, password: str = "wrong password", **more: Any) -> int:
    form = {"username": name, "password": password}
    return Client(**more).post("/-/sign-in", form).status_code


@pytest.mark.parametrize("front", ["none", "nginx"])
def test_a_forged_address_does_not_outrun_the_throttle(no_tries, settings, front):
    settings.FRONT = front
    tries = [
        sign_in("nobody", headers={"x-real-ip": f"10.0.0.{number}"}) for number in range(TRIES + 1)
    ]
    assert tries == [422] * TRIES + [429]


def of_address(address: str) -> dict[str, Any]:
    """A request that nginx, which replaces X-Forwarded-For, had from `address`."""
    return {"headers": {"x-forwarded-for": address}, "REMOTE_ADDR": ""}


def test_wrong_tries_shut_out_one_name_at_one_address_only(no_tries, settings):
    settings.FRONT = "nginx"
    wrong, other = make_user(), make_user()
    here, elsewhere = of_address("192.0.2.1"), of_address("192.0.2.2")
    assert [sign_in(wrong.username, **here) for _ in range(TRIES + 1)][-1] == 429
    assert sign_in(wrong.username, PASSWORD, **here) == 429
    assert sign_in(other.username, PASSWORD, **here) == 302
    assert sign_in(wrong.username.upper(), **here) == 429
    assert sign_in(wrong.username, PASSWORD, **elsewhere) == 302


def test_an_address_that_tries_many_names_is_shut_out_alone(no_tries, settings, monkeypatch):
    settings.FRONT = "nginx"
    monkeypatch.setattr(sign_in_tries, "ADDRESS_TRIES", 12)
    user = make_user()
    guess = of_address("192.0.2.1")
    tries = [sign_in(f"nobody{number}", **guess) for number in range(13)]
    assert tries == [422] * 12 + [429]
    assert sign_in(user.username, PASSWORD, **guess) == 429
    assert sign_in(user.username, PASSWORD, **of_address("192.0.2.2")) == 302


def test_guesses_from_everywhere_end_and_their_person_comes_in_where_known(
    no_tries, settings, monkeypatch
):
    settings.FRONT = "nginx"
    monkeypatch.setattr(sign_in_tries, "NAME_TRIES", 12)
    user = make_user()
    home, abroad = of_address("192.0.2.1"), of_address("192.0.2.99")
    assert sign_in(user.username, PASSWORD, **home) == 302
    tries = [sign_in(user.username, **of_address(f"198.51.100.{n}")) for n in range(13)]
    assert tries == [422] * 12 + [429]
    assert sign_in(user.username, PASSWORD, **abroad) == 429
    assert sign_in(user.username, PASSWORD, **home) == 302


def test_one_address_alone_cannot_shut_out_a_name_elsewhere():
    windows = sign_in_tries.NAME_WINDOW_SECONDS // TRIES_WINDOW_SECONDS
    assert windows * TRIES < sign_in_tries.NAME_TRIES


def test_signing_in_rightly_uses_up_no_tries(no_tries):
    user = make_user()
    assert [sign_in(user.username, PASSWORD) for _ in range(12)] == [302] * 12


def test_a_new_password_ends_the_sessions_of_the_old_one(client):
    user = make_user()
    client.force_login(user)
    assert client.get("/-/settings/tokens").status_code == 200
    update_user(user, password="another long password")
    assert client.get("/-/settings/tokens").status_code == 401


@pytest.mark.parametrize("page", ["blob/main/config.json", "commit/main", "discussions/1/files"])
def test_pages_show_no_content_of_a_gated_repository(client_for, page):
    repository = make_repository(files={"config.json": b'{"secret": 1}'})
    make_pull_request(repository, files={"config.json": b'{"secret": 2}'})
    Repository.objects.filter(pk=repository.pk).update(gated="manual")
    member = make_member(repository.namespace, access=Access.READ)
    assert "secret" in client_for(member).get(f"/{repository.path}/{page}").content.decode()
    answer = client_for(make_user()).get(f"/{repository.path}/{page}")
    assert answer.status_code == 403
    assert "secret" not in answer.content.decode()


def test_the_api_shows_no_content_of_a_gated_repository(api_for):
    repository = make_repository(files={"config.json": b'{"secret": 1}'})
    make_pull_request(repository, files={"config.json": b'{"secret": 2}'})
    Repository.objects.filter(pk=repository.pk).update(gated="manual")
    answer = api_for(make_user()).get(f"/{repository.api_path}/discussions/1?diff=1")
    assert "secret" not in answer.content.decode()


NUL_ADDRESSES = [
    "/-/explore?q=%00",
    "/-/explore?tag=%00",
    "/api/models?search=%00",
    "/api/models?author=%00",
    "/api/models?filter=%00",
    "/api/models?pipeline_tag=%00",
    "/api/models?cursor=WyJcdTAwMDAiLDFd",
    "/REPO/resolve/main/a%00b",
    "/REPO/resolve/%00/a",
    "/REPO/blob/main/a%00b",
    "/REPO/tree/main/a%00b",
    "/REPO/commits/main/a%00b",
    "/REPO/commit/%00",
    "/api/models/REPO/tree/main/a%00b",
    "/api/models/REPO/commits/%00",
    "/api/models/REPO/discussions?author=%00",
    "/api/models/REPO/discussions/99999999999999999999",
    "/api/models/REPO/runs?kind=%00",
    "/api/models/REPO/runs/99999999999999999999",
    "/REPO/runs/99999999999999999999",
    "/REPO/discussions/99999999999999999999",
    "/api/models?cursor=WyIyMDI2LTAxLTAxIiwxXQ==&sort=createdAt",
    "/api/models?cursor=WzEsOTk5OTk5OTk5OTk5OTk5OTk5OTk5OTld",
]


@pytest.mark.parametrize("address", NUL_ADDRESSES)
def test_no_address_is_a_fault_of_the_server(client_for, address):
    repository = make_repository()
    path = address.replace("REPO", repository.repo_id)
    for client in (client_for(), Client()):
        assert client.get(path).status_code < 500


@pytest.mark.parametrize("name", ["comment", "title", "merge", "review"])
def test_no_form_is_a_fault_of_the_server(client_for, name):
    repository = make_repository()
    writer = make_member(repository.namespace, access=Access.WRITE)
    pull_request = make_pull_request(repository)
    form = {
        "comment": "a\0b", "title": "a\0b", "message": "a\0b", "body": "a\0b",
        "verdict": "approve", "head": pull_request.head_oid, "base": "",
    }  # fmt: skip
    url = f"{pull_request.get_absolute_url()}/{name}"
    assert client_for(writer).post(url, form).status_code < 500


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("discussions", {"title": "a\0b", "description": "c"}),
        ("discussions", {"title": "a", "description": "c\0d"}),
        ("discussions/1/comment", {"comment": "a\0b"}),
        ("discussions/1/title", {"title": "a\0b"}),
        ("discussions/1/status", {"status": "closed", "comment": "a\0b"}),
        ("discussions/1/merge", {"comment": "a\0b"}),
        ("discussions/1/comment/ffffffffffffffffffffffff/edit", {"content": "a"}),
        ("branch/dev", {"startingPoint": "a\0b"}),
        ("tag/main", {"tag": "a\0b"}),
        ("runs", {"recipe_path": "a\0b"}),
        ("runs", {"recipe": {"description": "a\0b"}}),
    ],
)
def test_no_body_is_a_fault_of_the_server(api_for, path, body):
    repository = make_repository()
    writer = make_member(repository.namespace, access=Access.WRITE)
    make_pull_request(repository)
    url = f"/{repository.api_path}/{path}"
    answer = api_for(writer).post(url, body, content_type="application/json")
    assert answer.status_code < 500, answer.content


def test_one_push_names_each_ref_once():
    pull_request = make_pull_request()
    store, ref = pull_request.repository.store(), pull_request.ref
    head = pull_request.head_oid
    gone_and_back = [RefUpdate(ref, head, None), RefUpdate(ref, head, "1" * 40)]
    assert ref in check_updates(store, gone_and_back)
    twins = [RefUpdate("refs/heads/Dev", None, head), RefUpdate("refs/heads/dev", None, head)]
    assert set(check_updates(store, twins)) == {"refs/heads/Dev", "refs/heads/dev"}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"DEBUG": "1", "HUB_BIND": "0.0.0.0"}, "DEBUG"),  # noqa: S104
        ({"ALLOWED_HOSTS": "*"}, "ALLOWED_HOSTS"),
        ({"SECRET_KEY": "changeme"}, "SECRET_KEY"),
        ({"SECRET_KEY": "django-insecure-" + "x" * 50}, "SECRET_KEY"),
        ({"SECRET_KEY": "a" * 60}, "SECRET_KEY"),
    ],
)
def test_an_unsafe_setting_keeps_the_server_from_starting(values, words):
    environment = os.environ | {"SECRET_KEY": "k5Zt-0pQ_w8RmX2yB7nC4vD1sF6gH9jL3aE" * 2} | values
    done = subprocess.run(
        [sys.executable, "-c", "import django; django.setup()"],
        env=environment | {"DJANGO_SETTINGS_MODULE": "hub.config.settings"},
        cwd=configured.BASE_DIR,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode != 0
    assert words in done.stderr.splitlines()[-1]


PAGES = sorted(
    name
    for (name, method), route in TABLE.items()
    if method == "GET"
    and not route.takes_tokens
    and "/" not in name
    # Their policy is another one: see below.
    and name not in {"hub:diagram", "hub:pdf"}
)


class Inline(HTMLParser):
    """Scripts, handlers and styles that stand in a page itself."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = dict(attrs)
        data = names.get("type", "") in {"application/json"}
        if (tag == "script" and "src" not in names and not data) or tag == "style":
            self.found.append(tag)
        self.found += [name for name in names if name.startswith("on") or name == "style"]
        address = (names.get("href") or names.get("action") or "").strip().lower()
        if address.startswith(("javascript:", "data:")):
            self.found.append(address)


@pytest.mark.parametrize("name", PAGES)
def test_every_page_has_the_headers_and_nothing_inline(name):
    world, route = make_world(Visibility.PUBLIC), TABLE[(name, "GET")]
    route.prepare(world)
    client = Client(headers={"accept": "text/html"})
    client.force_login(world.people["admin"])
    answer = client.get(address_of(name, route.address(world)), follow=True)
    assert answer["X-Content-Type-Options"] == "nosniff"
    if not answer["Content-Type"].startswith("text/html"):
        return
    policy = answer["Content-Security-Policy"]
    for rule in ("script-src 'self'", "object-src 'none'", "base-uri 'none'"):
        assert rule in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer["Referrer-Policy"] == "same-origin"
    inline = Inline()
    inline.feed(answer.content.decode())
    assert inline.found == []


@pytest.mark.parametrize("address", ["/-/diagram", "/-/pdf"])
def test_a_frame_of_what_people_wrote_has_neither_our_origin_nor_a_network(address):
    answer = Client().get(address)
    rules = dict(
        rule.strip().partition(" ")[::2] for rule in answer["Content-Security-Policy"].split(";")
    )
    assert rules["sandbox"] == "allow-scripts"  # without allow-same-origin: no cookies, no storage
    assert rules["default-src"] == "'none'"
    assert not {"connect-src", "img-src", "frame-src"} & set(rules), "default-src holds for them"
    assert rules["form-action"] == rules["base-uri"] == "'none'"
    assert rules["frame-ancestors"] == "'self'"
    scripts = re.findall(r"<script>(.*?)</script>", answer.content.decode(), re.DOTALL)
    digests = [
        base64.b64encode(hashlib.sha256(each.encode()).digest()).decode() for each in scripts
    ]
    assert rules["script-src"].split() == [f"'sha256-{digests[0]}'", "blob:"]
    assert answer["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "wanted", ["//evil.example", "/\\evil.example", "https://evil.example/", "javascript:alert(1)"]
)
def test_signing_in_leads_to_no_other_server(no_tries, wanted):
    user, client = make_user(), Client()
    form = {"username": user.username, "password": PASSWORD, "next": wanted}
    assert client.post("/-/sign-in", form)["Location"] == "/"
    language = client.post("/-/language", {"language": "en", "next": wanted})
    assert "evil" not in language["Location"]


def test_a_stale_request_does_not_make_a_private_repository_public():
    repository = make_repository()
    stored(repository, b"weights")
    owner = actor(make_member(repository.namespace, access=Access.ADMIN))
    stale = Repository.objects.select_related("namespace").get(pk=repository.pk)
    update_settings(repository, owner, visibility="private")
    update_settings(stale, owner, gated="auto")
    row = Repository.objects.get(pk=repository.pk)
    assert (row.visibility, row.gated) == ("private", "auto")
    assert row.object_links.get().stored_object.scope == row.scope


def test_a_flip_to_private_closes_every_door_at_once(api_for, client_for):
    repository = make_repository(files={"config.json": b"{}"})
    blob = stored(repository, b"weights")
    make_pull_request(repository)
    owner, stranger = make_member(repository.namespace, access=Access.ADMIN), make_user()
    kwargs = {
        "kind": Kind(repository.kind),
        **dict(zip(("namespace", "name"), repository.repo_id.split("/"), strict=True)),
    }
    more = {"revision": "main", "path": "config.json", "number": 1, "branch": "main"}
    more |= {"key": "benchmarks", "oid": repository.store().resolve("main"), "event": "1"}
    more |= {"status": "pending", "pk": 1, "trial": 1, "user": owner.username}
    update_settings(repository, actor(owner), visibility="private")
    asked, doors = 0, (api_for(stranger), client_for(stranger))
    for name, pattern, wanted in named_patterns(get_resolver()):
        if not {"namespace", "name"} <= wanted or pattern.name is None:
            continue
        address = reverse(
            name,
            kwargs={
                k: v for k, v in (kwargs | more).items() if k in wanted | set(pattern.default_args)
            },
        )
        for client in doors:
            answer = client.get(address)
            assert answer.status_code in {401, 403, 404, 405}, (address, answer.status_code)
            if answer.status_code != 405:
                assert answer["X-Error-Code"] == "RepoNotFound", address
        asked += 1
    assert asked > 40
    assert blob.sha256 not in str(api_for(stranger).get("/api/models").content)


@pytest.mark.parametrize("person", [Access.WRITE, Access.ADMIN])
def test_no_door_moves_a_protected_branch(api_for, person):
    repository = make_repository()
    BranchProtection.objects.create(repository=repository, branch="main")
    BranchProtection.objects.create(repository=repository, branch="kept")
    store = repository.store()
    store.move_ref("refs/heads/kept", new=store.resolve("main"), old=None)
    before = [(ref.name, ref.oid) for ref in store.refs()]
    writer = make_member(repository.namespace, access=person)
    client = api_for(writer, scope="admin")
    more = file("more.txt", b"more")
    for revision in ("main", "refs%2Fheads%2Fmain", "kept"):
        assert commit(client, repository, more, revision=revision).status_code == 403
    for branch in ("main", "kept", "refs%2Fheads%2Fkept"):
        gone = send_json(client, "DELETE", f"/{repository.api_path}/branch/{branch}")
        assert gone.status_code == 403
    assert send_json(client, "POST", f"/{repository.api_path}/branch/main", {}).status_code == 403
    for branch in ("MAIN", "Kept"):
        made = send_json(client, "POST", f"/{repository.api_path}/branch/{branch}", {})
        assert made.status_code == 409
    assert [(ref.name, ref.oid) for ref in repository.store().refs()] == before


def test_a_pickled_message_is_no_task():
    message = Message(
        body=base64.b64encode(pickle.dumps({"id": 1})),
        content_type="application/x-python-serialize",
        content_encoding="binary",
        accept=current_app.conf.accept_content,
    )
    with pytest.raises(ContentDisallowed):
        message.decode()
