"""Letters: at once or as a digest, each sent at most once, in the reader's language."""

from __future__ import annotations

import re
import smtplib
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.utils import timezone
from django.utils.translation import gettext, override

from hub.actions import inbox
from hub.jobs import letters, telling
from hub.models import (
    Access,
    Digest,
    Letter,
    LetterState,
    MailChoice,
    Membership,
    Notification,
    User,
    Visibility,
)
from hub.policies import Actor
from reviews.actions import discussions, timeline
from tests.factories import make_member, make_organization, make_repository, make_user
from tests.races import at_once

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def posting(settings: Any) -> None:
    settings.EMAIL_URL = "smtp://mail.invalid"  # Django keeps what tests send


@pytest.fixture
def ann() -> User:
    return make_user("ann", email="ann@example.org", full_name="Ann Ä\nB")


@pytest.fixture
def thread() -> Any:
    acme = make_organization("acme")
    model = make_repository(acme, name="model")
    return discussions.open_discussion(
        model, Actor(make_user("ben")), title="Is it <good>?", description=""
    )


def name_ann(thread: Any, text: str = "Look, @ann: it scored 0.123") -> None:
    timeline.add_comment(thread, Actor(User.objects.get(username="ben")), text)
    telling.tell_pending()


def later(**passed: Any) -> None:
    """Let so much time pass for everything that waits."""
    gone = timedelta(**passed)
    for row in Notification.objects.all():
        told, mailed = row.told_at - gone, row.mailed_at and row.mailed_at - gone
        Notification.objects.filter(pk=row.pk).update(told_at=told, mailed_at=mailed)
    for choice in MailChoice.objects.all():
        choice.urgent_until -= gone
        choice.digest_due_at = choice.digest_due_at and choice.digest_due_at - gone
        choice.save()
    for letter in Letter.objects.all():
        until, lease = letter.until - gone, letter.lease_ends_at and letter.lease_ends_at - gone
        Letter.objects.filter(pk=letter.pk).update(
            until=until, lease_ends_at=lease, due_at=letter.due_at - gone
        )


def post() -> list[Any]:
    """What a worker sends now."""
    before = len(mail.outbox)
    for pk in letters.write():
        letters.send(pk)
    return mail.outbox[before:]


def test_a_mention_is_told_at_once_without_what_was_said(ann, thread):
    name_ann(thread)
    assert post() == []  # a moment, in which more may come
    later(minutes=2)
    (letter,) = post()
    assert letter.to == ["=?utf-8?q?Ann_=C3=84_B?= <ann@example.org>"]
    assert letter.subject == "[acme/model] Is it <good>? #1"
    assert f"/acme/model/discussions/{thread.number}#event-" in letter.body
    assert "ben commented · you were named" in " ".join(letter.body.split())
    ((html, kind),) = letter.alternatives
    assert kind == "text/html" and "Is it &lt;good&gt;?" in html and "<script" not in html
    assert "0.123" not in letter.body + html
    headers = letter.message()
    assert headers["Message-ID"].startswith("<letter-")
    assert headers["References"] == headers["In-Reply-To"]
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    later(minutes=2)
    assert post() == []


def test_letters_of_one_thread_belong_together(ann, thread):
    for _ in range(2):
        name_ann(thread)
        later(minutes=2)
        post()
    one, other = (letter.message() for letter in mail.outbox)
    assert one["References"] == other["References"]
    assert one["Message-ID"] != other["Message-ID"]


@pytest.mark.parametrize(("digest", "days"), [(Digest.DAILY, 1), (Digest.WEEKLY, 7)])
def test_a_digest_comes_when_its_time_has_come(ann, thread, digest, days):
    inbox.choose_letters(Actor(ann), urgent=False, digest=digest, language="zh-hans")
    timeline.add_comment(thread, Actor(ann), "I am here.")
    name_ann(thread)
    later(days=days - 1, hours=23)
    assert post() == []
    later(hours=2)
    (letter,) = post()
    with override("zh-hans"):
        assert gettext("commented") in letter.body and "commented" not in letter.body
    assert post() == []
    later(days=days, hours=1)
    assert post() == []  # nothing new
    due = MailChoice.objects.get(user=ann).digest_due_at
    assert due is not None and due > timezone.now()


def test_nobody_gets_what_they_did_not_ask_for(ann, thread):
    inbox.choose_letters(Actor(ann), urgent=False, digest=Digest.OFF, language="en")
    name_ann(thread)
    later(days=30)
    assert post() == []
    User.objects.filter(pk=ann.pk).update(email="")
    inbox.choose_letters(Actor(ann), urgent=True, digest=Digest.DAILY, language="en")
    name_ann(thread)
    later(days=30)
    assert post() == []


def test_what_was_read_is_in_no_letter(ann, thread):
    name_ann(thread)
    later(minutes=2)
    keys = letters.write()
    Notification.objects.update(state="read")
    assert letters.send(keys[0])
    assert mail.outbox == [] and Letter.objects.get().state == LetterState.EMPTY


def test_what_somebody_may_no_longer_see_is_in_no_letter(ann, thread):
    repository = thread.repository
    repository.visibility = Visibility.PRIVATE
    repository.save()
    Membership.objects.create(namespace=repository.namespace, user=ann, access=Access.READ)
    name_ann(thread)
    later(minutes=2)
    keys = letters.write()
    Membership.objects.filter(user=ann, namespace=repository.namespace).delete()
    letters.send(keys[0])
    assert mail.outbox == []


class TestOnce:
    def test_a_letter_is_not_sent_twice(self, ann, thread):
        name_ann(thread)
        later(minutes=2)
        (pk,) = letters.write()
        assert letters.send(pk) and not letters.send(pk)
        assert len(mail.outbox) == 1

    def test_a_killed_worker_sends_nothing_twice_and_loses_nothing(self, ann, thread, monkeypatch):
        """Nobody knows whether that letter left: it stays, and the next one tells its rows."""
        name_ann(thread)
        later(minutes=2)
        (pk,) = letters.write()
        with monkeypatch.context() as patch:
            patch.setattr("django.core.mail.backends.locmem.EmailBackend.send_messages", _die)
            with pytest.raises(SystemExit):
                letters.send(pk)
        later(minutes=11)
        assert post() == []
        assert Letter.objects.get().state == LetterState.UNSURE
        other = discussions.open_discussion(
            thread.repository, Actor(User.objects.get(username="ben")), title="Two", description=""
        )
        name_ann(other)
        later(minutes=2)
        (letter,) = post()
        assert "Is it <good>?" in letter.body and "Two" in letter.body

    def test_a_server_that_refuses_is_asked_again(self, ann, thread, monkeypatch):
        name_ann(thread)
        later(minutes=2)
        (pk,) = letters.write()

        def refuse(*_arguments: Any) -> None:
            raise smtplib.SMTPServerDisconnected("not now")

        with monkeypatch.context() as patch:
            patch.setattr("django.core.mail.backends.locmem.EmailBackend.send_messages", refuse)
            letters.send(pk)
        row = Letter.objects.get()
        assert row.state == LetterState.WAITING and row.problem == "not now"
        assert post() == []
        later(minutes=2)
        assert len(post()) == 1


def _die(*_arguments: Any) -> None:
    raise SystemExit


@pytest.mark.django_db(transaction=True)
def test_writers_and_senders_at_once_send_one_letter(ann, thread, settings):
    inbox.choose_letters(Actor(ann), urgent=True, digest=Digest.DAILY, language="en")
    name_ann(thread)
    later(days=1, minutes=2)
    mail.outbox.clear()
    written = at_once(*[letters.write] * 4)
    assert Letter.objects.filter(is_digest=True).count() == 1
    keys = sorted({pk for each in written for pk in each} | set(letters.write()))
    at_once(*[lambda pk=pk: letters.send(pk) for pk in keys * 3])
    assert len(mail.outbox) == len(Letter.objects.filter(state=LetterState.SENT))


class TestPages:
    def test_the_page_says_when_no_letter_can_come(self, ann, client_for, settings):
        settings.EMAIL_URL = ""
        page = client_for(ann).get("/-/settings/notifications").content.decode()
        assert "EMAIL_URL" in page
        assert letters.write() == []
        settings.EMAIL_URL = "smtp://mail.invalid"
        assert "EMAIL_URL" not in client_for(ann).get("/-/settings/notifications").content.decode()
        no_mail = client_for(make_user()).get("/-/settings/notifications").content.decode()
        assert "no mail address" in no_mail

    def test_choosing(self, ann, client_for):
        form = {"digest": "weekly", "language": "zh-hans"}
        assert client_for(ann).post("/-/settings/notifications", form).status_code == 302
        row = MailChoice.objects.get(user=ann)
        assert (row.urgent, row.digest, row.language) == (False, "weekly", "zh-hans")
        assert row.digest_due_at is not None
        wrong = client_for(ann).post("/-/settings/notifications", {"digest": "hourly"})
        assert wrong.status_code == 422

    def test_the_link_in_a_letter_ends_its_kind_only(self, ann, thread, client):
        inbox.choose_letters(Actor(ann), urgent=True, digest=Digest.DAILY, language="en")
        name_ann(thread)
        later(minutes=2)
        (letter,) = post()
        found = re.search(r"<http[^/]*//[^/]+(/[^>]+)>", letter.message()["List-Unsubscribe"])
        assert found is not None
        link = found[1]
        assert client.get(link).status_code == 200
        assert MailChoice.objects.get(user=ann).urgent
        for _ in range(2):
            assert client.post(link, {"List-Unsubscribe": "One-Click"}).status_code == 200
        row = MailChoice.objects.get(user=ann)
        assert not row.urgent and row.digest == Digest.DAILY
        assert client.post(link[:-3] + "xyz").status_code == 404
        assert client.get("/-/unsubscribe/nothing").status_code == 404


def test_a_private_member_gets_the_members_letter():
    """Of an organisation, there is no repository to ask about."""
    from hub.actions import organizations

    acme = make_organization("acme")
    admin = make_member(acme, access=Access.ADMIN)
    ann = make_user("ann", email="ann@example.org")
    inbox.choose_letters(Actor(ann), urgent=True, digest=Digest.DAILY, language="en")
    organizations.set_member(acme, ann, Access.READ, by=Actor(admin))
    later(days=1, minutes=1)
    (letter,) = post()
    assert "acme" in letter.body and "/acme" in letter.body
