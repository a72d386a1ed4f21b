"""Workers of the hub that are killed outright: another one goes on, nothing happens twice."""

from __future__ import annotations

import json
import pickle
from datetime import timedelta

import pytest
from django.conf import settings as django_settings
from django.core import mail

from hub.actions import closing, tables
from hub.jobs import letters, scans, tidy, working
from hub.jobs import tables as table_jobs
from hub.models import (
    Access,
    AuditEntry,
    FileScan,
    Kind,
    Letter,
    LetterState,
    Notification,
    Repository,
    StoredObject,
    TableFacts,
    User,
    WorkState,
)
from hub.policies import Actor
from reviews.actions import discussions
from tests.factories import make_member, make_organization, make_repository, make_user
from tests.hub.test_letters import ann, later, name_ann, posting, thread  # noqa: F401
from tests.hub.transfers import upload
from tests.killing import expire, run_to_death
from tests.mailbox import mailbox

pytestmark = [pytest.mark.drill, pytest.mark.usefixtures("transactional_db")]

SCAN = """
from hub.jobs import scans

really_look, looked_at = scans._looked_into, []

def look(*args):
    if looked_at:
        die()
    looked_at.append(args)
    return really_look(*args)

scans._looked_into = look
scans.scan(int(sys.argv[1]))
"""


def test_a_scan_goes_on_where_its_worker_was_killed():
    files = {f"part-{n}.pkl": pickle.dumps({"n": n, "values": [n] * n}) for n in range(3)}
    repository = make_repository(files=files)
    run_to_death(SCAN, repository.pk)
    (first,) = FileScan.objects.all()
    scans.scan(repository.pk)
    scans.scan(repository.pk)
    assert FileScan.objects.count() == 3
    assert FileScan.objects.get(pk=first.pk).scanned_at == first.scanned_at, "it is not done twice"


TABLE = """
from hub.jobs import tables

really_add = tables._Marks.add

def add(marks, row, at):
    if row == 1000:
        die()
    really_add(marks, row, at)

tables._Marks.add = add
tables.work_out(int(sys.argv[1]))
"""


@pytest.fixture
def facts() -> TableFacts:
    rows = b"".join(json.dumps({"id": n}).encode() + b"\n" for n in range(40_000))
    repository = make_repository(files={"train.jsonl": rows}, kind=Kind.DATASET)
    return tables.facts_of(tables.split_table(repository, repository.store().resolve("main")))


def rung_for() -> list[int]:
    return working.due(TableFacts.objects.all())


def test_a_table_is_gone_through_by_the_next_worker(facts):
    run_to_death(TABLE, facts.pk)
    table_jobs.work_out(facts.pk)  # a doubled message, too early: the lease still holds
    facts.refresh_from_db()
    assert (facts.state, facts.fence, rung_for()) == (WorkState.RUNNING, 1, [])
    assert list(django_settings.WORK_DIR.glob("TableFacts-*")), "what the killed one left"
    expire(TableFacts.objects)
    assert rung_for() == [facts.pk]
    table_jobs.work_out(facts.pk)
    table_jobs.work_out(facts.pk)
    facts.refresh_from_db()
    assert (facts.state, facts.fence, facts.counts) == (WorkState.DONE, 2, [40_000])
    assert not list(django_settings.WORK_DIR.glob("TableFacts-*"))


def test_a_table_that_kills_its_last_worker_is_given_up_in_words(facts, client_for):
    TableFacts.objects.update(attempts_left=1)
    run_to_death(TABLE, facts.pk)
    expire(TableFacts.objects)
    assert rung_for() == []
    facts.refresh_from_db()
    assert (facts.state, facts.fault, facts.fence) == (WorkState.FAILED, "workers_died", 1)
    page = client_for().get(f"/{facts.repository.path}/viewer").content.decode()
    assert "Every worker that tried this died of it." in page
    assert not list(django_settings.WORK_DIR.glob("TableFacts-*"))


LETTER = """
from django.core.mail.backends.smtp import EmailBackend
from hub.jobs import letters

really_send = EmailBackend.send_messages

def send(backend, messages):
    if sys.argv[2] == "after":
        really_send(backend, messages)
    die()

EmailBackend.send_messages = send
letters.send(int(sys.argv[1]))
"""


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_letter_comes_at_most_once_and_what_it_told_is_not_lost(ann, thread, when):  # noqa: F811
    """Decision 28: nobody knows whether that letter left, and the next one tells its rows."""
    name_ann(thread)
    later(minutes=2)
    (pk,) = letters.write()
    with mailbox() as (url, taken):
        run_to_death(LETTER, pk, when, EMAIL_URL=url)
    assert len(taken) == (when == "after")
    assert not letters.send(pk), "it is claimed still"
    later(minutes=11)
    assert letters.write() == [] and not letters.send(pk)
    letter = Letter.objects.get()
    assert (letter.state, letter.fence, letter.lease_ends_at) == (LetterState.UNSURE, 1, None)
    assert mail.outbox == [] and Notification.objects.get(user=ann).mailed_at is None

    other = discussions.open_discussion(
        thread.repository, Actor(User.objects.get(username="ben")), title="Two", description=""
    )
    name_ann(other)
    later(minutes=2)
    (following,) = letters.write()
    assert letters.send(following) and not letters.send(following)
    (sent,) = mail.outbox
    assert "Is it <good>?" in sent.body and "Two" in sent.body
    assert not Notification.objects.filter(user=ann, mailed_at=None).exists()


CLOSING = """
from hub.actions import closing, repositories
from hub.models import User
from hub.policies import Actor

if sys.argv[2] == "before":
    closing._forget = die
else:
    repositories.remove_folder = die
person = User.objects.get(pk=int(sys.argv[1]))
closing.close_account(person, Actor(person))
"""


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_account_is_closed_once_and_wholly(api_for, monkeypatch, when):
    """`when`: its process is killed before the commit, or after it and before folders go."""
    person = make_user("ann")
    own = make_repository(person.namespace, name="own")
    make_member(make_organization("acme"), access=Access.ADMIN)
    upload(api_for(person), own, b"weights" * 1000)
    folder = own.store().path
    run_to_death(CLOSING, person.pk, when)
    person.refresh_from_db()
    if when == "before":
        assert person.is_active and Repository.objects.filter(pk=own.pk).exists()
        assert folder.is_dir() and own.object_links.count() == 1
        closing.close_account(person, Actor(person))
        person.refresh_from_db()
    assert not person.is_active and not Repository.objects.filter(pk=own.pk).exists()
    assert AuditEntry.objects.filter(action="person.close").count() == 1
    assert AuditEntry.objects.filter(action="repository.delete").count() == 1
    assert not StoredObject.objects.filter(links__isnull=False).exists()
    monkeypatch.setattr(tidy, "KEEP", timedelta())
    assert folder.exists() is (when == "after")
    tidy.remove_stray_folders()
    assert not list(folder.parent.glob(f"*{folder.name}"))
