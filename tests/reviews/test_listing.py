"""The list of pull requests and discussions: by kind, state, author and words."""

from __future__ import annotations

import re
from typing import Any

import pytest

from hub.models import Repository
from hub.policies import Actor
from reviews.actions.discussions import change_status, open_discussion
from reviews.models import Discussion
from tests.factories import make_repository, make_user
from tests.reviews.factories import make_pull_request

pytestmark = pytest.mark.django_db

TITLE = re.compile(r'<div><a href="[^"]+/discussions/\d+">([^<]+)</a>')


def talk(repository: Repository, title: str, author: Any = None) -> Discussion:
    actor = Actor(author or make_user())
    return open_discussion(repository, actor, title=title, description="")


@pytest.fixture
def hub() -> dict[str, Any]:
    """Two open discussions, one closed, and an open pull request."""
    repository, anna = make_repository(), make_user("anna")
    talk(repository, "Which licence?", anna)
    closed = talk(repository, "Old 100% question", anna)
    talk(repository, "Licence of the data")
    pull_request = make_pull_request(repository)
    change_status(closed, Actor(anna), "closed")
    return {"repository": repository, "pull": pull_request}


def listed(client: Any, hub: dict[str, Any], query: str) -> tuple[list[str], str]:
    page = client.get(f"{hub['repository'].get_absolute_url()}/discussions?{query}")
    text = page.content.decode()
    return TITLE.findall(text), text


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ("", ["Raise the rank", "Licence of the data", "Which licence?"]),
        ("kind=discussion", ["Licence of the data", "Which licence?"]),
        ("kind=pull_request", ["Raise the rank"]),
        ("state=closed", ["Old 100% question"]),
        ("state=closed&kind=pull_request", []),
        ("author=ANNA", ["Which licence?"]),
        ("author=nobody-here", []),
        ("q=LICENCE", ["Licence of the data", "Which licence?"]),
        ("q=100%25&state=closed", ["Old 100% question"]),
        ("q=1__%25&state=closed", []),
        ("q=licence&author=anna&kind=discussion", ["Which licence?"]),
        (
            "kind=nonsense&state=nonsense&page=99",
            ["Raise the rank", "Licence of the data", "Which licence?"],
        ),
    ],
)
def test_the_list_shows_what_was_asked_for(client_for, hub, query, titles):
    found, _page = listed(client_for(), hub, query)
    assert found == titles


def test_each_choice_tells_how_many_it_leads_to(client_for, hub):
    _titles, page = listed(client_for(), hub, "q=licence")
    said = re.findall(r'<a href="\?([^"]*)"[^>]*>(\S[^<]*) <span class="num">(\d+)</span>', page)
    assert [(label, count) for _query, label, count in said] == [
        ("All", "2"),
        ("Pull requests", "0"),
        ("Discussions", "2"),
        ("Still open", "2"),
        ("Settled", "0"),
    ]
    assert "kind=discussion&amp;state=open&amp;q=licence" in [query for query, *_rest in said]


def test_the_tab_counts_both_kinds_and_says_so(client_for, hub):
    page = client_for().get(hub["repository"].get_absolute_url()).content.decode()
    assert re.search(r'/discussions">Community <span class="count">3</span>', page)


def test_discussions_wear_an_icon_of_their_own(client_for, hub):
    _titles, page = listed(client_for(), hub, "kind=discussion")
    assert "sprite.svg#comment" in page.partition("talk-rows")[2].partition("</ul>")[0]
    assert "sprite.svg#pull" not in page.partition("talk-rows")[2].partition("</ul>")[0]


def test_authors_lead_to_their_profiles(client_for, hub):
    _titles, page = listed(client_for(), hub, "author=anna")
    assert '<a class="person-name" href="/anna">' in page


def test_the_list_asks_the_same_whatever_is_chosen(client_for, hub, django_assert_max_num_queries):
    client = client_for(make_user())
    listed(client, hub, "")
    for query in ("", "kind=discussion", "state=closed&author=anna&q=old"):
        with django_assert_max_num_queries(11):
            listed(client, hub, query)
