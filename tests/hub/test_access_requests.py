"""Asking for the files of a gated repository, and answering (hub-api section 8.2)."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from hub.models import Access, AccessRequest, AuditEntry, Repository, User
from tests.factories import make_member, make_organization, make_repository, make_token, make_user
from tests.hub.wire import send_json
from tests.races import at_once

pytestmark = pytest.mark.django_db
CARD = b"""---
extra_gated_prompt: Be kind.
extra_gated_fields:
  Purpose:
    type: select
    options:
      - Research
      - label: Other
        value: other
  Company: text
  I agree: checkbox
---
# A model
"""
ANSWERS = {"Company": "Acme", "I agree": True, "Purpose": "other"}


@pytest.fixture
def repository() -> Repository:
    return make_repository(make_organization("acme"), gated="manual", files={"README.md": CARD})


@pytest.fixture
def writer(repository) -> User:
    return make_member(repository.namespace, access=Access.WRITE)


@pytest.fixture
def owners(writer, api_for) -> Client:
    return api_for(writer)


def ask(client: Client, repository: Repository, answers: Any = ANSWERS) -> Any:
    return send_json(client, "POST", f"/{repository.path}/ask-access", {"fields": answers})


def handle(client: Client, repository: Repository, **body: Any) -> Any:
    path = f"/{repository.api_path}/user-access-request/handle"
    return send_json(client, "POST", path, body)


def grant(client: Client, repository: Repository, user: str) -> Any:
    path = f"/{repository.api_path}/user-access-request/grant"
    return send_json(client, "POST", path, {"user": user})


def listed(client: Client, repository: Repository, status: str, query: str = "") -> Any:
    return client.get(f"/{repository.api_path}/user-access-request/{status}{query}")


def test_a_request_waits_until_somebody_decides(repository, owners, api_for):
    ada = make_user("ada", email="ada@example.org", full_name="Ada L.")
    said = ask(api_for(ada), repository)
    assert (said.status_code, said.json()["status"]) == (200, "pending")
    (one,) = listed(owners, repository, "pending").json()
    assert one["user"]["user"] == "ada" and one["user"]["fullname"] == "Ada L."
    assert one["user"]["email"] == "ada@example.org"
    assert one["fields"] == ANSWERS
    assert one["timestamp"].endswith("Z")
    for status in ("rejected", "accepted", "pending", "accepted"):
        assert handle(owners, repository, user="Ada", status=status).status_code == 200
        assert [row["status"] for row in listed(owners, repository, status).json()] == [status]
        again = handle(owners, repository, requestId=one["requestId"], status=status)
        assert again.status_code == 404
        assert again.json()["error"].endswith(f"already {status}.")


def test_an_automatic_gate_lets_in_at_once(repository, api_for):
    Repository.objects.update(gated="auto")
    assert ask(api_for(make_user()), repository).json()["status"] == "accepted"


def test_asking_again_changes_nothing(repository, api_for):
    client = api_for(make_user())
    first = ask(client, repository).json()
    again = ask(client, repository, ANSWERS | {"Company": "Other"}).json()
    assert again == first
    Repository.objects.update(gated="auto")
    assert ask(client, repository).json()["status"] == "accepted"
    assert AccessRequest.objects.count() == 1


def test_a_rejection_is_not_undone_by_asking(repository, owners, api_for):
    user = make_user()
    ask(api_for(user), repository)
    reason = "Tell us more"
    body = {"user": user.username, "status": "rejected", "rejectionReason": reason}
    assert handle(owners, repository, **body).status_code == 200
    (row,) = listed(owners, repository, "rejected").json()
    assert row["rejectionReason"] == reason
    for gated in ("manual", "auto"):
        Repository.objects.update(gated=gated)
        assert ask(api_for(user), repository).status_code == 403
    assert AccessRequest.objects.get().status == "rejected"


def test_a_grant_needs_no_request_and_tells_no_address(repository, owners):
    user = make_user("ada", email="ada@example.org")
    assert grant(owners, repository, "ada").json()["status"] == "accepted"
    (row,) = listed(owners, repository, "accepted").json()
    assert "email" not in row["user"] and "fields" not in row
    again = grant(owners, repository, "ada")
    assert (again.status_code, "already has access" in again.json()["error"]) == (400, True)
    assert handle(owners, repository, user="ada", status="rejected").status_code == 200
    assert grant(owners, repository, "ada").status_code == 200
    assert AccessRequest.objects.get(user=user).status == "accepted"


@pytest.mark.parametrize(
    ("answers", "named"),
    [
        ({}, "Purpose"),
        (ANSWERS | {"I agree": False}, "I agree"),
        (ANSWERS | {"Purpose": "war"}, "Purpose"),
        (ANSWERS | {"Company": "x" * 1001}, "Company"),
        (ANSWERS | {"Company": "\x01 "}, "Company"),
        (ANSWERS | {"Company": ["a"]}, "Company"),
    ],
)
def test_answers_that_do_not_fit_are_named(answers, named, repository, api_for):
    response = ask(api_for(make_user()), repository, answers)
    assert (response.status_code, named in response.json()["error"]) == (400, True)
    assert not AccessRequest.objects.exists()


def test_the_public_hubs_form_is_understood(repository, api_for):
    body = "Company=Acme&I+agree=on&Purpose=Research&surplus=1"
    kind = "application/x-www-form-urlencoded"
    client = api_for(make_user())
    response = client.generic("POST", f"/{repository.path}/ask-access", body, content_type=kind)
    assert response.json()["fields"] == ANSWERS | {"Purpose": "Research"}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"user": "nobody", "status": "accepted"}, 404),
        ({"user": "stranger", "status": "accepted"}, 404),
        ({"requestId": "12", "status": "accepted"}, 404),
        ({"requestId": "x", "status": "accepted"}, 404),
        ({"requestId": "9" * 30, "status": "accepted"}, 404),
        ({"user": "asker", "requestId": "1", "status": "accepted"}, 400),
        ({"status": "accepted"}, 400),
        ({"user": "asker"}, 400),
        ({"user": "asker", "status": "banned"}, 400),
        ({"user": "asker", "status": "accepted", "rejectionReason": "x"}, 400),
        ({"user": "asker", "status": "rejected", "rejectionReason": "x" * 201}, 400),
        ({"user": 7, "status": "accepted"}, 400),
        ({"user": "\x00", "status": "accepted"}, 400),
    ],
)
def test_decisions_that_make_no_sense_are_refused(body, status, repository, owners, api_for):
    ask(api_for(make_user("asker")), repository)
    make_user("stranger")
    response = handle(owners, repository, **body)
    assert (response.status_code, bool(response.json()["error"])) == (status, True)
    assert AccessRequest.objects.get().status == "pending"


def test_a_request_of_another_repository_is_not_decided_here(repository, owners, api_for):
    theirs = make_repository(gated="manual")
    made = ask(api_for(make_user()), theirs, {}).json()
    response = handle(owners, repository, requestId=made["requestId"], status="accepted")
    assert response.status_code == 404
    assert AccessRequest.objects.get().status == "pending"


def test_an_open_repository_has_no_requests(owners, api_for):
    repository = Repository.objects.get()
    Repository.objects.update(gated="")
    make_user("ada")
    assert ask(api_for(make_user()), repository).status_code == 400
    assert listed(owners, repository, "pending").status_code == 400
    assert handle(owners, repository, user="ada", status="accepted").status_code == 400
    assert grant(owners, repository, "ada").status_code == 400


def test_members_need_not_ask(repository, writer, owners):
    assert ask(owners, repository).status_code == 400
    assert grant(owners, repository, writer.username).status_code == 400
    assert grant(owners, repository, "nobody").status_code == 404


def test_the_list_comes_a_page_at_a_time(repository, owners):
    names = [make_user().username for _ in range(5)]
    for name in names:
        grant(owners, repository, name)
    found, query = [], "?limit=2"
    while query:
        response = listed(owners, repository, "accepted", query)
        found += [row["user"]["user"] for row in response.json()]
        link = response.headers.get("Link", "")
        query = "?" + link.partition("?")[2].partition(">")[0] if link else ""
    assert found == names[::-1]
    assert listed(owners, repository, "accepted", "?cursor=x").status_code == 400
    assert listed(owners, repository, "decided").status_code == 404


def test_who_decided_what_is_kept(repository, owners, writer, api_for):
    ask(api_for(make_user("asker")), repository)
    handle(owners, repository, user="asker", status="accepted")
    asked, decided = AuditEntry.objects.filter(action__startswith="access.").order_by("pk")
    assert (asked.action, asked.actor_name, asked.new) == ("access.ask", "asker", "pending")
    assert (decided.actor_name, decided.old, decided.new) == (
        writer.username,
        "pending",
        "accepted",
    )
    assert decided.subject == f"model {repository.repo_id}: asker"


@pytest.mark.parametrize(("status", "word"), [("accepted", "let you in"), ("rejected", "did not")])
def test_an_answer_is_told_as_one_and_names_the_repository_once(
    repository, owners, writer, api_for, client_for, status, word
):
    asker = make_user("asker")
    ask(api_for(asker), repository)
    question = client_for(writer).get("/-/inbox").content.decode()
    assert "somebody asks for access" in question
    handle(owners, repository, user="asker", status=status)
    answer = client_for(asker).get("/-/inbox").content.decode()
    assert word in answer
    assert "your access to the files" in answer
    assert "somebody asks for access" not in answer
    row = answer.partition('class="inbox-what"')[2].partition('class="inbox-acts"')[0]
    assert row.count(repository.repo_id) == 1


@pytest.mark.django_db(transaction=True)
class TestRaces:
    def test_asking_six_times_at_once_is_asking_once(self, repository):
        secret = make_token(make_user())
        clients = [Client(headers={"authorization": f"Bearer {secret}"}) for _ in range(6)]
        answers = at_once(*[lambda c=c: ask(c, repository) for c in clients])
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.json()["requestId"] for answer in answers}) == 1
        assert AuditEntry.objects.filter(action="access.ask").count() == 1

    def test_of_six_same_decisions_one_counts(self, repository, writer):
        user = make_user()
        ask(Client(headers={"authorization": f"Bearer {make_token(user)}"}), repository)
        secret = make_token(writer)
        clients = [Client(headers={"authorization": f"Bearer {secret}"}) for _ in range(6)]
        body = {"user": user.username, "status": "accepted"}
        answers = at_once(*[lambda c=c: handle(c, repository, **body) for c in clients])
        assert sorted(answer.status_code for answer in answers) == [200, *[404] * 5]
        assert AuditEntry.objects.filter(action="access.decide").count() == 1
