"""Sign-in from devices: codes, approval in the browser, renewal (RFC 8628, threats A1)."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.utils import timezone

from hub.actions import devices
from hub.errors import OAuthError
from hub.models import AccessToken, DeviceLogin, DeviceSession, RefreshToken
from tests.factories import make_user
from tests.races import at_once
from tests.server import HubServer

DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
PAGE = "/-/device"


@pytest.fixture(autouse=True)
def no_tries(request: pytest.FixtureRequest) -> None:
    if "hub_server" not in request.fixturenames:
        request.getfixturevalue("db")
        cache.clear()


def send(client: Client, path: str, form: dict[str, str]) -> Any:
    body = urlencode(form)
    return client.post(path, body, content_type="application/x-www-form-urlencoded")


def ask(client: Client | None = None, **form: str) -> dict[str, Any]:
    answer = send(client or Client(), "/oauth/device", {"client_id": "a-tool", **form})
    assert answer.status_code == 200
    return dict(answer.json())


def poll(asked: dict[str, Any]) -> Any:
    form = {"grant_type": DEVICE_CODE, "device_code": asked["device_code"], "client_id": "any"}
    return send(Client(), "/oauth/token", form)


def renew(refresh_token: str) -> Any:
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
    return send(Client(), "/oauth/token", form)


def decide(browser: Client, asked: dict[str, Any], decision: str = "approve", **form: str) -> Any:
    values = {"user_code": asked["user_code"], "name": "laptop", "scope": "write"} | form
    return browser.post(PAGE, values | {"decision": decision})


def signed_in(browser: Client) -> dict[str, Any]:
    asked = ask()
    decide(browser, asked)
    return dict(poll(asked).json())


def whoami(token: str) -> Any:
    return Client(headers={"authorization": f"Bearer {token}"}).get("/api/whoami-v2")


def test_a_person_compares_the_code_and_lets_the_program_in(client_for):
    person = make_user()
    browser, asked = client_for(person), ask()
    assert poll(asked).json()["error"] == "authorization_pending"
    page = browser.get(f"{PAGE}?user_code={asked['user_code'].lower()}")
    assert asked["user_code"] in page.content.decode()
    assert "a-tool" in page.content.decode() and "127.0.0.1" in page.content.decode()
    assert decide(browser, asked)["Location"] == f"{PAGE}?done=approved"
    granted = poll(asked)
    assert granted["Cache-Control"] == "no-store"
    access = granted.json()["access_token"]
    known = whoami(access).json()
    assert known["name"] == person.username
    shown = known["auth"]["accessToken"]
    assert (shown["displayName"], shown["role"]) == ("laptop", "write")
    token = AccessToken.objects.get(user=person)
    assert granted.json()["expires_in"] >= 2 * 24 * 3600  # clients renew a day before the end
    tokens_page = browser.get("/-/settings/tokens").content.decode()
    assert "laptop" in tokens_page and "renews itself" in tokens_page
    browser.post(f"/-/settings/tokens/{token.pk}/revoke")
    assert whoami(access).status_code == 401
    assert renew(granted.json()["refresh_token"]).json()["error"] == "invalid_grant"


def test_codes_are_kept_as_digests_and_used_once(client_for):
    asked = ask()
    decide(client_for(make_user()), asked)
    assert poll(asked).status_code == 200
    assert poll(asked).json()["error"] == "invalid_grant"
    with connection.cursor() as cursor:
        cursor.execute("SELECT t::text FROM hub_devicelogin t")
        stored = str(cursor.fetchall())
    assert asked["device_code"] not in stored and asked["user_code"] not in stored
    assert AccessToken.objects.count() == 1


def test_a_denied_request_gets_nothing(client_for):
    asked = ask()
    assert decide(client_for(make_user()), asked, "deny")["Location"] == f"{PAGE}?done=denied"
    assert (poll(asked).status_code, poll(asked).json()["error"]) == (400, "access_denied")
    assert not AccessToken.objects.exists()


def test_a_request_ends_after_fifteen_minutes(client_for):
    asked, browser = ask(), client_for(make_user())
    approved = ask()
    decide(browser, approved)
    DeviceLogin.objects.update(expires_at=timezone.now())
    assert decide(browser, asked).status_code == 422
    assert poll(asked).json()["error"] == "expired_token"
    assert poll(approved).json()["error"] == "expired_token"


def test_who_asks_too_often_is_told_to_slow_down(client_for):
    asked = ask()
    answers = [poll(asked).json()["error"] for _each in range(3)]
    assert answers == ["authorization_pending", "slow_down", "slow_down"]
    assert DeviceLogin.objects.get().interval_seconds == 15
    decide(client_for(make_user()), asked)
    assert poll(asked).status_code == 200  # an approved program need not wait


def test_only_a_person_in_the_browser_approves(api_for, client_for):
    person, asked = make_user(), ask()
    answer = decide(api_for(person, scope="admin"), asked)
    assert answer.status_code == 401 or "/-/sign-in" in answer.get("Location", "")
    strict = Client(enforce_csrf_checks=True, headers={"accept": "text/html"})
    strict.force_login(person)
    assert decide(strict, asked).status_code == 403
    assert poll(asked).json()["error"] == "authorization_pending"


def test_a_link_alone_approves_nothing(client_for):
    asked = ask()
    client_for(make_user()).get(f"{PAGE}?user_code={asked['user_code']}&decision=approve")
    assert poll(asked).json()["error"] == "authorization_pending"


def test_the_person_may_grant_less_than_was_asked_for_but_never_admin(client_for):
    browser, asked = client_for(make_user()), ask()
    assert decide(browser, asked, scope="admin").status_code == 422
    decide(browser, asked, scope="read")
    assert poll(asked).json()["scope"] == "read"
    reading = ask(scope="openid read-repos")
    assert 'value="read" selected' in browser.get(
        f"{PAGE}?user_code={reading['user_code']}"
    ).content.decode().replace("  ", " ")


def test_guessing_codes_is_throttled(client_for):
    asked, browser = ask(), client_for(make_user())
    for _each in range(10):
        assert "No device waits" in browser.get(f"{PAGE}?user_code=BBBB-BBBB").content.decode()
    refused = browser.get(f"{PAGE}?user_code={asked['user_code']}")
    assert refused.status_code == 422 and "Too many tries" in refused.content.decode()
    assert decide(browser, asked).status_code == 422
    assert poll(asked).json()["error"] == "authorization_pending"


def test_right_codes_are_no_guesses(client_for):
    browser = client_for(make_user())
    for _each in range(12):
        asked = ask()
        assert browser.get(f"{PAGE}?user_code={asked['user_code']}").status_code == 200


def test_starting_without_end_is_refused():
    answers = [send(Client(), "/oauth/device", {}).status_code for _each in range(61)]
    assert answers == [200] * 60 + [429]


def test_a_refresh_token_renews_once_and_its_reuse_ends_the_sign_in(client_for):
    first = signed_in(client_for(make_user()))
    second = renew(first["refresh_token"]).json()
    assert whoami(second["access_token"]).status_code == 200
    assert whoami(first["access_token"]).status_code == 200  # for requests that are under way
    assert len(AccessToken.objects.filter(expires_at__gt=timezone.now() + devices.GRACE)) == 1
    third = renew(second["refresh_token"]).json()
    assert renew(first["refresh_token"]).json()["error"] == "invalid_grant"
    for granted in (first, second, third):
        assert whoami(granted["access_token"]).status_code == 401
    assert renew(third["refresh_token"]).json()["error"] == "invalid_grant"


def test_refresh_tokens_end_and_unknown_ones_harm_nobody(client_for):
    person = make_user()
    granted = signed_in(client_for(person))
    assert renew("wbr_nonsense").json()["error"] == "invalid_grant"
    assert renew("").json()["error"] == "invalid_grant"
    assert whoami(granted["access_token"]).status_code == 200
    RefreshToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert renew(granted["refresh_token"]).json()["error"] == "invalid_grant"


def test_a_closed_account_renews_nothing(client_for):
    person = make_user()
    granted, asked = signed_in(client_for(person)), ask()
    decide(client_for(person), asked)
    type(person).objects.filter(pk=person.pk).update(is_active=False)
    assert renew(granted["refresh_token"]).json()["error"] == "invalid_grant"
    assert poll(asked).json()["error"] == "access_denied"


def test_json_is_taken_too_and_nonsense_refused_in_the_words_of_oauth():
    asked = Client().post("/oauth/device", {"client_id": "x"}, content_type="application/json")
    body = {"grant_type": DEVICE_CODE, "device_code": asked.json()["device_code"]}
    answer = Client().post("/oauth/token", body, content_type="application/json")
    assert answer.json()["error"] == "authorization_pending"
    for wrong in ({}, {"grant_type": "password"}, {"grant_type": ["x"]}):
        answer = Client().post("/oauth/token", wrong, content_type="application/json")
        assert (answer.status_code, answer.json()["error"]) == (400, "unsupported_grant_type")
    assert Client().post("/oauth/token", "[]", content_type="application/json").status_code == 400


@pytest.mark.django_db(transaction=True)
def test_of_two_polls_at_once_one_gets_the_tokens(client_for):
    asked = ask()
    decide(client_for(make_user()), asked)

    def collect() -> str:
        try:
            return devices.collect(asked["device_code"]).access_token
        except OAuthError as error:
            return error.code

    answers = sorted(at_once(*[collect] * 4))
    assert answers[:3] == ["invalid_grant"] * 3
    assert answers[3].startswith("wb_")
    assert (AccessToken.objects.count(), DeviceSession.objects.count()) == (1, 1)


HF = Path(sys.executable).parent / "hf"


def approve_in_browser(url: str, code: str, name: str) -> None:
    """Sign in and approve as a browser without JavaScript does."""

    def token_of(page: str) -> str:
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        assert found is not None
        return found[1]

    with httpx2.Client(base_url=url, follow_redirects=True, headers={"accept": "text/html"}) as web:
        page = web.get(f"/-/device?user_code={code}")
        assert page.url.path == "/-/sign-in"
        form = {"username": name, "password": "correct horse battery", "next": PAGE}
        referer = {"referer": f"{url}/-/sign-in"}
        form["csrfmiddlewaretoken"] = token_of(page.text)
        web.post("/-/sign-in", data=form, headers=referer)
        page = web.get(f"/-/device?user_code={code}")
        assert code in page.text
        form = {"user_code": code, "name": "laptop", "scope": "write", "decision": "approve"}
        form["csrfmiddlewaretoken"] = token_of(page.text)
        done = web.post(PAGE, data=form, headers={"referer": f"{url}{PAGE}"})
        assert "The device is signed in" in done.text


@pytest.mark.stack
def test_the_command_line_client_signs_in_renews_and_signs_out(
    hub_server: HubServer, tmp_path: Path
):
    hub_server.person("device-test", password="correct horse battery")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    environment |= {"HF_ENDPOINT": hub_server.url, "HF_HOME": str(tmp_path)}

    def hf(*arguments: str) -> str:
        done = subprocess.run(
            [HF, *arguments], env=environment, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    waiting = subprocess.Popen(
        [HF, "auth", "login"],
        env=environment | {"PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert waiting.stdout is not None
    said = ""
    while not (found := re.search(r"user_code=([A-Z]{4}-[A-Z]{4})", said)):
        line = waiting.stdout.readline()
        assert line, said
        said += line
    assert f"{hub_server.url}/-/device?user_code=" in said
    approve_in_browser(hub_server.url, found[1], "device-test")
    said += waiting.communicate(timeout=60)[0]
    assert waiting.returncode == 0, said
    assert "device-test" in hf("auth", "whoami")
    stored = tmp_path / "stored_tokens"
    before = stored.read_text()
    assert "[laptop]" in before and "refresh_token" in before
    # As if a day were left: the next command renews the token by itself.
    stored.write_text(re.sub(r"expires_at = \d+", "expires_at = 1", before))
    assert "device-test" in hf("auth", "whoami")
    after = stored.read_text()
    assert re.findall(r"hf_token = .+", after) != re.findall(r"hf_token = .+", before)
    assert int(re.findall(r"expires_at = (\d+)", after)[0]) > 1
    hf("auth", "logout")
    assert not stored.exists()
