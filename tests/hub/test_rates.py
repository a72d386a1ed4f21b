"""How often one may ask: per account or address, told in the headers that clients read."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from huggingface_hub.utils._http import parse_ratelimit_headers

from hub.http import rates
from hub.models import Access, Repository
from tests.factories import make_member, make_repository, make_token, make_user
from tests.hub.wire import commit, file, send_json

pytestmark = pytest.mark.django_db


@pytest.fixture
def repository(settings) -> Repository:
    cache.clear()
    settings.RATE_LIMIT_WINDOW_SECONDS = 10**6  # no window ends within a test
    settings.RATE_LIMITS = {"api": 3, "resolve": 3, "write": 3}
    return make_repository(files={"a.txt": b"a"})


def left(response: Any) -> int:
    found = parse_ratelimit_headers(response.headers)
    assert found is not None and found.limit == 3
    assert 0 < found.reset_in_seconds <= 10**6
    return found.remaining


@pytest.mark.parametrize(("way", "name"), [("api", "api"), ("resolve", "resolve"), ("git", "api")])
def test_reading_ends_one_above_the_quota(client, repository, way, name):
    path = {
        "api": f"/{repository.api_path}/refs",
        "resolve": f"/{repository.path}/resolve/main/a.txt",
        "git": f"/{repository.path}.git/info/refs?service=git-upload-pack",
    }[way]
    assert [left(client.get(path)) for _ in range(3)] == [2, 1, 0]
    for method in ("get", "head"):
        refused = getattr(client, method)(path)
        if (way, method) == ("git", "head"):
            continue
        assert (refused.status_code, refused["X-Error-Code"]) == (429, "Throttled")
        assert name in refused["X-Error-Message"]
        assert left(refused) == 0 and int(refused["Retry-After"]) > 0


def test_changes_and_reading_are_counted_apart_and_each_account_alone(api_for, repository):
    ann, ben = (make_member(repository.namespace, access=Access.WRITE) for _ in range(2))
    for number in range(3):
        line = file(f"{number}.txt", b"x")
        assert commit(api_for(ann), repository, line).status_code == 200  # each with another token
    head = repository.store().resolve("main")
    refused = commit(api_for(ann), repository, file("more.txt", b"x"))
    assert refused.status_code == 429
    assert repository.store().resolve("main") == head
    assert api_for(ann).get(f"/{repository.api_path}").status_code == 200
    assert commit(api_for(ben), repository, file("ben.txt", b"x")).status_code == 200


def test_asking_before_an_upload_is_no_change(api_for, repository):
    writer = api_for(make_member(repository.namespace, access=Access.WRITE))
    path = f"/{repository.api_path}/preupload/main"
    assert left(send_json(writer, "POST", path, {"files": []})) == 2
    assert left(writer.get(f"/{repository.api_path}")) == 1
    assert left(commit(writer, repository, file("b.txt", b"b"))) == 2


def test_addresses_are_counted_apart_and_not_believed(client, repository, settings):
    settings.FRONT = "nginx"
    path = f"/{repository.api_path}/refs"

    def ask(address: str) -> int:
        return Client().get(path, headers={"x-forwarded-for": address}).status_code

    assert [ask("192.0.2.1") for _ in range(4)] == [200, 200, 200, 429]
    assert ask("192.0.2.2") == 200
    settings.FRONT = "none"
    tries = [
        Client(REMOTE_ADDR="192.0.2.9").get(path, headers={"x-forwarded-for": f"10.0.0.{n}"})
        for n in range(4)
    ]
    assert tries[-1].status_code == 429


def test_a_push_counts_as_a_change(repository):
    token = make_token(make_user())
    path = f"/{repository.path}.git/git-receive-pack"
    statuses = []
    for _ in range(4):
        answer = Client().post(
            path,
            b"0000",
            content_type="application/x-git-receive-pack-request",
            headers={"authorization": f"Bearer {token}"},
        )
        answer.getvalue()  # as a web server does: git runs while its answer is read
        statuses.append(answer.status_code)
    assert statuses[-1] == 429 and 429 not in statuses[:3]


def test_no_quota_and_an_absent_cache_hinder_nobody(client, repository, settings):
    path = f"/{repository.api_path}/refs"
    settings.RATE_LIMITS = {"api": 0, "resolve": 0, "write": 0}
    answers = [client.get(path) for _ in range(5)]
    assert {one.status_code for one in answers} == {200}
    assert "RateLimit" not in answers[0]
    settings.RATE_LIMITS = {"api": 3, "resolve": 3, "write": 3}
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": "redis://127.0.0.1:1/0",
        }
    }
    start = int(time.time())
    assert [client.get(path).status_code for _ in range(4)] == [200, 200, 200, 429], start
    assert rates._own.count("nobody else") == 1
