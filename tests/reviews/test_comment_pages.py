"""Editing and hiding comments in the browser."""

from __future__ import annotations

from typing import Any

import pytest

from hub.errors import ConflictError
from hub.jobs.telling import tell_pending
from hub.models import Access, Notification, Repository
from hub.policies import Actor
from reviews.actions.timeline import add_comment, edit_comment, hide_comment
from reviews.models import Comment, Discussion
from reviews.policies import get_discussion
from tests.factories import make_user
from tests.races import at_once
from tests.reviews.factories import make_maintainer, make_pull_request

pytestmark = pytest.mark.django_db


@pytest.fixture
def said() -> Comment:
    row = make_pull_request()
    event = add_comment(row, Actor(make_user()), "The rnak is too high.")
    return Comment.objects.select_related("event__discussion", "event__actor").get(event=event)


def address(comment: Comment, act: str) -> str:
    row = get_discussion(comment.event.discussion.repository, comment.event.discussion.number)
    return f"{row.get_absolute_url()}/comment/{comment.event_id}/{act}"


def page_of(client: Any, comment: Comment) -> str:
    text: str = client.get(address(comment, "edit").partition("/comment/")[0]).content.decode()
    return text


def test_its_writer_edits_a_comment_and_all_see_that_it_was(client_for, said):
    writer = client_for(said.event.actor)
    assert address(said, "edit") in page_of(writer, said)
    assert "The rnak is too high." in writer.get(address(said, "edit")).content.decode()
    answer = writer.post(address(said, "edit"), {"comment": "The **rank** is too high."})
    assert answer.headers["Location"].endswith(f"#event-{said.event_id}")
    page = page_of(client_for(), said)
    assert "<strong>rank</strong>" in page
    assert "rnak" not in page
    assert "· edited" in page
    said.refresh_from_db()
    assert said.history == ["The rnak is too high."]


def test_a_hidden_comment_keeps_its_place_without_its_text_for_all(client_for, said):
    writer = client_for(said.event.actor)
    for _again in range(2):
        assert writer.post(address(said, "hide")).status_code == 302
    for client in (writer, client_for()):
        page = page_of(client, said)
        assert "This comment was hidden." in page
        assert "rnak" not in page
        assert address(said, "edit") not in page
    answer = writer.post(address(said, "edit"), {"comment": "Back"}, follow=True)
    assert "This comment is hidden" in answer.content.decode()
    assert Comment.objects.get(pk=said.pk).body == "The rnak is too high."


@pytest.mark.parametrize(("held", "status"), [(Access.WRITE, 403), (Access.ADMIN, 302)])
def test_others_change_a_comment_only_as_administrators_of_the_repository(
    client_for, said, held, status
):
    repository = said.event.discussion.repository
    client = client_for(make_maintainer(repository, held))
    assert (address(said, "edit") in page_of(client, said)) is (status == 302)
    assert client.post(address(said, "edit"), {"comment": "x"}).status_code == status
    assert client.post(address(said, "hide")).status_code == status


@pytest.mark.parametrize("text", ["", "  ", "x" * 65537, "漢" * 30000])
def test_a_refused_text_comes_back_as_it_was_written(client_for, said, text):
    answer = client_for(said.event.actor).post(address(said, "edit"), {"comment": text})
    assert answer.status_code == 422
    assert text in answer.content.decode()
    assert Comment.objects.get(pk=said.pk).body == "The rnak is too high."


def test_a_comment_of_another_discussion_is_not_found_here(client_for, said):
    other = make_pull_request(said.event.discussion.repository, files={"b.txt": b"b"})
    elsewhere = f"{other.get_absolute_url()}/comment/{said.event_id}/edit"
    assert client_for(said.event.actor).get(elsewhere).status_code == 404


def test_an_edit_that_names_somebody_links_them_and_tells_nobody_as_through_the_api(
    client_for, said
):
    named = make_user()
    tell_pending()
    text = f"Ask @{named.username}."
    client_for(said.event.actor).post(address(said, "edit"), {"comment": text})
    tell_pending()
    assert f'<a href="/{named.username}"' in page_of(client_for(), said)
    assert not Notification.objects.filter(user=named).exists()


@pytest.mark.django_db(transaction=True)
def test_hiding_and_editing_at_once_leave_a_hidden_comment(said):
    def row() -> Discussion:
        repository = Repository.objects.get(pk=said.event.discussion.repository_id)
        repository.access = Access.READ
        return get_discussion(repository, said.event.discussion.number)

    writer = Actor(said.event.actor)
    edited, _hidden = at_once(
        lambda: edit_comment(row(), writer, said.event_id, "Other"),
        lambda: hide_comment(row(), writer, said.event_id),
    )
    found = Comment.objects.get(pk=said.pk)
    assert found.hidden_at is not None
    assert (found.body == "Other") is (not isinstance(edited, ConflictError))
