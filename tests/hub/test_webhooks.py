"""Webhooks: who hears of what, how it is signed, tried again, withheld and switched off."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
import uuid
from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone
from huggingface_hub import WebhookPayload

from hub import tasks
from hub.actions import moving, refs, repositories, webhooks
from hub.jobs import webhooks as jobs
from hub.models import (
    Access,
    DeliveryState,
    Kind,
    Membership,
    RepoId,
    Visibility,
    Webhook,
    WebhookDelivery,
)
from hub.models.webhooks import ATTEMPTS, BACKOFF, FAILURES_LIMIT
from hub.policies import Actor, get_repository
from reviews.actions import discussions, merging, pull_requests, timeline
from tests.factories import (
    commit_files,
    make_member,
    make_organization,
    make_repository,
    make_user,
)
from tests.outgoing.receiver import answer, receiving

pytestmark = pytest.mark.django_db
SECRET = "a secret of the receiver"


@pytest.fixture
def receiver(settings):
    settings.OUTGOING_ALLOWED = ["127.0.0.1"]
    with receiving() as server:
        yield server


@pytest.fixture
def ann():
    return make_user("ann")


@pytest.fixture
def model(ann):
    return make_repository(ann.namespace, name="model")


def watching(user, url, *watched, domains=("repo", "discussion"), secret=SECRET):
    items = [dict(zip(("type", "name"), one.split(":"), strict=True)) for one in watched]
    return webhooks.create_webhook(
        Actor(user), url=url, watched=items, domains=[*domains], secret=secret
    )


def told(webhook):
    """What a webhook is owed or was sent, as the client reads it."""
    rows = WebhookDelivery.objects.filter(webhook=webhook).order_by("pk")
    return [WebhookPayload.model_validate_json(row.body) for row in rows]


def scopes(webhook):
    return [(one.event.scope, one.event.action) for one in told(webhook)]


def fetched(user, repository):
    repo = RepoId(Kind(repository.kind), repository.namespace.slug, repository.name)
    return get_repository(Actor(user), repo)


# Who hears of what ------------------------------------------------------------------------------


def test_a_push_is_told_as_the_client_reads_it(ann, model, receiver):
    webhook = watching(ann, receiver.url, "model:ANN/Model")
    old = model.head_oid
    refs.create_branch(model, Actor(ann), "dev")
    new = commit_files(model, {"a.txt": b"a"})
    refs.pushed(model, Actor(ann), [refs.RefChange("refs/heads/main", old, new)])
    branch, push = told(webhook)
    assert (push.event.action, push.event.scope) == ("update", "repo.content")
    assert branch.updatedRefs[0].model_dump() == {
        "ref": "refs/heads/dev",
        "oldSha": None,
        "newSha": old,
    }
    assert push.updatedRefs[0].model_dump() == {
        "ref": "refs/heads/main",
        "oldSha": old,
        "newSha": new,
    }
    assert (push.repo.name, push.repo.type, push.repo.private) == ("ann/model", "model", False)
    assert push.repo.url.web == f"{settings.PUBLIC_URL}/ann/model"
    assert push.repo.url.api == f"{settings.PUBLIC_URL}/api/models/ann/model"
    assert (push.webhook.id, push.webhook.version) == (f"{webhook.pk:024x}", 3)
    body = json.loads(WebhookDelivery.objects.latest("pk").body)
    assert body["repo"]["headSha"] == new


def test_a_repository_is_told_from_its_creation_to_its_end(ann, receiver):
    of_user = watching(ann, receiver.url, "user:ann")
    later = watching(ann, receiver.url, "dataset:ann/data", "model:ann/data")
    actor = Actor(ann)
    made = repositories.create_repository(actor, RepoId(Kind.DATASET, "ann", "data"))
    repositories.update_settings(made, actor, visibility="private")
    repositories.delete_repository(made, actor)
    wanted = [("repo", "create"), ("repo.config", "update"), ("repo", "delete")]
    assert scopes(of_user) == scopes(later) == wanted
    assert told(later)[2].repo.name == "ann/data"


def test_a_move_is_told_to_those_who_watch_either_name(ann, model, receiver):
    organization = make_organization("org")
    Membership.objects.create(namespace=organization, user=ann, access=Access.ADMIN)
    names = ("model:ann/model", "user:ann", "model:org/new", "org:org")
    old, former, new, owner = (watching(ann, receiver.url, name) for name in names)
    moved = moving.move_repository(model, Actor(ann), RepoId(Kind.MODEL, "org", "new"))
    for webhook in (old, former, new, owner):
        (payload,) = told(webhook)
        assert (payload.event.action, payload.event.scope) == ("move", "repo")
        assert (payload.repo.name, payload.movedTo.name) == ("ann/model", "org/new")
        assert payload.movedTo.owner.id == str(organization.pk)
    refs.create_branch(moved, Actor(ann), "dev")
    heard = [len(told(webhook)) for webhook in (old, former, new, owner)]
    assert heard == [2, 1, 2, 2]  # the old name leads to it; its former owner has it no more


def test_discussions_and_comments_are_told(ann, model, receiver):
    webhook = watching(ann, receiver.url, "model:ann/model")
    row = fetched(ann, model)
    actor = Actor(ann)
    discussion = discussions.open_discussion(row, actor, title="Why?", description="Because.")
    said = timeline.add_comment(discussion, actor, "More.")
    timeline.edit_comment(discussion, actor, said.pk, "Much more.")
    timeline.hide_comment(discussion, actor, said.pk)
    discussions.rename(discussion, actor, "Why not?")
    discussions.change_status(discussion, actor, "closed", comment="Done.")
    assert scopes(webhook) == [
        ("discussion", "create"),
        ("discussion.comment", "create"),
        ("discussion.comment", "update"),
        ("discussion.comment", "update"),
        ("discussion", "update"),
        ("discussion", "update"),
        ("discussion.comment", "create"),
    ]
    opened, _written, edited, hidden, renamed, closed, _last = told(webhook)
    assert (opened.discussion.num, opened.comment.content) == (discussion.number, "Because.")
    assert (edited.comment.content, edited.comment.hidden) == ("Much more.", False)
    assert (hidden.comment.content, hidden.comment.hidden) == (None, True)
    assert (renamed.discussion.title, closed.discussion.status) == ("Why not?", "closed")
    assert opened.discussion.author.id == str(ann.pk)


def test_a_pull_request_is_told_until_it_is_merged(ann, model, receiver):
    webhook = watching(ann, receiver.url, "user:ann")
    row = fetched(ann, model)
    oid = commit_files(model, {"b.txt": b"b"}, ref="refs/heads/main")
    row.store().move_ref("refs/heads/main", new=model.head_oid, old=oid)
    proposal = pull_requests.open_pull_request(
        row, by=ann, title="Add b", description="", head_oid=oid, target_branch="main"
    )
    pull_request = row.discussions.get(number=proposal.number)
    pull_request.repository = row
    merged = merging.merge_pull_request(pull_request, Actor(ann))
    opened, pushed, settled = told(webhook)
    assert (opened.event.scope, opened.event.action) == ("discussion", "create")
    assert opened.discussion.isPullRequest
    assert opened.discussion.changes.base == "refs/heads/main"
    assert pushed.updatedRefs[0].newSha == merged
    assert (settled.discussion.status, settled.discussion.changes.mergeCommitId) == (
        "merged",
        merged,
    )


def test_domains_and_names_choose(ann, model, receiver):
    talk = watching(ann, receiver.url, "model:ann/model", domains=["discussion"])
    other = watching(ann, receiver.url, "model:ann/other", "dataset:ann/model", "org:ann-x")
    refs.create_branch(model, Actor(ann), "dev")
    discussions.open_discussion(fetched(ann, model), Actor(ann), title="Hi", description="")
    assert (scopes(talk), scopes(other)) == ([("discussion", "create")], [])


def test_a_change_that_is_rolled_back_is_told_to_nobody(ann, model, receiver):
    webhook = watching(ann, receiver.url, "user:ann")
    with pytest.raises(repositories.ConflictError):
        refs.move_ref(model, Actor(ann), "refs/heads/main", old="1" * 40, new=model.head_oid)
    assert told(webhook) == []


# Who may hear (threat D6) -----------------------------------------------------------------------


def test_private_repositories_are_told_to_their_readers_only(receiver):
    organization = make_organization("org")
    reader = make_member(organization, access=Access.READ)
    stranger = make_user()
    hidden = make_repository(organization, name="secret", visibility=Visibility.PRIVATE)
    mine = watching(reader, receiver.url, "org:org", "model:org/secret")
    theirs = watching(stranger, receiver.url, "org:org", "model:org/secret")
    refs.create_branch(hidden, Actor(make_member(organization, access=Access.WRITE)), "dev")
    assert (len(told(mine)), told(theirs)) == (1, [])


@pytest.mark.parametrize("then", ["left", "private", "deleted", "private deleted"])
def test_what_an_owner_may_no_longer_read_is_withheld(receiver, then, client_for):
    organization = make_organization("org")
    owner = make_member(organization, access=Access.READ)
    first = Visibility.PUBLIC if "private" in then else Visibility.PRIVATE
    repository = make_repository(organization, name="model", visibility=first)
    writer = Actor(make_member(organization, access=Access.WRITE))
    webhook = watching(owner, receiver.url, "org:org")
    refs.create_branch(repository, writer, "dev")
    Membership.objects.filter(user=owner, namespace=organization).delete()
    if "private" in then:
        repositories.update_settings(repository, writer, visibility="private")
    if "deleted" in then:
        repositories.delete_repository(repository, writer)
    jobs.deliver(webhook.pk)
    row = WebhookDelivery.objects.filter(webhook=webhook).earliest("pk")
    assert (receiver.requests, row.state) == ([], DeliveryState.WITHHELD)
    page = client_for(owner).get(f"{webhook.get_absolute_url()}/deliveries/{row.pk}")
    assert page.status_code == 200
    assert "refs/heads/dev" not in page.content.decode()


# Delivery ---------------------------------------------------------------------------------------


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
    WebhookDelivery.objects.filter(webhook=webhook).update(next_attempt_at=past)
    Webhook.objects.filter(pk=webhook.pk).update(held_until=past)


def verify(request, secret, now):
    """What a receiver does: recompute, compare in constant time, refuse what is old."""
    message_id, stamp = request.headers["webhook-id"], request.headers["webhook-timestamp"]
    signed = f"{message_id}.{stamp}.".encode() + request.body
    digest = hmac.new(secret.encode(), signed, hashlib.sha256).digest()
    wanted = f"v1,{base64.b64encode(digest).decode()}"
    fresh = abs(now - int(stamp)) <= 300
    return fresh and hmac.compare_digest(request.headers["webhook-signature"], wanted)


def test_a_delivery_is_signed_and_kept(owed, receiver):
    tasks.deliver_webhook(owed.pk)
    (request,) = receiver.requests
    row = only(owed)
    assert (request.method, request.path, request.body.decode()) == ("POST", "/hook", row.body)
    assert request.headers["x-webhook-secret"] == SECRET
    assert request.headers["content-type"] == "application/json"
    assert request.headers["webhook-id"] == row.message_id
    assert verify(request, SECRET, time.time())
    assert (row.state, row.status_code, row.response) == (DeliveryState.DELIVERED, 200, "thanks")
    assert (row.attempts, row.lease_ends_at) == (1, None)
    tasks.deliver_webhook(owed.pk)  # a doorbell that rings twice
    assert len(receiver.requests) == 1


def test_a_receiver_notices_tampering_and_replays(owed, receiver):
    jobs.deliver(owed.pk)
    (request,) = receiver.requests
    now = time.time()
    assert not verify(request, "another secret", now)
    assert not verify(request, SECRET, now + 301)
    request.body += b" "
    assert not verify(request, SECRET, now)
    request.body = request.body[:-1]
    request.headers["webhook-timestamp"] = str(int(now) + 1)
    assert not verify(request, SECRET, now)


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
        assert (row.attempts, row.state) == (attempt, DeliveryState.WAITING)
        assert row.next_attempt_at >= before + BACKOFF[attempt - 1]
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
    dead = WebhookDelivery.objects.claim(owed.pk)  # killed here: nothing was settled
    assert WebhookDelivery.objects.claim(owed.pk) is None
    assert owed.pk not in jobs.due()
    WebhookDelivery.objects.filter(pk=dead.pk).update(lease_ends_at=timezone.now())
    assert owed.pk in jobs.due()
    jobs.deliver(owed.pk)
    row = only(owed)
    assert (row.state, row.attempts) == (DeliveryState.DELIVERED, 2)
    # The dead one was only slow, and speaks last: its word counts for nothing.
    assert not WebhookDelivery.objects.settle(dead, state=DeliveryState.FAILED)
    assert only(owed).state == DeliveryState.DELIVERED


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
    claimed = [WebhookDelivery.objects.claim(one.pk) for one in several]
    assert [row is not None for row in claimed] == [True, True, True, False]


def test_private_networks_are_not_reached_from_a_name(ann, model):
    # `localhost` is a name when the webhook is made, and our own address when it is used.
    webhook = watching(ann, "http://localhost:9/", "user:ann")
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


def test_ids_are_never_used_twice(owed):
    assert isinstance(only(owed).uid, uuid.UUID)
    assert only(owed).message_id.startswith("msg_")
