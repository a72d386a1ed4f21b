"""`#7` and `owner/name#7` in a conversation: links to what its reader may see."""

from __future__ import annotations

from typing import Any

import pytest

from hub.models import Access, Kind, Repository, Visibility
from hub.policies import Actor
from hub.rendering import render_markdown
from reviews.actions.discussions import open_discussion
from reviews.actions.timeline import add_comment
from reviews.models import Discussion
from reviews.policies import get_discussion
from tests.factories import make_member, make_repository, make_user
from tests.reviews.factories import make_pull_request

pytestmark = pytest.mark.django_db


def talk(repository: Repository) -> Discussion:
    return open_discussion(repository, Actor(make_user()), title="Why?", description="")


def page_after(client: Any, row: Discussion, text: str) -> str:
    add_comment(row, Actor(make_user()), text)
    page: str = client.get(row.get_absolute_url()).content.decode()
    return page


def link(row: Discussion, text: str) -> str:
    return f'<a href="{row.get_absolute_url()}" rel="nofollow ugc noopener noreferrer">{text}</a>'


def test_a_number_leads_to_the_discussion_of_this_repository_that_has_it(client_for):
    first = talk(make_repository())
    second = make_pull_request(first.repository)
    page = page_after(client_for(), second, "As in #1, see (#1), not #9, `#1` or a#1.")
    assert page.count(link(first, "#1")) == 2
    assert "not #9, <code>#1</code> or a#1." in page


def test_a_path_with_a_number_leads_to_another_repository(client_for):
    model, data = talk(make_repository()), talk(make_repository(kind=Kind.DATASET))
    here = talk(make_repository())
    named, set_named = (f"{row.repository.path.upper()}#1" for row in (model, data))
    set_named = f"datasets/{data.repository.repo_id}#1"
    page = page_after(client_for(), here, f"See {named} and {set_named}.")
    assert link(model, named) in page
    assert link(data, set_named) in page


def test_what_a_reader_may_not_see_reads_like_what_there_is_not(client_for):
    hidden = talk(make_repository(visibility=Visibility.PRIVATE))
    here = talk(make_repository())
    named = f"{hidden.repository.path}#1"
    page = page_after(client_for(make_user()), here, f"See {named} and nobody/nothing#1.")
    assert f"<p>See {named} and nobody/nothing#1.</p>" in page
    member = make_member(hidden.repository.namespace, access=Access.READ)
    assert link(hidden, named) in client_for(member).get(here.get_absolute_url()).content.decode()


def test_numbers_ask_the_same_however_many_there_are(client_for, django_assert_max_num_queries):
    here, others = talk(make_repository()), [talk(make_repository()) for _each in range(4)]
    client = client_for()
    client.get(here.get_absolute_url())
    for row in others:
        page = page_after(client, here, f"#1 and {row.repository.path}#1")
    assert page.count('ugc noopener noreferrer">') == 8
    row = get_discussion(here.repository, here.number)
    with django_assert_max_num_queries(12):
        client.get(row.get_absolute_url())


@pytest.mark.parametrize(
    "text", ["[#1](/x)", "<a href='/x'>#1</a>", "&#1;", "##1", "#01", "#1a", "/#1", "# 1", "@a#1"]
)
def test_other_text_stays_as_it_is(text):
    assert 'href="/there"' not in render_markdown(text, numbers={"#1": "/there"})


def test_an_address_is_escaped_and_links_have_a_limit():
    html = render_markdown("#1 " * 1000, numbers={"#1": '/x"><script>'})
    assert "<script" not in html
    assert html.count("<a ") == 200
