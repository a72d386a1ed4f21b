"""Closing, opening again and renaming discussions in the browser."""

from __future__ import annotations

from typing import Any

import pytest

from hub.errors import ConflictError
from hub.models import Access
from hub.policies import Actor
from reviews.actions.discussions import change_status, open_discussion
from reviews.models import Discussion, TimelineEvent, TimelineKind
from reviews.policies import get_discussion
from tests.factories import make_repository, make_user
from tests.races import at_once
from tests.reviews.factories import make_maintainer, make_pull_request

pytestmark = pytest.mark.django_db


@pytest.fixture
def talk() -> Discussion:
    return open_discussion(
        make_repository(), Actor(make_user()), title="Which licence?", description="Asking."
    )


def page_of(client: Any, row: Discussion) -> str:
    text: str = client.get(row.get_absolute_url()).content.decode()
    return text


def test_its_author_closes_a_discussion_and_opens_it_again_by_the_buttons_of_the_page(
    client_for, talk
):
    author, url = client_for(talk.author), talk.get_absolute_url()
    page = page_of(author, talk)
    assert f'formaction="{url}/close"' in page
    assert f'formaction="{url}/reopen"' not in page
    assert "Closed." in author.post(f"{url}/close", follow=True).content.decode()
    page = page_of(author, talk)
    assert f'formaction="{url}/reopen"' in page
    assert f'formaction="{url}/close"' not in page
    author.post(f"{url}/reopen")
    assert Discussion.objects.get(pk=talk.pk).status == "open"


@pytest.mark.parametrize(("held", "offered"), [(Access.READ, False), (Access.WRITE, True)])
def test_closing_and_renaming_are_offered_to_people_with_write_access(
    client_for, talk, held, offered
):
    page = page_of(client_for(make_maintainer(talk.repository, held)), talk)
    assert (f"{talk.get_absolute_url()}/close" in page) is offered
    assert (f'action="{talk.get_absolute_url()}/title"' in page) is offered


def test_a_stranger_and_a_visitor_are_offered_neither(client_for, talk):
    for client in (client_for(make_user()), client_for()):
        page = page_of(client, talk)
        assert "/close" not in page
        assert '/title"' not in page


def test_a_title_is_edited_in_the_head_of_a_discussion_and_of_each_tab_of_a_pull_request(
    client_for, talk
):
    pull_request = make_pull_request()
    for row, tabs in ((talk, ("",)), (pull_request, ("", "/files", "/commits"))):
        author, url = client_for(row.author), row.get_absolute_url()
        for tab in tabs:
            assert f'action="{url}/title"' in author.get(url + tab).content.decode()
        answer = author.post(f"{url}/title", {"title": " Which   one? "}, follow=True)
        assert "Which one?" in answer.content.decode()
        assert Discussion.objects.get(pk=row.pk).title == "Which one?"


def test_an_empty_title_is_refused_with_a_sentence(client_for, talk):
    answer = client_for(talk.author).post(
        f"{talk.get_absolute_url()}/title", {"title": "  "}, follow=True
    )
    assert "The title is empty" in answer.content.decode()
    assert Discussion.objects.get(pk=talk.pk).title == "Which licence?"


@pytest.mark.django_db(transaction=True)
def test_of_two_who_close_at_once_one_did(talk):
    people = [talk.author, make_maintainer(talk.repository)]

    def close(person: Any) -> Any:
        repository = type(talk.repository).objects.get(pk=talk.repository_id)
        repository.access = Access.WRITE
        return change_status(get_discussion(repository, talk.number), Actor(person), "closed")

    found = at_once(*(lambda person=person: close(person) for person in people))
    assert sum(isinstance(each, ConflictError) for each in found) == 1
    lines = TimelineEvent.objects.filter(discussion=talk, kind=TimelineKind.STATUS)
    assert lines.count() == 1
