"""Webhooks in the browser and over the API: made, changed, tested, replayed, and nobody else's."""

from __future__ import annotations

import json

import pytest

from hub import tasks
from hub.actions import refs
from hub.models import TokenScope, Webhook, WebhookDelivery
from hub.policies import Actor
from tests.factories import make_repository, make_user
from tests.outgoing.receiver import answer

pytestmark = pytest.mark.django_db
LIST = "/-/settings/webhooks"
API = "/api/settings/webhooks"
WATCHED = [{"type": "user", "name": "ann"}]


@pytest.fixture
def ann():
    return make_user("ann")


@pytest.fixture
def browser(client_for, ann):
    return client_for(ann)


@pytest.fixture
def api(api_for, ann):
    return api_for(ann)


def form(url, **more):
    return {"url": url, "watched": "user:ann\n\n model : ann/model ", "repo": "on", **more}


def make(browser, url, **more):
    browser.post(LIST, form(url, secret="of my own", **more))
    return Webhook.objects.latest("pk")


def text_of(response):
    return response.content.decode()


def test_a_webhook_is_made_in_the_browser_and_its_secret_shown_once(browser, receiver):
    made = browser.post(LIST, form(receiver.url), follow=True)
    assert made.redirect_chain == [(LIST, 302)]
    webhook = Webhook.objects.get()
    assert webhook.secret.startswith("whsec_")
    assert webhook.secret in text_of(made)
    assert webhook.watched == [*WATCHED, {"type": "model", "name": "ann/model"}]
    assert webhook.domains == ["repo"]
    for address in (LIST, webhook.get_absolute_url()):
        shown = browser.get(address)
        assert webhook.url in text_of(shown)
        assert webhook.secret not in text_of(shown)
        assert shown["Cache-Control"] == "no-store"
    assert browser.get("/settings/webhooks")["Location"] == LIST


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"url": "http://10.0.0.1/"}, "not public"),
        ({"url": "ftp://example.org/"}, "must start with https"),
        ({"watched": "nonsense"}, "cannot be watched"),
        ({"watched": "org:a/b"}, "no name of a org"),
        ({"repo": ""}, "A domain is one of"),
        ({"secret": "ümlaut"}, "ASCII"),
    ],
)
def test_what_cannot_be_is_said_beside_the_form(browser, wrong, said):
    answered = browser.post(LIST, form("https://ci.example.org/") | wrong)
    assert answered.status_code == 422
    assert said in text_of(answered)
    assert "whsec_" not in text_of(answered)
    assert not Webhook.objects.exists()


def test_a_webhook_is_changed_switched_and_deleted(browser, receiver):
    webhook = make(browser, receiver.url)
    page = webhook.get_absolute_url()
    changed = form("https://new.example.org/", discussion="on", form="save")
    assert browser.post(page, changed).status_code == 302
    webhook.refresh_from_db()
    assert (webhook.url, webhook.domains) == ("https://new.example.org/", ["repo", "discussion"])
    assert webhook.secret == "of my own"
    nothing = form("https://new.example.org/", repo="", form="save")
    assert "Choose at least one" in text_of(browser.post(page, nothing))
    browser.post(page, {"form": "disable"})
    assert "Switched off" in text_of(browser.get(page))
    assert "switch it on first" in text_of(browser.post(page, {"form": "test"}, follow=True))
    browser.post(page, {"form": "enable"})
    assert not Webhook.objects.get().disabled
    assert "not known here" in text_of(browser.post(page, {"form": "x"}, follow=True))
    browser.post(page, {"form": "delete"})
    assert not Webhook.objects.exists()
    assert browser.get(page).status_code == 404


def test_a_test_is_sent_and_its_delivery_replayed(browser, receiver):
    webhook = make(browser, receiver.url)
    receiver.answers = [answer(503, b"<b>busy</b>"), answer(200)]
    browser.post(webhook.get_absolute_url(), {"form": "test"})
    tasks.deliver_webhook(webhook.pk)
    row = WebhookDelivery.objects.get()
    page = row.get_absolute_url()
    shown = text_of(browser.get(page))
    assert "The server answered 503." in shown
    assert "&lt;b&gt;busy&lt;/b&gt;" in shown
    assert row.message_id in shown
    browser.post(page)  # Replay
    tasks.deliver_webhook(webhook.pk)
    first, second = receiver.requests
    assert json.loads(first.body)["event"] == {"action": "update", "scope": "ping"}
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert "thanks" in text_of(browser.get(page))


def test_the_history_asks_as_much_for_many_rows_as_for_few(
    browser, ann, receiver, django_assert_max_num_queries
):
    webhook = make(browser, receiver.url)
    for name in ("model", "other"):
        repository = make_repository(ann.namespace, name=name)
        for number in range(12):
            refs.create_branch(repository, Actor(ann), f"dev{number}")
    with django_assert_max_num_queries(10):
        shown = text_of(browser.get(webhook.get_absolute_url()))
    assert shown.count("repo.content") == 20
    assert "ann/other" in shown
    assert "?page=2" in shown


def test_nobody_reaches_the_webhook_of_another(browser, client_for, api_for, receiver):
    webhook = make(browser, receiver.url)
    browser.post(webhook.get_absolute_url(), {"form": "test"})
    row = WebhookDelivery.objects.get()
    other = make_user()
    stranger, program = client_for(other), api_for(other)
    for address in (webhook.get_absolute_url(), row.get_absolute_url()):
        assert stranger.get(address).status_code == 404
        assert stranger.post(address, {"form": "delete"}).status_code == 404
    one = f"{API}/{webhook.public_id}"
    for method, address in (
        *(("GET", one), ("POST", one), ("DELETE", one)),
        *(("POST", f"{one}/enable"), ("POST", f"{one}/disable")),
    ):
        refused = program.generic(method, address, b"{}", content_type="application/json")
        assert (refused.status_code, refused["X-Error-Code"]) == (404, "NotFound")
    assert program.get(API).json() == []
    # A delivery of somebody else's webhook is none of mine either.
    mine = make(stranger, receiver.url)
    assert stranger.get(f"{mine.get_absolute_url()}/deliveries/{row.pk}").status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        *({}, {"url": 5}, {"url": "https://x.org/", "watched": {}}, {"url": "https://x.org/"}),
        {"url": "https://x.org/", "watched": ["model:a/b"]},
        {"url": "https://x.org/", "watched": [{"type": "planet", "name": "a"}]},
        {"url": "https://x.org/", "watched": [{"type": "model", "name": "a/b/c"}]},
        {"url": "https://x.org/", "watched": WATCHED, "domains": ["weather"]},
        {"url": "https://x.org/", "watched": WATCHED, "domains": [5]},
        {"url": "https://x.org/", "watched": WATCHED, "secret": "two\nlines"},
        {"url": "https://x.org/", "watched": WATCHED * 101},
        {"url": "http://[::1]/", "watched": WATCHED},
        {"jobSourceId": "abc", "watched": WATCHED},
    ],
)
def test_a_body_that_is_not_as_it_should_be_is_refused(api, body):
    refused = api.post(API, json.dumps(body), content_type="application/json")
    assert (refused.status_code, refused["X-Error-Code"]) == (400, "BadRequest")
    assert refused.json()["error"]
    assert not Webhook.objects.exists()


@pytest.mark.parametrize("name", ["zzz", "f" * 24, "0", "-1", "1" * 200])
def test_an_id_that_is_none_is_not_found(api, name):
    assert api.get(f"{API}/{name}").status_code == 404


def test_there_are_only_so_many_webhooks_a_person(api, settings):
    settings.WEBHOOKS_LIMIT_PER_USER = 2
    body = json.dumps({"url": "https://x.org/", "watched": WATCHED})
    statuses = [api.post(API, body, content_type="application/json").status_code for _ in "abc"]
    assert statuses == [200, 200, 409]


def test_tokens_that_read_see_no_webhooks(api_for, ann):
    assert api_for(ann, scope=TokenScope.READ).get(API).status_code == 403
    assert api_for(None).get(API).status_code == 401
