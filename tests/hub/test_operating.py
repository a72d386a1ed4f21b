"""The administration: people, work and disk, for whoever runs the hub and nobody else."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from hub.actions import operating, operating_facts
from hub.errors import ConflictError, ForbiddenError, NotFoundError
from hub.models import AuditEntry, BrowserSession, TableFacts, TokenScope, User, WorkState
from hub.policies import Actor
from tests.factories import PASSWORD, make_organization, make_repository, make_token, make_user
from tests.races import at_once

pytestmark = pytest.mark.django_db
PEOPLE = "/-/admin/people"


def make_operator(name: str = "root", **more: Any) -> User:
    return make_user(name, is_staff=True, **more)


def act(browser: Client, name: str, do: str) -> Any:
    return browser.post(f"{PEOPLE}/{name}", {"do": do}, follow=True)


def actions() -> list[str]:
    return list(AuditEntry.objects.order_by("pk").values_list("action", flat=True))


class TestPeople:
    def test_they_are_found_by_a_part_of_name_or_address(self, client_for):
        make_user("ada", email="lovelace@example.org")
        make_user("ben", full_name="Ben Banneker")
        browser = client_for(make_operator())
        for query, found in (("love", "ada"), ("bann", "ben"), ("BEN", "ben")):
            page = browser.get(PEOPLE, {"q": query}).text
            assert re.findall(r"/-/admin/people/(\w+)", page) == [found]
        assert "Nobody is called so" in browser.get(PEOPLE, {"q": "nobody%"}).text

    def test_a_list_of_many_asks_no_more(self, client_for, django_assert_num_queries):
        browser = client_for(make_operator())
        for _ in range(5):
            make_user()
        browser.get(PEOPLE)
        with django_assert_num_queries(4):
            browser.get(PEOPLE)

    def test_one_is_kept_out_and_let_in_again(self, client_for, client):
        ada, browser = make_user("ada"), client_for(make_operator())
        hers, token = client_for(ada), make_token(ada, scope=TokenScope.READ)
        bearer = {"authorization": f"Bearer {token}"}
        assert "deactivated and signed out everywhere" in act(browser, "ada", "deactivate").text
        assert hers.get("/-/settings/profile").status_code == 302
        assert client.get("/api/whoami-v2", headers=bearer).status_code == 401
        assert not BrowserSession.objects.filter(user=ada).exists()
        assert not client.login(username="ada", password=PASSWORD)
        act(browser, "ada", "deactivate")
        assert actions() == ["person.deactivate", "person.sign_out"]
        assert "may sign in again" in act(browser, "ada", "reactivate").text
        assert hers.get("/-/settings/profile").status_code == 302  # old sessions stay ended
        assert client.get("/api/whoami-v2", headers=bearer).status_code == 200
        assert actions()[2:] == ["person.reactivate"]
        assert AuditEntry.objects.latest("pk").actor_name == "root"

    def test_a_link_to_a_new_password_is_shown_once(self, client_for, client):
        make_user("ada")
        browser = client_for(make_operator())
        page = act(browser, "ada", "password")
        [link] = set(re.findall(r"http://\S+/-/password/[\w-]+/[\w-]+", page.text))
        assert link not in browser.get(f"{PEOPLE}/ada").text
        assert page["Cache-Control"] == "no-store"
        path = "/" + link.split("/", 3)[3]
        assert client.post(path, {"password": "a quite new sentence"}).status_code == 302
        assert client.post(path, {"password": "another new sentence"}).status_code == 422
        assert actions() == ["person.password_link", "person.password"]
        act(browser, "ada", "deactivate")
        assert "reactivate it first" in act(browser, "ada", "password").text

    def test_nobody_locks_themselves_out(self, client_for):
        browser = client_for(make_operator())
        assert "Another operator" in act(browser, "root", "deactivate").text
        assert User.objects.get(username="root").is_active
        assert "is not known here" in act(browser, "root", "fly").text
        assert not actions()

    def test_an_account_that_was_deleted_is_not_there(self, client_for):
        browser = client_for(make_operator())
        gone = User.objects.create_user("deleted-1", is_active=False)
        assert browser.get(f"{PEOPLE}/deleted-1").status_code == 404
        assert "deleted-1" not in browser.get(PEOPLE).text
        with pytest.raises(ConflictError):
            operating.switch_account(
                gone, to_active=True, by=Actor(User.objects.get(username="root"))
            )

    def test_for_others_and_for_tokens_there_is_nothing(self, client_for):
        ada = make_user("ada")
        with pytest.raises(NotFoundError):
            operating.switch_account(ada, to_active=False, by=Actor(make_user()))
        secret = make_token(make_operator(), scope=TokenScope.ADMIN)
        bearer = Client(headers={"authorization": f"Bearer {secret}"})
        assert bearer.get(PEOPLE).status_code in (302, 401)
        assert client_for(ada).get(PEOPLE).status_code == 404
        assert "/-/admin" not in client_for(ada).get("/").text
        assert "/-/admin" in client_for(User.objects.get(username="root")).get("/").text


@pytest.mark.django_db(transaction=True)
def test_of_two_operators_who_shut_each_other_out_one_stays():
    one, two = make_operator("one"), make_operator("two")
    answers = at_once(
        lambda: operating.switch_account(one, to_active=False, by=Actor(two)),
        lambda: operating.switch_account(two, to_active=False, by=Actor(one)),
    )
    assert sum(isinstance(answer, ForbiddenError) for answer in answers) == 1
    assert User.objects.filter(is_active=True).count() == 1


class TestOverview:
    def test_it_tells_of_people_disk_and_sign_up(self, client_for, settings):
        settings.SIGN_UP = "invite"
        make_repository(make_organization("acme"))
        page = client_for(make_operator()).get("/-/admin")
        assert page.status_code == 200
        for said in ("Free disk space", "invite_person", "Nothing waits, runs or failed"):
            assert said in page.text

    def test_work_is_counted_by_how_it_goes(self, client_for):
        now, owner = timezone.now(), make_repository()
        rows = [
            {"state": WorkState.WAITING},
            {"state": WorkState.RUNNING, "lease_ends_at": now + timedelta(minutes=1)},
            {"state": WorkState.RUNNING, "lease_ends_at": now - timedelta(minutes=1)},
            {"state": WorkState.DONE},
            *(
                {
                    "state": WorkState.FAILED,
                    "finished_at": now - timedelta(days=days),
                    "error": {"code": f"after_{days}", "parameters": {}},
                }
                for days in (1, 2, 30)
            ),
        ]
        for number, row in enumerate(rows):
            what = {"digest": f"{number:064x}", "version": 1, "parts": [], "repository": owner}
            TableFacts.objects.create(**what, **row)
        lines = {str(one.title): one for one in operating_facts.work_lines()}
        line = lines["Facts of tables"]
        assert (line.waiting, line.running, line.lost, line.failed) == (1, 1, 1, 2)
        assert [one.why for one in operating_facts.failures()] == ["after_1", "after_2"]
        page = client_for(make_operator()).get("/-/admin").text
        assert "after_1" in page and "after_30" not in page
