"""Proposing a change to a private repository needs the role Contribute; Read takes part."""

from __future__ import annotations

from typing import Any

import pytest

from hub.models import Access, Membership, Repository, Visibility
from hub.policies import Actor, access_of, get_repository, may_propose
from reviews.models import Discussion
from reviews.policies import may_push
from tests.factories import make_member, make_repository
from tests.hub.wire import send_json
from tests.reviews.factories import make_pull_request

pytestmark = pytest.mark.django_db
CHANGE = (
    b'{"key":"header","value":{"summary":"Add"}}\n'
    b'{"key":"file","value":{"path":"a.txt","content":"a"}}\n'
)


def member(repository: Repository, access: Access) -> Any:
    return make_member(repository.namespace, access=access)


@pytest.fixture
def private() -> Repository:
    return make_repository(visibility=Visibility.PRIVATE)


@pytest.mark.parametrize(("held", "status"), [(Access.READ, 403), (Access.CONTRIBUTE, 200)])
class TestPrivate:
    def test_a_commit_as_a_pull_request(self, private, api_for, held, status):
        answer = api_for(member(private, held)).post(
            f"/{private.api_path}/commit/main?create_pr=1", CHANGE, "application/x-ndjson"
        )
        assert answer.status_code == status
        assert Discussion.objects.count() == (status == 200)

    def test_a_draft(self, private, api_for, held, status):
        body = {"title": "Draft", "description": "", "pullRequest": True}
        path = f"/{private.api_path}/discussions"
        assert send_json(api_for(member(private, held)), "POST", path, body).status_code == status

    def test_the_editor_of_the_browser_and_its_button(self, private, client_for, held, status):
        client = client_for(member(private, held))
        edit = f"{private.get_absolute_url()}/edit/main/README.md"
        assert client.get(edit).status_code == status
        page = client.get(f"{private.get_absolute_url()}/tree/main").content.decode()
        assert ("/upload/main" in page) is (status == 200)


def test_a_refused_reader_is_told_what_is_missing(private, api_for):
    answer = api_for(member(private, Access.READ)).post(
        f"/{private.api_path}/commit/main?create_pr=1", CHANGE, "application/x-ndjson"
    )
    assert "needs contribute access" in answer.headers["X-Error-Message"]


def test_reading_is_enough_for_a_discussion_and_a_comment(private, client_for):
    pull_request = make_pull_request(private)
    client = client_for(member(private, Access.READ))
    client.post(f"{private.get_absolute_url()}/discussions/new", {"title": "Why?"})
    client.post(f"{pull_request.get_absolute_url()}/comment", {"comment": "Because."})
    assert Discussion.objects.filter(title="Why?").exists()
    assert "Because." in client.get(pull_request.get_absolute_url()).content.decode()


def test_everyone_who_is_signed_in_proposes_to_a_public_repository():
    repository = make_repository()
    for held in (Access.NONE, Access.READ):
        person = make_member(repository.namespace, access=held or None)
        actor = Actor(person)
        assert may_propose(actor, get_repository(actor, repository.named_by))


def test_who_is_set_back_to_reading_pushes_to_their_proposal_no_more(private):
    author = member(private, Access.CONTRIBUTE)
    row = make_pull_request(private, author=author)
    assert may_push(private, row.number, author)
    Membership.objects.filter(user=author).update(access=Access.READ)
    assert access_of(author, private) == Access.READ
    assert not may_push(private, row.number, author)
