"""The discussions API, in the words huggingface_hub reads."""

from __future__ import annotations

from typing import Any

import pytest

from hub.models import Access, Visibility
from reviews.models import Discussion
from tests.factories import make_member, make_repository, make_user
from tests.reviews.factories import make_maintainer, make_pull_request

pytestmark = pytest.mark.django_db


def url_of(repository: Any, rest: str = "") -> str:
    return f"/{repository.api_path}/discussions{rest}"


@pytest.mark.parametrize(("held", "status"), [(None, 404), (Access.READ, 403), (Access.WRITE, 200)])
def test_merging_needs_write_access(api_for, held, status):
    pull_request = make_pull_request(make_repository(visibility=Visibility.PRIVATE))
    repository = pull_request.repository
    person = make_member(repository.namespace, access=held)
    url = url_of(repository, f"/{pull_request.number}/merge")
    response = api_for(person).post(url, {}, content_type="application/json")
    assert response.status_code == status
    assert response.get("X-Error-Code") == {404: "RepoNotFound", 403: "Forbidden"}.get(status)


def test_a_discussion_is_opened_commented_renamed_and_closed(api_for):
    repository, person = make_repository(), make_user()
    client = api_for(person)

    def post(rest: str, body: dict[str, Any]) -> Any:
        response = client.post(url_of(repository, rest), body, content_type="application/json")
        assert response.status_code == 200, response.content
        return response.json()

    number = post("", {"title": "Why?", "description": "Tell *me*.", "pullRequest": False})["num"]
    message = post(f"/{number}/comment", {"comment": "Because."})["newMessage"]
    edited = post(f"/{number}/comment/{message['id']}/edit", {"content": "Because so."})
    post(f"/{number}/title", {"title": "Why not?"})
    post(f"/{number}/status", {"status": "closed"})
    details = client.get(url_of(repository, f"/{number}")).json()
    assert [event["type"] for event in details["events"]] == [
        "comment", "comment", "title-change", "status-change",
    ]  # fmt: skip
    assert details["events"][1] == edited["updatedComment"]
    assert details["events"][1]["data"]["history"] == ["Because."]
    assert (details["title"], details["status"]) == ("Why not?", "closed")
    assert details["createdAt"].endswith("Z")


def test_a_pull_request_opened_by_the_api_is_a_draft_on_the_base(api_for):
    repository = make_repository()
    body = {"title": "Later", "description": "", "pullRequest": True}
    client = api_for(make_user())
    response = client.post(url_of(repository), body, content_type="application/json")
    row = Discussion.objects.get(repository=repository, number=response.json()["num"])
    assert (row.status, row.head_oid) == ("draft", repository.store().resolve("main"))
    assert repository.store().resolve(row.ref) == row.head_oid


def test_details_hold_the_diff_and_the_conflicting_files(api_for):
    pull_request = make_pull_request(files={"a.txt": b"hello\n"})
    url = url_of(pull_request.repository, f"/{pull_request.number}?diff=1")
    details = api_for().get(url).json()
    assert "+hello" in details["diff"]
    assert details["changes"] == {"base": "main"}
    assert details["filesWithConflicts"] == []


def test_the_list_pages_and_filters(api_for):
    repository = make_repository()
    for _ in range(3):
        make_pull_request(repository)
    listing = api_for().get(url_of(repository, "?type=pull_request&status=open")).json()
    assert [row["num"] for row in listing["discussions"]] == [3, 2, 1]
    assert (listing["count"], listing["start"]) == (3, 0)
    assert api_for().get(url_of(repository, "?p=x")).status_code == 400


def test_the_requirements_say_what_blocks(api_for):
    pull_request = make_pull_request(draft=True)
    client = api_for(make_maintainer(pull_request.repository))
    body = client.get(url_of(pull_request.repository, f"/{pull_request.number}/requirements"))
    assert body.json()["mergeable"] is False
    states = {line["key"]: line["state"] for line in body.json()["requirements"]}
    assert states["draft"] == "unmet"


def test_a_read_token_changes_nothing(api_for):
    pull_request = make_pull_request()
    client = api_for(make_maintainer(pull_request.repository), scope="read")
    base = url_of(pull_request.repository, f"/{pull_request.number}")
    for rest, body in [
        ("/merge", {}),
        ("/comment", {"comment": "x"}),
        ("/review", {"head": pull_request.head_oid, "verdict": "approve"}),
        ("/title", {"title": "x"}),
        ("/status", {"status": "closed"}),
    ]:
        response = client.post(f"{base}{rest}", body, content_type="application/json")
        assert response.status_code == 403, rest
