"""The row is the job: what holds for every table whose rows workers take."""

from __future__ import annotations

from datetime import timedelta

import pytest
from celery import Celery
from django.apps import apps
from django.db import transaction
from django.utils import timezone

from hub.jobs.doorbell import ask, ring
from hub.models import Kind, TableFacts, WorkState
from hub.models.leases import Leased, wait_after
from tests.factories import make_repository
from tests.killing import expire
from tests.races import at_once

LEASED = sorted(
    (model for model in apps.get_models() if issubclass(model, Leased)),
    key=lambda model: model.__name__,
)


@pytest.fixture
def facts(transactional_db) -> TableFacts:
    repository = make_repository(kind=Kind.DATASET)
    return TableFacts.objects.create(digest="ab" * 32, version=1, repository=repository, parts=[])


def test_of_many_workers_one_takes_a_row_and_its_number_rises(facts):
    claims = at_once(*[lambda: TableFacts.objects.claim(facts.pk)] * 4)
    (taken,) = [row for row in claims if row is not None]
    assert (taken.fence, taken.attempts_left) == (1, 2)
    expire(TableFacts.objects)
    claims = at_once(*[lambda: TableFacts.objects.claim(facts.pk)] * 4)
    (again,) = [row for row in claims if row is not None]
    assert again.fence == 2
    assert not TableFacts.objects.renew(taken) and TableFacts.objects.renew(again)
    assert not TableFacts.objects.settle(taken, state=WorkState.FAILED)
    assert TableFacts.objects.settle(again, state=WorkState.DONE)
    assert not TableFacts.objects.settle(again, state=WorkState.FAILED), "a row ends once"


def test_a_worker_that_comes_back_late_settles_what_nobody_has_taken_over(facts):
    """Its lease is over, but its work is whole: it is not thrown away."""
    row = TableFacts.objects.claim(facts.pk)
    assert row is not None
    expire(TableFacts.objects)
    assert TableFacts.objects.settle(row, state=WorkState.DONE)
    assert TableFacts.objects.claim(facts.pk) is None


@pytest.mark.django_db
@pytest.mark.parametrize("model", LEASED, ids=lambda model: model.__name__)
def test_every_table_of_jobs_is_asked_in_the_same_way(model):
    """Each filter is a query that the database takes, and nothing is due in an empty table."""
    rows = model._default_manager.all()
    for filtered in (rows.due(), rows.lost(), rows.exhausted(), rows.under_way()):
        assert list(filtered) == []
    assert rows.claim(1) is None
    assert timedelta(0) < model.lease() <= timedelta(minutes=10)


def test_waits_grow_and_the_last_one_stands():
    waits = (timedelta(seconds=1), timedelta(seconds=5))
    assert [wait_after(waits, attempt).seconds for attempt in (1, 2, 3)] == [1, 5, 5]


def test_a_broker_that_is_away_fails_nothing(facts):
    away = Celery("away", broker="redis://127.0.0.1:1/0", set_as_current=False)
    away.conf.task_publish_retry = False

    @away.task
    def task(*_keys: int) -> None:
        """Nothing: nobody hears of it."""

    with transaction.atomic():
        TableFacts.objects.update(used_at=timezone.now() - timedelta(days=1))
        ring(task, facts.pk)
        ask(task)
    assert TableFacts.objects.get().used_at < timezone.now()
