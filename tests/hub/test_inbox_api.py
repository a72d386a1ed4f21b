"""The inbox for programs: the same rows and rules as its page."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from hub.jobs import telling
from hub.models import (
    Access,
    AccessToken,
    Listening,
    Membership,
    Notification,
    Subscription,
    TokenScope,
)
from hub.policies import Actor
from reviews.actions import discussions
from tests.factories import make_member, make_organization, make_repository, make_token, make_user

pytestmark = pytest.mark.django_db
LIST = "/api/notifications"


def by_token(user: Any, **more: Any) -> Client:
    secret = make_token(user, **{"scope": TokenScope.WRITE} | more)
    return Client(headers={"authorization": f"Bearer {secret}"})


def post(client: Client, path: str, **body: Any) -> Any:
    return client.post(path, json.dumps(body), content_type="application/json")


@pytest.fixture
def ann():
    return make_user("ann")


@pytest.fixture
def model():
    return make_repository(make_organization("acme"), name="model")


@pytest.fixture
def told(ann, model):
    """The keys of three threads in which ben names ann, the newest first."""
    ben = make_user("ben")
    for number in range(3):
        discussions.open_discussion(model, Actor(ben), title=f"Thing {number}", description="@ann")
    telling.tell_pending()
    rows = Notification.objects.filter(user=ann).order_by("-told_at", "-pk")
    return [str(key) for key in rows.values_list("pk", flat=True)]


def keys(answer: Any) -> list[str]:
    assert answer.status_code == 200
    return [row["id"] for row in answer.json()]


def test_a_row_says_what_the_page_says(ann, told, client):
    row = by_token(ann, scope=TokenScope.READ).get(LIST).json()[0]
    assert (row["state"], row["reason"], row["title"]) == ("unread", "mention", "Thing 2")
    assert row["repo"] == {"name": "acme/model", "type": "model"}
    assert (row["organization"], row["actor"]["user"]) == (None, "ben")
    assert row["url"].endswith("/acme/model/discussions/3") and row["thread"] == "discussions/3"
    assert row["updatedAt"].endswith("Z")
    assert client.get(LIST).status_code == 401


def test_pages_follow_each_other_and_questions_do_not_grow(ann, told, django_assert_num_queries):
    client = by_token(ann)
    found, path = [], f"{LIST}?limit=1"
    while path:
        answer = client.get(path)
        found += keys(answer)
        link = answer.headers.get("Link", "")
        path = "/" + link.split(">")[0].split("/", 3)[3] if link else ""
    assert found == told
    client.get(LIST)
    with django_assert_num_queries(2):
        client.get(LIST)


@pytest.mark.parametrize("query", ["view=other", "cursor=x", "cursor=1-", "limit=x"])
def test_what_cannot_be_asked_is_refused(ann, query):
    assert by_token(ann).get(f"{LIST}?{query}").status_code == 400


def test_some_or_all_are_marked_and_twice_is_once(ann, told):
    client = by_token(ann)
    for _again in range(2):
        answer = post(client, f"{LIST}/mark", state="read", ids=told[:1])
        assert answer.json() == {"marked": 1}
    assert keys(client.get(LIST)) == told[1:]
    assert keys(client.get(f"{LIST}?view=all")) == told
    assert keys(client.get(f"{LIST}?view=mentions&repo=ACME/model")) == told
    assert keys(client.get(f"{LIST}?view=all&repo=acme/other")) == []
    until = client.get(LIST).json()[-1]["updatedAt"][:-5] + ".000Z"
    assert post(client, f"{LIST}/mark", state="done", until=until).json() == {"marked": 0}
    everything = {"state": "done", "view": "all", "until": "2999-01-01T00:00:00Z"}
    assert post(client, f"{LIST}/mark", **everything).json() == {"marked": 3}
    assert keys(client.get(f"{LIST}?view=done")) == told


@pytest.mark.parametrize(
    "body",
    [
        {"state": "read"},
        {"state": "gone", "ids": ["1"]},
        {"state": "read", "ids": "1"},
        {"state": "read", "ids": [1]},
        {"state": "read", "ids": ["9" * 30]},
        {"state": "read", "ids": ["1"] * 1001},
        {"state": "read", "until": "yesterday"},
        {"state": "read", "until": "2026-01-01T00:00:00"},
        {"state": "read", "until": "2026-01-01T00:00:00Z", "view": "x"},
    ],
)
def test_marks_that_mean_nothing_are_refused(ann, body):
    assert post(by_token(ann), f"{LIST}/mark", **body).status_code == 400


def test_a_thread_is_muted_and_done_with(ann, model, told):
    client = by_token(ann)
    assert post(client, f"{LIST}/{told[0]}/mute").status_code == 200
    row = Subscription.objects.get(user=ann, repository=model)
    assert (row.thread, row.level) == ("discussions/3", Listening.MUTED)
    assert keys(client.get(LIST)) == told[1:]


def test_nobody_touches_another_inbox_or_what_they_may_no_longer_read(ann, told, model):
    eve = by_token(make_user("eve"))
    assert keys(eve.get(f"{LIST}?view=all")) == []
    assert post(eve, f"{LIST}/mark", state="done", ids=told).json() == {"marked": 0}
    assert post(eve, f"{LIST}/{told[0]}/mute").status_code == 404
    model.visibility = "private"
    model.save()
    assert keys(by_token(ann).get(f"{LIST}?view=all")) == []
    Membership.objects.create(namespace=model.namespace, user=ann, access=Access.READ)
    assert keys(by_token(ann).get(f"{LIST}?view=all")) == told


def test_a_token_of_some_repositories_reads_theirs_and_marks_nothing(ann, told, model):
    secret = make_token(ann, scope=TokenScope.ADMIN)
    token = AccessToken.objects.for_secret(secret)
    token.repositories.add(make_repository(ann.namespace))
    client = Client(headers={"authorization": f"Bearer {secret}"})
    assert keys(client.get(LIST)) == []
    token.repositories.add(model)
    assert keys(client.get(LIST)) == told
    assert post(client, f"{LIST}/mark", state="read", ids=told).status_code == 403
    assert post(client, f"{LIST}/{told[0]}/mute").status_code == 403


class TestCollaborators:
    @pytest.fixture
    def boss(self, model):
        return make_member(model.namespace, access=Access.ADMIN)

    def put(self, client: Client, model: Any, name: str, role: Any = "write") -> Any:
        path = f"/{model.api_path}/collaborators/{name}"
        return client.put(path, json.dumps({"role": role}), content_type="application/json")

    def test_they_are_listed_let_in_changed_and_taken_off(self, model, boss, ann):
        client = by_token(boss, scope=TokenScope.ADMIN)
        path = f"/{model.api_path}/collaborators"
        assert client.get(path).json() == []
        assert self.put(client, model, "ANN").json()["role"] == "write"
        assert self.put(client, model, "ann", "contributor").status_code == 200
        [row] = client.get(path).json()
        assert (row["user"], row["role"], row["createdAt"][-1]) == ("ann", "contributor", "Z")
        for _again in range(2):
            assert client.delete(f"{path}/ann").status_code == 200
        assert client.get(path).json() == []

    @pytest.mark.parametrize(
        ("name", "role", "status"),
        [("ann", "owner", 400), ("ann", None, 400), ("nobody", "read", 404), ("ann", "none", 400)],
    )
    def test_what_cannot_be_given_is_refused(self, model, boss, ann, name, role, status):
        client = by_token(boss, scope=TokenScope.ADMIN)
        assert self.put(client, model, name, role).status_code == status
        assert not model.collaborators.exists()

    def test_everybody_may_leave_and_nobody_else_takes_them_off(self, model, boss, ann):
        self.put(by_token(boss, scope=TokenScope.ADMIN), model, "ann", "read")
        path = f"/{model.api_path}/collaborators/ann"
        assert by_token(make_user("eve"), scope=TokenScope.ADMIN).delete(path).status_code == 403
        assert by_token(boss).delete(path).status_code == 403  # it governs others
        assert by_token(ann).delete(path).status_code == 200
        assert not model.collaborators.exists()
        assert by_token(ann).get(f"/{model.api_path}/collaborators").status_code == 403
