"""Webhooks: sent once and signed, tried again, taken over, switched off."""

from __future__ import annotations

import time
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from hub import tasks
from hub.actions import refs, webhooks
from hub.jobs import webhooks as jobs
from hub.models import (
    DeliveryState,
    Webhook,
    WebhookDelivery,
)
from hub.models.webhooks import ATTEMPTS, BACKOFF, FAILURES_LIMIT
from hub.policies import Actor
from tests.factories import (
    make_repository,
    make_user,
)
from tests.hub.webhook_making import SECRET, watching
from tests.outgoing.receiver import answer
from tests.races import at_once

pytestmark = pytest.mark.django_db


@pytest.fixture
def ann():
    return make_user("ann")


@pytest.fixture
def model(ann):
    return make_repository(ann.namespace, name="model")


@pytest.fixture
def owed(ann, model, receiver):
    """A webhook that is owed one delivery."""
    webhook = watching(ann, receiver.url, "model:ann/model")
    refs.create_branch(model, Actor(ann), "dev")
    return webhook


def only(webhook):
    return WebhookDelivery.objects.get(webhook=webhook)


def later(webhook):
    """Let every wait of a webhook end now."""
    past = timezone.now() - timedelta(seconds=1)
    WebhookDelivery.objects.filter(webhook=webhook).update(due_at=past)
    Webhook.objects.filter(pk=webhook.pk).update(held_until=past)


@pytest.fixture(scope="module")
def is_genuine():
    """The function that docs/webhooks.md gives to receivers."""
    page = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text()
    names: dict[str, Any] = {}
    exec(page.partition("```python\n")[2].partition("```")[0], names)  # noqa: S102 - our own page
    return names["is_genuine"]


def test_a_delivery_is_signed_and_kept(owed, receiver, is_genuine):
    tasks.deliver_webhook(owed.pk)
    (request,) = receiver.requests
    row = only(owed)
    assert (request.method, request.path, request.body.decode()) == ("POST", "/hook", row.body)
    assert request.headers["x-webhook-secret"] == SECRET
    assert request.headers["content-type"] == "application/json"
    assert request.headers["webhook-id"] == row.message_id
    assert is_genuine(request.headers, request.body, SECRET)
    assert (row.state, row.status_code, row.response) == (DeliveryState.DELIVERED, 200, "thanks")
    assert (row.attempt, row.lease_ends_at) == (1, None)
    tasks.deliver_webhook(owed.pk)  # a doorbell that rings twice
    assert len(receiver.requests) == 1


def test_a_receiver_notices_tampering_and_replays(owed, receiver, is_genuine):
    jobs.deliver(owed.pk)
    (request,) = receiver.requests
    headers, body = request.headers, request.body
    assert not is_genuine(headers, body, "another secret")
    assert not is_genuine(headers, body + b" ", SECRET)
    assert not is_genuine(headers | {"webhook-id": "msg_other"}, body, SECRET)
    late = {"webhook-timestamp": str(int(headers["webhook-timestamp"]) + 1)}
    assert not is_genuine(headers | late, body, SECRET)
    row = only(owed)
    for age, genuine in ((290, True), (310, False)):
        old = jobs.headers_of(row, timestamp=int(time.time()) - age)
        assert is_genuine(old, body, SECRET) == genuine


def test_a_signature_is_that_of_standard_webhooks():
    # The example of the specification's reference libraries.
    secret, stamp = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", 1614265330
    found = jobs.signature_of(
        secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", stamp, b'{"test": 2432232314}'
    )
    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_without_a_secret_nothing_is_signed(ann, model, receiver):
    webhook = watching(ann, receiver.url, "user:ann", secret=None)
    refs.create_branch(model, Actor(ann), "dev")
    jobs.deliver(webhook.pk)
    headers = receiver.requests[0].headers
    assert "webhook-signature" not in headers
    assert "x-webhook-secret" not in headers
    assert headers["webhook-id"] == only(webhook).message_id


def test_a_failure_is_tried_again_later_under_the_same_id(owed, receiver):
    receiver.answers = [answer(500, b"not now"), answer(302, b""), answer(200)]
    for attempt in (1, 2):
        before = timezone.now()
        jobs.deliver(owed.pk)
        row = only(owed)
        assert (row.attempt, row.state) == (attempt, DeliveryState.WAITING)
        assert row.due_at >= before + BACKOFF[attempt - 1]
        jobs.deliver(owed.pk)  # too early: nothing happens
        assert len(receiver.requests) == attempt
        later(owed)
    jobs.deliver(owed.pk)
    assert only(owed).state == DeliveryState.DELIVERED
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 1
    assert len({request.body for request in receiver.requests}) == 1
    assert Webhook.objects.get(pk=owed.pk).failures == 0


def test_a_delivery_fails_for_good_after_its_last_attempt_and_can_be_replayed(owed, receiver):
    receiver.answers = [answer(500)]
    for _ in range(ATTEMPTS):
        jobs.deliver(owed.pk)
        later(owed)
    jobs.deliver(owed.pk)
    assert only(owed).state == DeliveryState.FAILED
    assert len(receiver.requests) == ATTEMPTS
    receiver.answers = [answer(500), answer(200)]
    for wanted in (DeliveryState.FAILED, DeliveryState.DELIVERED):  # a replay is one attempt
        webhooks.replay(Webhook.objects.get(pk=owed.pk), only(owed).pk)
        jobs.deliver(owed.pk)
        assert only(owed).state == wanted
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 1


def test_a_webhook_goes_off_after_twenty_failures_in_a_row(ann, model, receiver):
    webhook = watching(ann, receiver.url, "model:ann/model")
    receiver.answers = [answer(500)]
    for number in range(FAILURES_LIMIT):
        refs.create_branch(model, Actor(ann), f"dev{number}")
    for count in range(1, FAILURES_LIMIT + 3):
        jobs.deliver(webhook.pk)
        row = Webhook.objects.get(pk=webhook.pk)
        assert row.disabled == (count >= FAILURES_LIMIT)
        later(webhook)
    assert len(receiver.requests) == FAILURES_LIMIT
    refs.create_branch(model, Actor(ann), "unheard")
    owed_before = WebhookDelivery.objects.filter(webhook=webhook).count()
    assert owed_before == FAILURES_LIMIT  # nothing new while it is off
    receiver.answers = [answer(200)]
    webhooks.set_enabled(row, Actor(ann), enabled=True)
    jobs.deliver(webhook.pk)
    waiting = WebhookDelivery.objects.filter(webhook=webhook, state=DeliveryState.WAITING)
    assert (waiting.count(), Webhook.objects.get(pk=webhook.pk).failures) == (0, 0)


def test_a_webhook_that_fails_is_held_back_whatever_waits(owed, ann, model, receiver):
    refs.create_branch(model, Actor(ann), "dev2")
    receiver.answers = [answer(500)]
    jobs.deliver(owed.pk)
    jobs.deliver(owed.pk)
    assert len(receiver.requests) == 1
    assert owed.pk not in jobs.due()
    later(owed)
    assert owed.pk in jobs.due()


def test_an_owner_without_an_account_is_told_nothing(owed, ann, model, receiver):
    ann.is_active = False
    ann.save()
    jobs.deliver(owed.pk)
    row = Webhook.objects.get(pk=owed.pk)
    assert (receiver.requests, row.disabled_reason) == ([], "account")
    refs.create_branch(model, Actor(ann), "dev2")
    assert WebhookDelivery.objects.filter(webhook=owed).count() == 1


def test_a_delivery_whose_worker_was_killed_is_sent_by_another(owed, receiver):
    dead = WebhookDelivery.objects.claim_next(owed.pk)  # killed here: nothing was settled
    assert WebhookDelivery.objects.claim_next(owed.pk) is None
    assert owed.pk not in jobs.due()
    WebhookDelivery.objects.filter(pk=dead.pk).update(lease_ends_at=timezone.now())
    assert owed.pk in jobs.due()
    jobs.deliver(owed.pk)
    row = only(owed)
    assert (row.state, row.attempt) == (DeliveryState.DELIVERED, 2)
    # The dead one was only slow, and speaks last: its word counts for nothing.
    assert not WebhookDelivery.objects.settle(dead, state=DeliveryState.FAILED)
    assert only(owed).state == DeliveryState.DELIVERED


def test_a_replay_whose_worker_was_killed_has_failed_and_says_why(owed, receiver):
    jobs.deliver(owed.pk)
    webhooks.replay(owed, only(owed).pk)
    assert WebhookDelivery.objects.claim_next(owed.pk) is not None  # killed here
    WebhookDelivery.objects.update(lease_ends_at=timezone.now())
    assert owed.pk not in jobs.due()
    row = only(owed)
    assert (row.state, row.attempt, row.status_code) == (DeliveryState.FAILED, 2, None)
    assert "it may have arrived" in row.problem
    assert len(receiver.requests) == 1


@pytest.mark.django_db(transaction=True)
def test_workers_at_once_send_a_delivery_once(owed, receiver):
    at_once(*[partial(jobs.deliver, owed.pk)] * 6)
    assert len(receiver.requests) == 1
    assert (only(owed).state, only(owed).attempt) == (DeliveryState.DELIVERED, 1)


def test_the_doorbell_rings_on_commit_and_again_when_nobody_heard(
    owed, ann, model, django_capture_on_commit_callbacks, monkeypatch
):
    rung = []
    monkeypatch.setattr(tasks.deliver_webhook, "delay", rung.append)
    monkeypatch.setattr(
        tasks.deliver_webhook, "apply_async", lambda args, expires: rung.append(args[0])
    )
    with django_capture_on_commit_callbacks(execute=True):
        refs.create_branch(model, Actor(ann), "dev2")
    assert rung == [owed.pk]
    tasks.sweep_webhooks()
    assert rung == [owed.pk, owed.pk]


def test_an_owner_has_few_deliveries_under_way_at_once(ann, model, receiver):
    several = [watching(ann, receiver.url, "user:ann") for _ in range(4)]
    refs.create_branch(model, Actor(ann), "dev")
    claimed = [WebhookDelivery.objects.claim_next(one.pk) for one in several]
    assert [row is not None for row in claimed] == [True, True, True, False]


def test_private_networks_are_not_reached_from_a_name(ann, model, settings):
    # A name that was let through when the webhook was made, and is not when it is used.
    settings.OUTGOING_ALLOWED = ["localhost"]
    webhook = watching(ann, "http://localhost:9/", "user:ann")
    settings.OUTGOING_ALLOWED = []
    refs.create_branch(model, Actor(ann), "dev")
    jobs.deliver(webhook.pk)
    assert "not public" in only(webhook).problem


def test_old_history_goes(owed):
    assert jobs.forget_old() == 0
    WebhookDelivery.objects.update(created_at=timezone.now() - timedelta(days=31))
    assert jobs.forget_old() == 1


def test_secrets_are_sealed_at_rest(owed, settings):
    row = Webhook.objects.get(pk=owed.pk)
    assert SECRET not in row.sealed_secret
    assert row.secret == SECRET
    settings.SECRET_KEY = "another key of forty characters or so, really"
    jobs.deliver(owed.pk)
    assert "another SECRET_KEY" in only(owed).problem
