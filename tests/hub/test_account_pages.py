"""Accounts in the browser: made, kept, signed out, lost and found again, ended (threat A2)."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.core import mail
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from hub.actions import joining
from hub.errors import HubError
from hub.jobs import passwords
from hub.jobs.tidy import remove_ended_sessions
from hub.models import (
    Access,
    AccessToken,
    BrowserSession,
    Like,
    Membership,
    Namespace,
    PasswordReset,
    Repository,
    SignUpInvitation,
    User,
)
from tests.factories import (
    PASSWORD,
    make_member,
    make_organization,
    make_repository,
    make_token,
    make_user,
)
from tests.races import at_once

NEW = "a quite different sentence"
NEWCOMER = {
    "username": "newcomer",
    "full_name": "New Comer",
    "email": "new@example.org",
    "password": NEW,
}


pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_tries() -> None:
    cache.clear()


@pytest.fixture
def mails(settings: Any) -> list[Any]:
    settings.EMAIL_URL = "memorymail://"
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    return mail.outbox


def text(response: Any) -> str:
    return str(response.content.decode())


def page() -> Client:
    return Client(headers={"accept": "text/html"})


class TestSigningUp:
    def test_it_is_closed_unless_the_operator_opens_it(self):
        assert "takes no sign-ups" in text(page().get("/-/sign-up"))
        assert page().post("/-/sign-up", NEWCOMER).status_code == 200
        assert not User.objects.exists()

    def test_an_open_server_makes_an_account_and_signs_in(self, settings):
        settings.SIGN_UP = "open"
        browser = page()
        assert "Sign up" in text(browser.get("/-/sign-in"))
        assert browser.post("/-/sign-up", NEWCOMER)["Location"] == "/newcomer"
        shown = text(browser.get("/-/settings/profile"))
        assert "New Comer" in shown
        assert BrowserSession.objects.get().user.username == "newcomer"

    @pytest.mark.parametrize(
        ("wrong", "said"),
        [
            ({"username": "taken"}, "is taken"),
            ({"username": "Settings"}, "needs itself"),
            ({"password": "short"}, "too short"),
            ({"email": "no address"}, "valid email"),
            ({"password": "newcomer12345678"}, "more than your name"),
            ({"password": "New-Comer-2026!"}, "more than your name"),
            ({"username": "newcomer-of-2026", "password": "Newcomer.of.2026"}, "too similar"),
            ({"full_name": "Ada Lovelace", "password": "lovelaceada1!"}, "too similar"),
        ],
    )
    def test_a_refusal_says_what_is_wrong(self, settings, wrong, said):
        settings.SIGN_UP = "open"
        make_user("taken")
        answer = page().post("/-/sign-up", NEWCOMER | wrong)
        assert (answer.status_code, said in text(answer)) == (422, True)

    def test_who_is_signed_in_is_led_on(self, settings, client_for):
        settings.SIGN_UP = "open"
        browser = client_for(make_user())
        assert browser.get("/-/sign-up")["Location"] == "/"
        assert browser.get("/-/sign-in")["Location"] == "/"
        assert browser.get("/-/sign-in?next=/-/new")["Location"] == "/-/new"
        assert browser.get("/-/sign-in?next=//evil.example")["Location"] == "/"

    def test_tries_are_counted(self, settings):
        settings.SIGN_UP = "open"
        make_user("taken")
        browser = page()
        answers = [
            browser.post("/-/sign-up", NEWCOMER | {"username": "taken"}).status_code
            for _ in range(11)
        ]
        assert answers == [422] * 10 + [429]

    def test_an_invitation_works_once(self, settings, capsys):
        with pytest.raises(CommandError, match="SIGN_UP"):
            call_command("invite_person")
        settings.SIGN_UP = "invite"
        assert "takes no sign-ups" in text(page().get("/-/sign-up"))
        call_command("invite_person")
        link = capsys.readouterr().out.strip()
        secret = link.partition("invitation=")[2]
        assert "Create account" in text(page().get(link))
        assert page().post("/-/sign-up", NEWCOMER | {"invitation": "x"}).status_code == 422
        assert page().post("/-/sign-up", NEWCOMER | {"invitation": secret}).status_code == 302
        other = NEWCOMER | {"invitation": secret, "username": "another"}
        assert "used or has ended" in text(page().post("/-/sign-up", other))
        assert not User.objects.filter(username="another").exists()

    @pytest.mark.django_db(transaction=True)
    def test_of_two_with_one_invitation_one_gets_in(self, settings):
        settings.SIGN_UP = "invite"
        secret = SignUpInvitation.issue(timedelta(days=1))

        def join(name: str) -> Any:
            values = NEWCOMER | {"username": name, "invitation": secret}
            return lambda: joining.sign_up(**values)

        answers = at_once(join("first"), join("second"))
        assert sum(isinstance(each, HubError) for each in answers) == 1
        assert User.objects.count() == 1


class TestSessions:
    def test_they_are_listed_and_end_one_at_a_time(self, client_for):
        user = make_user()
        here, there = client_for(user), client_for(user)
        BrowserSession.objects.update(agent="Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0")
        shown = text(here.get("/-/settings/sessions"))
        assert shown.count("Firefox, Linux") >= 2 and "this one" in shown
        other = BrowserSession.objects.get(session_key=there.session.session_key)
        here.post("/-/settings/sessions/end", {"session": other.pk})
        assert there.get("/-/settings/profile").status_code == 302
        assert here.get("/-/settings/profile").status_code == 200

    def test_nobody_ends_somebody_elses(self, client_for):
        client_for(make_user())
        theirs = BrowserSession.objects.get()
        answer = client_for(make_user()).post("/-/settings/sessions/end", {"session": theirs.pk})
        assert answer.status_code == 404 and BrowserSession.objects.filter(pk=theirs.pk).exists()

    def test_all_others_end_also_those_that_were_never_listed(self, client_for):
        user = make_user()
        here, there = client_for(user), client_for(user)
        BrowserSession.objects.filter(session_key=there.session.session_key).delete()
        here.post("/-/settings/sessions/end", {"session": "others"})
        assert there.get("/-/settings/profile").status_code == 302
        assert here.get("/-/settings/sessions").status_code == 200
        assert BrowserSession.objects.filter(user=user).count() == 1

    def test_being_seen_is_written_rarely(self, client_for):
        user = make_user()
        browser = client_for(user)
        old = timezone.now() - timedelta(hours=1)
        BrowserSession.objects.update(last_seen_at=old)
        browser.get("/-/settings/profile")
        assert BrowserSession.objects.get().last_seen_at == old
        session = browser.session
        session["seen_at"] -= 3600
        session.save()
        browser.get("/-/settings/profile")
        assert BrowserSession.objects.get().last_seen_at > old

    def test_signing_out_and_age_end_the_row(self, client_for):
        browser = client_for(make_user())
        browser.post("/-/sign-out")
        assert not BrowserSession.objects.exists()
        client_for(make_user())
        BrowserSession.objects.update(last_seen_at=timezone.now() - timedelta(days=30))
        assert remove_ended_sessions() == 1


class TestPassword:
    PATH = "/-/settings/password"

    def change(self, browser: Client, current: str = PASSWORD, new: str = NEW) -> Any:
        form = {"form": "password", "current_password": current, "password": new}
        return browser.post(self.PATH, form)

    def test_a_change_signs_every_other_browser_out(self, client_for):
        user = make_user()
        here, there = client_for(user), client_for(user)
        assert self.change(here).status_code == 302
        assert there.get(self.PATH).status_code == 302
        assert here.get(self.PATH).status_code == 200
        user.refresh_from_db()
        assert user.check_password(NEW)
        assert [row.session_key for row in user.browser_sessions.all()] == [
            here.session.session_key
        ]

    def test_a_password_made_of_the_name_is_refused(self, client_for):
        user = make_user("wren")
        assert "more than your name" in text(self.change(client_for(user), new="wren12345678"))
        user.refresh_from_db()
        assert user.check_password(PASSWORD)

    def test_a_wrong_password_changes_nothing_and_is_counted(self, client_for):
        user = make_user()
        browser = client_for(user)
        answers = [self.change(browser, current="a guess") for _ in range(11)]
        assert {answer.status_code for answer in answers} == {422}
        assert "not your password" in text(answers[0])
        assert "Too many tries" in text(answers[-1])
        assert "Too many tries" in text(self.change(browser))
        user.refresh_from_db()
        assert user.check_password(PASSWORD)

    def test_a_weak_one_and_a_wrong_address_are_refused(self, client_for):
        browser = client_for(make_user())
        assert "too short" in text(self.change(browser, new="short"))
        form = {"form": "mail", "current_password": PASSWORD, "email": "no address"}
        assert browser.post(self.PATH, form).status_code == 422
        browser.post(self.PATH, form | {"email": "me@example.org"})
        assert User.objects.get(email="me@example.org")

    def test_the_profile_is_seen_and_its_link_is_a_link(self, client_for):
        user = make_user()
        browser = client_for(user)
        values = {"full_name": "Ada", "bio": "<b>Weighs</b>", "language": "zh-hans"}
        bad = browser.post("/-/settings/profile", values | {"link": "javascript:alert(1)"})
        assert bad.status_code == 422
        good = browser.post("/-/settings/profile", values | {"link": "https://example.org/"})
        assert good.cookies["language"].value == "zh-hans"
        shown = text(page().get(f"/{user.username}"))
        assert "&lt;b&gt;Weighs" in shown and 'href="https://example.org/"' in shown


class TestForgottenPassword:
    def ask(self, address: str) -> Any:
        return page().post("/-/password", {"email": address})

    def test_without_mail_the_page_says_who_helps(self):
        assert "password_link" in text(page().get("/-/password"))
        assert self.ask("ada@example.org").status_code == 200
        assert not PasswordReset.objects.exists()

    def test_the_answer_is_the_same_for_everybody(self, mails):
        make_user("ada", email="ada@example.org")
        answers = [text(self.ask(who)) for who in ("ada@example.org", "no@example.org")]
        plain = [
            re.sub(r"nonce-\S+|csrf\S+ value=\S+|content=\"\S{64}\"", "", each).replace(who, "")
            for each, who in zip(answers, ("ada@example.org", "no@example.org"), strict=True)
        ]
        assert plain[0] == plain[1] and "If an account has" in plain[0]
        assert not mails  # a worker looks up who has it
        assert passwords.send_all() == 1
        assert [each.to for each in mails] == [["ada@example.org"]]
        assert passwords.send_all() == 0 and not PasswordReset.objects.exists()

    def test_the_link_works_once(self, mails, client_for):
        user = make_user("ada", email="ada@example.org", language="zh-hans")
        elsewhere = client_for(user)
        self.ask("ADA@example.org")
        passwords.send_all()
        [link] = re.findall(r"http\S+", mails[0].body)
        path = "/" + link.split("/", 3)[3]
        # The secret in the address reaches no other server, and the form's origin is known.
        assert page().get(path)["Referrer-Policy"] == "same-origin"
        assert page().post(path, {"password": "short"}).status_code == 422
        assert "more than your name" in text(page().post(path, {"password": "ada-ada-2026"}))
        assert page().post(path, {"password": NEW})["Location"] == "/-/sign-in"
        user.refresh_from_db()
        assert user.check_password(NEW)
        assert elsewhere.get("/-/settings").status_code == 302
        assert "used or has ended" in text(page().get(path))
        assert page().post(path, {"password": PASSWORD}).status_code == 422

    def test_mail_that_fails_is_tried_again(self, mails, settings):
        make_user(email="ada@example.org")
        self.ask("ada@example.org")
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
        assert passwords.send_all() == 0 and PasswordReset.objects.exists()
        settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
        assert passwords.send_all() == 1

    def test_one_address_is_asked_for_ten_times_at_most(self, mails):
        answers = [self.ask("ada@example.org").status_code for _ in range(11)]
        assert answers == [200] * 10 + [429]

    @pytest.mark.parametrize("link", ["MQ/a-b", "%FF/x", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5/a-b"])
    def test_links_that_were_never_given_lead_nowhere(self, link):
        assert "used or has ended" in text(page().get(f"/-/password/{link}"))

    @pytest.mark.django_db(transaction=True)
    def test_of_two_with_one_link_one_chooses(self):
        path = passwords.reset_link(make_user()).rsplit("/", 2)[1:]
        answers = at_once(
            *(
                lambda word=word: joining.choose_password(*path, password=f"{NEW} {word}")
                for word in ("one", "two")
            )
        )
        assert sum(isinstance(each, HubError) for each in answers) == 1


class TestEnding:
    PATH = "/-/settings/close"

    def end(self, browser: Client, user: User, **form: str) -> Any:
        values = {"confirm": user.username, "current_password": PASSWORD}
        return browser.post(self.PATH, values | form)

    def test_it_says_what_goes_and_asks_twice(self, client_for):
        user = make_user()
        make_repository(user.namespace, name="mine")
        browser = client_for(user)
        assert f"{user.username}/mine" in text(browser.get(self.PATH))
        assert self.end(browser, user, confirm="x").status_code == 422
        assert self.end(browser, user, current_password="x").status_code == 422
        assert User.objects.get(pk=user.pk).is_active

    def test_everything_of_theirs_goes_and_the_name_is_free(self, client_for):
        user = make_user("leaver", email="l@example.org")
        mine = make_repository(user.namespace)
        theirs = make_repository()
        Like.objects.create(repository=theirs, user=user)
        Repository.objects.filter(pk=theirs.pk).update(likes=1)
        organization = make_organization()
        make_member(organization, access=Access.ADMIN)
        Membership.objects.create(namespace=organization, user=user, access=Access.ADMIN)
        make_token(user)
        browser = client_for(user)
        assert self.end(browser, user)["Location"] == "/"
        assert not Repository.objects.filter(pk=mine.pk).exists()
        assert not Namespace.objects.filter(slug="leaver").exists()
        assert Repository.objects.get(pk=theirs.pk).likes == 0
        row = User.objects.get(pk=user.pk)
        assert (row.is_active, row.email, row.has_usable_password()) == (False, "", False)
        assert not AccessToken.objects.exists()
        assert page().get("/leaver").status_code == 404
        assert browser.get(self.PATH).status_code == 302
        make_user("leaver")

    def test_the_only_admin_of_an_organisation_stays(self, client_for):
        organization = make_organization("acme")
        admin = make_member(organization, access=Access.ADMIN)
        browser = client_for(admin)
        assert "acme has no other admin" in text(browser.get(self.PATH))
        assert self.end(browser, admin).status_code == 422
        assert Namespace.objects.filter(slug="acme").exists()


def test_a_token_has_an_end_a_place_and_repositories(client_for):
    user = make_user()
    mine = make_repository(user.namespace)
    browser = client_for(user)
    form = {"name": "ci", "scope": "write", "days": "7", "only": f"{mine.repo_id}\n"}
    answer = browser.post("/-/settings/tokens", form)
    assert (answer.status_code, answer.url) == (302, "/-/settings/tokens")
    cookie = next(each for name, each in answer.cookies.items() if name.startswith("once-"))
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Strict", answer.url)
    others = client_for(make_user())  # the same browser, somebody else
    others.cookies[cookie.key] = cookie.value
    assert "wb_" not in text(others.get(answer.url))
    shown = text(browser.get(answer.url))
    token = AccessToken.objects.get()
    assert list(token.repositories.all()) == [mine]
    assert token.expires_at - timezone.now() < timedelta(days=7, seconds=1)
    secret = re.findall(r"wb_[A-Za-z0-9]{40,}", shown)[0]
    assert secret not in cookie.value
    assert secret not in str([row.get_decoded() for row in Session.objects.all()])
    assert secret not in text(browser.get("/-/settings/tokens"))
    Client(headers={"authorization": f"Bearer {secret}"}).get("/api/whoami-v2")
    again = text(browser.get("/-/settings/tokens"))
    assert "127.0.0.1" in again and "for some repositories only" in again and secret not in again
    answer = browser.post("/-/settings/tokens", form | {"only": "nobody/nothing"})
    assert answer.status_code == 422 and AccessToken.objects.count() == 1
