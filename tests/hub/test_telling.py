"""Who is told what: once, whoever is killed; never what a person may not see."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from hub.actions import access_requests, inbox, organizations
from hub.errors import BadInputError, ForbiddenError
from hub.jobs import telling
from hub.models import (
    Access,
    Event,
    Listening,
    Membership,
    Notification,
    NotificationState,
    Repository,
    User,
    Visibility,
)
from hub.policies import Actor
from reviews.actions import asking, discussions, timeline, verdicts
from tests.factories import make_member, make_organization, make_repository, make_user
from tests.races import at_once
from tests.reviews.factories import make_pull_request

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme() -> Any:
    return make_organization("acme")


@pytest.fixture
def maker(acme) -> User:
    return make_member(acme, access=Access.WRITE, username="maker")


@pytest.fixture
def model(acme, maker) -> Repository:
    repository = make_repository(acme, name="model", created_by=maker)
    repository.access = Access.ADMIN
    return repository


def told() -> dict[str, str]:
    """Reason of everybody who has something unread, after a worker has told everything."""
    telling.tell_pending()
    rows = Notification.objects.unread().select_related("user")
    return {row.user.username: row.reason for row in rows}


def forget() -> None:
    telling.tell_pending()
    Notification.objects.all().delete()


@pytest.fixture
def thread(model) -> Any:
    """A discussion of ann's in which ben has said something; cem watches the repository."""
    ann, ben = make_user("ann"), make_user("ben")
    make_user("eve")
    opened = discussions.open_discussion(model, Actor(ann), title="Why?", description="So?")
    timeline.add_comment(opened, Actor(ben), "Because.")
    inbox.listen(model, Actor(make_user("cem")), "", Listening.WATCHING)
    forget()
    return opened


ACTS = {
    "a comment": (
        lambda thread, by: timeline.add_comment(thread, by, "I see."),
        {"ann": "author", "ben": "comment", "cem": "watching", "maker": "watching"},
    ),
    "a comment that names somebody": (
        lambda thread, by: timeline.add_comment(thread, by, "Ask @Eve, not `@cem`. @nobody"),
        {
            "ann": "author",
            "ben": "comment",
            "cem": "watching",
            "maker": "watching",
            "eve": "mention",
        },
    ),
    "its end": (
        lambda thread, by: discussions.change_status(thread, by, "closed"),
        {"ann": "author", "ben": "comment", "cem": "watching", "maker": "watching"},
    ),
}


@pytest.mark.parametrize("act", ACTS)
def test_who_is_told(thread, act):
    do, expected = ACTS[act]
    do(thread, Actor(make_user("dan")))
    assert told() == expected


def test_nobody_is_told_of_what_they_did_themselves(thread):
    timeline.add_comment(thread, Actor(User.objects.get(username="ann")), "@ann @ben")
    assert told() == {"ben": "mention", "cem": "watching", "maker": "watching"}


def test_a_new_proposal_and_a_review(model):
    ann, maker = make_user("ann"), Actor(User.objects.get(username="maker"))
    row = make_pull_request(model, author=ann)
    assert told() == {"maker": "watching"}
    forget()
    head = row.head_oid
    verdicts.submit_review(row, maker, head_oid=head, verdict="approve", body="Like @cem did")
    make_user("cem")
    assert told() == {"ann": "author", "cem": "mention"}


def test_who_is_asked_for_a_review_is_told_until_they_gave_it(model, maker):
    ann, ben = make_user("ann"), make_user("ben")
    row = make_pull_request(model, author=ann)
    forget()
    for _ in range(2):
        asking.ask_for_review(row, Actor(ann), "@Maker")
    assert told() == {"maker": "review"}
    forget()
    assert row.review_requests.count() == 1
    for name in ("nobody", "ann"):
        with pytest.raises(BadInputError):
            asking.ask_for_review(row, Actor(ann), name)
    model.access = Access.READ
    with pytest.raises(ForbiddenError):
        asking.ask_for_review(row, Actor(ben), "maker")
    verdicts.submit_review(row, Actor(maker), head_oid=row.head_oid, verdict="approve")
    assert not row.review_requests.exists()
    assert told() == {"ann": "author"}


@pytest.mark.parametrize("thread_level", ["", Listening.MUTED, Listening.WATCHING])
@pytest.mark.parametrize("level", ["", Listening.MUTED, Listening.WATCHING])
def test_what_a_choice_does(thread, model, level, thread_level):
    """The thread's own choice counts before the repository's; nothing gets past a mute."""
    eve = User.objects.get(username="eve")
    inbox.listen(model, Actor(eve), "", level)
    inbox.listen(model, Actor(eve), f"discussions/{thread.number}", thread_level)
    timeline.add_comment(thread, Actor(make_user("dan")), "Hm.")
    listens = (thread_level or level) == Listening.WATCHING
    assert (told().get("eve") == "watching") is listens
    timeline.add_comment(thread, Actor(make_user("fay")), "@eve?")
    muted = (thread_level or level) == Listening.MUTED
    assert ("eve" in told()) is not muted


def test_one_row_a_person_and_thread(thread):
    dan = Actor(make_user("dan"))
    timeline.add_comment(thread, dan, "@ben, look")
    assert told()["ben"] == "mention"
    timeline.add_comment(thread, dan, "Again")
    assert told()["ben"] == "mention"  # the strongest while it is unread
    rows = Notification.objects.filter(user__username="ben")
    rows.update(state=NotificationState.DONE)
    timeline.add_comment(thread, dan, "And again")
    assert told()["ben"] == "comment"
    assert rows.count() == 1


class TestOfWhatOneMayNotSee:
    def test_a_private_repository_is_told_to_those_who_read_it(self, acme, maker):
        hidden = make_repository(acme, name="hidden", visibility=Visibility.PRIVATE)
        make_member(acme, access=Access.READ, username="ann")
        make_user("eve")
        opened = discussions.open_discussion(
            hidden, Actor(maker), title="Psst", description="@ann @eve"
        )
        assert told() == {"ann": "mention"}
        assert opened.title == "Psst"

    def test_access_that_is_lost_hides_what_was_told(self, acme, maker, client_for):
        hidden = make_repository(acme, name="hidden", visibility=Visibility.PRIVATE)
        ann = make_member(acme, access=Access.READ, username="ann")
        discussions.open_discussion(hidden, Actor(maker), title="Psst", description="@ann")
        telling.tell_pending()
        browser = client_for(ann)
        assert b"Psst" in browser.get("/-/inbox").content
        key = Notification.objects.get(user=ann).pk
        Membership.objects.filter(user=ann, namespace=acme).delete()
        assert b"Psst" not in browser.get("/-/inbox").content
        assert browser.get(f"/-/inbox/{key}").status_code == 404
        assert b"unread" not in browser.get("/-/inbox/count").content

    def test_a_verdict_is_told_without_its_numbers(self, model):
        ann = make_user("ann")
        row = make_pull_request(model, author=ann)
        forget()
        Event.objects.create(
            repository=model,
            actor=ann,
            kind="gate.decided",
            path=row.get_absolute_url(),
            data={"number": row.number, "verdict": "fail", "run": 1, "score": 0.123},
        )
        assert told() == {"ann": "gate", "maker": "watching"}
        assert Notification.objects.get(user=ann).data == {"verdict": "fail"}


class TestOnce:
    def test_an_event_is_told_once_however_often_it_rings(self, thread):
        timeline.add_comment(thread, Actor(make_user("dan")), "Hm.")
        event = Event.objects.untold().get()
        assert telling.tell(event.pk)
        Notification.objects.all().delete()
        assert not telling.tell(event.pk)
        assert not Notification.objects.exists()

    def test_a_worker_that_dies_has_told_nothing(self, thread, monkeypatch):
        timeline.add_comment(thread, Actor(make_user("dan")), "Hm.")

        def die(*_arguments: Any, **_more: Any) -> None:
            raise SystemExit

        with monkeypatch.context() as patch:
            patch.setattr(timezone, "now", die)
            with pytest.raises(SystemExit):
                telling.tell_pending()
        assert not Notification.objects.exists()
        assert "ann" in told()

    def test_what_is_rolled_back_is_told_to_nobody(self, thread):
        with pytest.raises(BadInputError):
            timeline.add_comment(thread, Actor(make_user("dan")), " ")
        assert told() == {}


@pytest.mark.django_db(transaction=True)
def test_workers_that_tell_at_once_tell_once(model):
    ann = make_user("ann")
    opened = discussions.open_discussion(model, Actor(ann), title="Why?", description="")
    for number in range(4):
        timeline.add_comment(opened, Actor(make_user()), f"{number} @maker")
    Notification.objects.all().delete()
    Event.objects.update(told_at=None)
    keys = list(Event.objects.untold().values_list("pk", flat=True))
    done = at_once(*[lambda pk=pk: telling.tell(pk) for pk in keys * 2])
    telling.tell_pending()
    assert done.count(True) <= len(keys)
    assert not Event.objects.untold().exists()
    rows = Notification.objects.values_list("user__username", flat=True)
    assert sorted(rows).count("maker") == 1 and sorted(rows).count("ann") == 1


def test_a_request_for_access_is_told_and_its_answer(acme, maker):
    gated = make_repository(acme, name="gated", gated="manual")
    ann = make_user("ann")
    access_requests.ask(gated, Actor(ann), {})
    assert told() == {"maker": "access"}
    forget()
    access_requests.decide(gated, Actor(maker), status="accepted", user="ann")
    assert told() == {"ann": "access"}
    assert not Event.objects.filter(kind__startswith="access").exists()  # no feed tells of it


def test_a_new_member_is_told(acme):
    admin = make_member(acme, access=Access.ADMIN, username="admin")
    ann = make_user("ann")
    organizations.set_member(acme, ann, Access.READ, by=Actor(admin))
    assert told() == {"ann": "invitation"}
    organizations.set_member(acme, ann, Access.WRITE, by=Actor(admin))
    organizations.remove_member(acme, ann, by=Actor(admin))
    assert told() == {}
