"""Webhooks through the unmodified client and `hf webhooks`, delivered by a running hub's worker."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from huggingface_hub import WebhookPayload

from tests.hub.machines import Machine, hf, named
from tests.outgoing.receiver import Receiver, answer, receiving
from tests.server import HubServer

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def wim(hub_server: HubServer, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    return Machine(hub_server, tmp_path_factory.mktemp("wim"), hub_server.person("wim"))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as server:
        yield server


def said(machine: Machine, *arguments: str) -> Any:
    """What `hf … --format json` prints."""
    url, home = machine.server.url, machine.home / "hf"
    return json.loads(hf(url, machine.token, home, *arguments, "--format", "json"))


LIFE = """
import json
watched = [{"type": "user", "name": "wim"}, {"type": "org", "name": "not-on-this-server"}]
made = api.create_webhook(url=args[0], watched=watched, secret="shh")
seen = [made, api.get_webhook(made.id)]
seen += [one for one in api.list_webhooks() if one.id == made.id]
seen.append(api.disable_webhook(made.id))
seen.append(api.enable_webhook(made.id))
seen.append(api.update_webhook(made.id, domains=["discussion"]))
other = [WebhookWatchedItem(type="bucket", name="wim/bucket")]
seen.append(api.update_webhook(made.id, watched=other, secret="psst"))
api.delete_webhook(made.id)
assert made.id not in [one.id for one in api.list_webhooks()]
try:
    api.get_webhook(made.id)
except Exception as error:
    seen.append(str(error))
try:
    api.create_webhook(job_id="687f911eaea852de79c4a50a", watched=watched)
except ValueError as error:
    seen.append(str(error))
print(json.dumps(seen, default=lambda one: vars(one)))
"""


def test_the_client_manages_webhooks(wim, receiver):
    *seen, gone, refused = json.loads(wim.python(LIFE, receiver.url))
    made, got, listed, disabled, enabled, narrowed, changed = seen
    assert made | {"secret": None} == got == listed
    assert (made["url"], made["domains"]) == (receiver.url, ["repo", "discussion"])
    assert made["watched"][1] == {"type": "org", "name": "not-on-this-server"}
    assert [one["disabled"] for one in (got, disabled, enabled)] == [False, True, False]
    # Secrets are write-only: only the answer to the request that set one holds it.
    secrets = [one["secret"] for one in seen]
    assert secrets == ["shh", None, None, None, None, None, "psst"]
    assert (narrowed["domains"], narrowed["watched"]) == (["discussion"], made["watched"])
    assert changed["watched"] == [{"type": "bucket", "name": "wim/bucket"}]
    assert "no such webhook" in gone
    assert "runs no Jobs" in refused


def test_the_command_line_manages_webhooks(wim, receiver):
    made = said(wim, "webhooks", "create", "--url", receiver.url, "--watch", "model:wim/new")["id"]
    assert said(wim, "webhooks", "info", made)["watched"] == [{"type": "model", "name": "wim/new"}]
    said(wim, "webhooks", "update", made, "--domain", "repo")
    said(wim, "webhooks", "disable", made)
    (listed,) = [one for one in said(wim, "webhooks", "ls") if one["id"] == made]
    assert (listed["domains"], listed["disabled"]) == (["repo"], True)
    said(wim, "webhooks", "enable", made)
    said(wim, "webhooks", "delete", made, "--yes")
    assert made not in [one["id"] for one in said(wim, "webhooks", "ls")]


STORY = """
api.create_repo("wim/told")
api.upload_file(path_or_fileobj=b"hi", path_in_repo="a.txt", repo_id="wim/told")
number = api.create_discussion("wim/told", "Why?", description="Because.").num
api.comment_discussion("wim/told", number, "And so on.")
api.delete_repo("wim/told")
"""


def test_a_running_hub_tells_what_happens_and_in_order(wim, receiver):
    script = "print(api.create_webhook(url=args[0], watched=[{'type': 'user', 'name': 'wim'}]).id)"
    webhook = wim.python(script, receiver.url)
    wim.python(STORY)
    requests = receiver.wait_for(5)
    payloads = [WebhookPayload.model_validate_json(one.body) for one in requests]
    assert [(one.event.scope, one.event.action) for one in payloads] == [
        ("repo", "create"),
        ("repo.content", "update"),
        ("discussion", "create"),
        ("discussion.comment", "create"),
        ("repo", "delete"),
    ]
    assert {one.webhook.id for one in payloads} == {webhook}
    assert payloads[1].updatedRefs[0].ref == "refs/heads/main"
    wim.python("api.delete_webhook(args[0])", webhook)


@pytest.mark.drill
def test_a_worker_killed_while_it_sends_loses_nothing(wim, receiver):
    """kill -9 while the receiver holds the answer back: told again under the same id."""

    def killing(http: Any) -> None:
        named(wim.server, "worker-webhooks")[0].send_signal(signal.SIGKILL)

    receiver.answers = [killing, answer()]
    script = "print(api.create_webhook(url=args[0], watched=[{'type': 'user', 'name': 'wim'}]).id)"
    webhook = wim.python(script, receiver.url)
    wim.python("api.create_repo('wim/drill')")
    first, second = receiver.wait_for(2, seconds=150)  # a lease, and a round of the sweeper
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body
    wim.python("api.delete_webhook(args[0]); api.delete_repo('wim/drill')", webhook)
