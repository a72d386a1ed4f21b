"""Asking for gated files, liking and following in the browser, without JavaScript."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from hub.actions.access_requests import form_of
from hub.models import Access, AccessRequest, Follow, Repository, User, Visibility
from tests.factories import make_member, make_organization, make_repository, make_user

pytestmark = pytest.mark.django_db
CARD = b"""---
extra_gated_heading: Tell us who you are
extra_gated_prompt: Be **kind** <script>alert(1)</script>
extra_gated_button_content: "I agree & ask"
extra_gated_fields:
  Since: date_picker
  Company <b>: text
  Purpose:
    type: select
    options: [Research]
  I agree: checkbox
---
# A model
"""
ANSWERS = {"Company <b>": "Acme", "Since": "2026-01-31", "I agree": "on", "Purpose": "Research"}


@pytest.fixture
def repository() -> Repository:
    return make_repository(make_organization("acme"), gated="manual", files={"README.md": CARD})


@pytest.fixture
def admin(repository) -> User:
    return make_member(repository.namespace, access=Access.ADMIN)


def text(response: Any) -> str:
    return response.content.decode()


def ask(client: Client, repository: Repository, **answers: str) -> Any:
    form = {one.key: (ANSWERS | answers)[one.label] for one in form_of(repository).fields}
    return client.post(f"/{repository.path}/access", form)


def test_the_page_of_a_gated_repository_says_what_is_asked(repository, client_for, admin):
    path = f"/{repository.path}"
    shown = text(client_for(make_user()).get(path))
    assert "Tell us who you are" in shown and "<strong>kind</strong>" in shown
    assert "I agree &amp; ask" in shown and "Company &lt;b&gt;" in shown
    assert "<script>alert" not in shown
    assert 'type="date"' in shown
    places = [shown.index(f">{word}") for word in ("Since", "Company", "Purpose", "I agree<")]
    assert places == sorted(places)
    anonymous = text(client_for().get(path))
    assert "Sign in to ask for the files" in anonymous and "I agree &amp; ask" not in anonymous
    assert "Tell us who you are" not in text(client_for(admin).get(path))


def test_a_person_asks_is_let_in_and_reads(repository, client_for, admin):
    person = make_user(email="someone@example.org")
    browser, maintainer = client_for(person), client_for(admin)
    file = f"/{repository.path}/blob/main/README.md"
    refused = browser.get(file)
    assert refused.status_code == 403
    assert f'href="/{repository.path}/access"' in text(refused)
    assert ask(browser, repository).status_code == 302
    assert "has not answered yet" in text(browser.get(f"/{repository.path}"))
    requests_page = f"/{repository.path}/settings/access"
    shown = text(maintainer.get(requests_page))
    assert "someone@example.org" in shown and "Acme" in shown
    row = AccessRequest.objects.get()
    form = {"form": "decide", "request": row.pk}
    maintainer.post(requests_page, form | {"status": "rejected", "reason": "Too <soon>"})
    shown = text(browser.get(f"/{repository.path}"))
    assert "has answered no" in shown and "Too &lt;soon&gt;" in shown
    assert browser.get(file).status_code == 403
    maintainer.post(requests_page, form | {"status": "accepted"})
    assert browser.get(file).status_code == 200
    assert "You have access to the files" in text(browser.get(f"/{repository.path}"))
    assert person.username in text(maintainer.get(f"{requests_page}?status=accepted"))


def test_a_wrong_answer_comes_back_with_what_was_written(repository, client_for):
    browser = client_for(make_user())
    response = ask(browser, repository, **{"Company <b>": "Acme Ltd", "Since": "soon"})
    assert response.status_code == 422
    assert "Acme Ltd" in text(response) and "Enter a valid date" in text(response)
    assert not AccessRequest.objects.exists()


def test_an_automatic_gate_opens_at_once(repository, client_for):
    Repository.objects.update(gated="auto")
    browser = client_for(make_user())
    ask(browser, repository)
    assert browser.get(f"/{repository.path}/blob/main/README.md").status_code == 200


def test_a_maintainer_lets_somebody_in_by_name(repository, client_for, admin):
    person = make_user("ada")
    path = f"/{repository.path}/settings/access"
    maintainer = client_for(admin)
    for name, said in (("ada", "may read the files"), ("ada", "already has"), ("x", "no person")):
        response = maintainer.post(path, {"form": "grant", "user": name}, follow=True)
        assert said in text(response)
    assert client_for(person).get(f"/{repository.path}/blob/main/README.md").status_code == 200


def test_the_gate_is_set_in_the_settings(repository, client_for, admin):
    path = f"/{repository.path}/settings"
    for mode in ("auto", "", "manual"):
        client_for(admin).post(path, {"form": "gate", "gated": mode})
        repository.refresh_from_db()
        assert repository.gated == mode
    client_for(admin).post(path, {"form": "gate", "gated": "never"})
    repository.refresh_from_db()
    assert repository.gated == "manual"


def test_an_open_gate_shows_what_was_decided_and_changes_nothing(repository, client_for, admin):
    ask(client_for(make_user("ada")), repository)
    Repository.objects.update(gated="")
    path = f"/{repository.path}/settings/access"
    shown = text(client_for(admin).get(path))
    assert "The gate is open" in shown and "ada" in shown
    assert client_for(make_user()).get(f"/{repository.path}/access").status_code == 302


class TestLikesAndFollows:
    def test_the_heart_counts_and_takes_back(self, client_for):
        repository = make_repository()
        path = f"/{repository.path}"
        browser = client_for(make_user())
        assert 'aria-pressed="false"' in text(browser.get(path))
        assert browser.post(f"{path}/like", {"on": "1"})["Location"] == path
        shown = text(browser.get(path))
        assert 'aria-pressed="true"' in shown and "like. Like it" in shown
        part = text(browser.post(f"{path}/like", {"on": "0"}, headers={"hx-request": "true"}))
        assert "likes. Like it" in part and "<html" not in part
        assert "Sign in to like" in text(client_for().get(path))

    def test_following_somebody(self, client_for):
        make_user("ada")
        browser = client_for(make_user("ben"))
        assert browser.post("/-/follow/ada", {"on": "1"})["Location"] == "/ada"
        assert "1 follower" in text(browser.get("/ada"))
        assert "ben" in text(browser.get("/ada?view=followers"))
        assert "ada" in text(browser.get("/ben?view=following"))
        part = text(browser.post("/-/follow/ada", {"on": "0"}, headers={"hx-request": "true"}))
        assert "0 followers" in part and not Follow.objects.exists()

    def test_likes_of_hidden_repositories_are_not_shown(self, client_for):
        acme = make_organization("acme")
        member = make_member(acme, access=Access.READ, username="ada")
        for name in ("open", "hidden"):
            repository = make_repository(acme, name=name)
            client_for(member).post(f"/{repository.path}/like", {"on": "1"})
        Repository.objects.filter(name="hidden").update(visibility=Visibility.PRIVATE)
        assert "acme/hidden" in text(client_for(member).get("/ada?view=likes"))
        shown = text(client_for(make_user()).get("/ada?view=likes"))
        assert "acme/open" in shown and "acme/hidden" not in shown

    @pytest.mark.parametrize("view", ["members", "followers", "models", "spaces"])
    def test_every_list_has_an_address(self, client_for, view):
        make_member(make_organization("acme"), access=Access.READ)
        assert client_for().get(f"/acme?view={view}").status_code == 200
        assert client_for().get("/acme?view=nonsense").status_code == 404

    def test_the_page_asks_no_more_with_more_rows(self, client_for, django_assert_max_num_queries):
        acme = make_organization("acme")
        for _ in range(5):
            make_repository(acme)
            make_member(acme, access=Access.READ)
        browser = client_for()
        with django_assert_max_num_queries(18):
            browser.get("/acme")
