"""Call 38: collections and webhooks."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.golden.person import Person


def test_call_38_collections(ann: Person):
    name = ann.repo("m1")
    said = ann.hf("collections", "create", "My models", "--description", "All of them")
    slug = re.search(rf"{ann.name}/my-models-[0-9a-z]+", said)
    assert slug, said
    ann.hf("collections", "add-item", slug[0], name, "model", "--note", "The first")
    ann.hf("collections", "update", slug[0], "--title", "Our models")
    found = ann.api.get_collection(slug[0])
    assert found.title == "Our models"
    assert [(one.item_id, one.item_type, one.note) for one in found.items] == [
        (name, "model", "The first")
    ]
    assert slug[0].rpartition("-")[2] in ann.hf("collections", "ls", "-q", "--owner", ann.name)
    with ann.browser() as browser:
        page = browser.get(f"/collections/{found.slug}")
    assert page.status_code == 200 and "Our models" in page.text and name in page.text
    ann.hf("collections", "delete", found.slug)
    said = ann.hf("collections", "info", found.slug, ok=False)
    assert "404" in said or "not found" in said.lower()


class Received(ThreadingHTTPServer):
    """What was posted to it: headers and JSON."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Receiver)
        self.deliveries: list[tuple[dict[str, str], dict[str, Any]]] = []
        self.arrived = threading.Condition()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook"

    def events(self, scope: str, *, count: int = 1) -> list[dict[str, Any]]:
        """Those of one scope, once there are `count`."""

        def found() -> list[dict[str, Any]]:
            bodies = [body for _, body in self.deliveries]
            return [one for one in bodies if one["event"]["scope"] == scope]

        with self.arrived:
            self.arrived.wait_for(lambda: len(found()) >= count, timeout=120)
        return found()


class _Receiver(BaseHTTPRequestHandler):
    server: Received

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.arrived:
            self.server.deliveries.append((dict(self.headers), body))
            self.server.arrived.notify_all()
        self.send_response(204)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Received]:
    with Received() as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.shutdown()


def test_call_38_a_webhook_tells_of_commits_and_discussions(ann: Person, receiver: Received):
    name = ann.repo("m1")
    created = ann.hf(
        *("webhooks", "create", "--watch", f"model:{name}", "--url", receiver.url),
        *("--secret", "known to both"),
    )
    ((number, url, disabled),) = ann.call("webhooks")
    assert (url, disabled) == (receiver.url, False) and number in created
    assert number in ann.hf("webhooks", "ls", "-q")
    ann.call("commit", name, [["add", "a.txt", "a"]])
    (content,) = receiver.events("repo.content")
    assert content["event"]["action"] == "update"
    assert (content["repo"]["name"], content["repo"]["type"]) == (name, "model")
    assert content["updatedRefs"][0]["ref"] == "refs/heads/main"
    assert content["repo"]["headSha"] == ann.api.model_info(name).sha
    ann.api.create_discussion(name, title="A question", description="Why?")
    (discussion,) = receiver.events("discussion")
    assert (discussion["discussion"]["title"], discussion["event"]["action"]) == (
        "A question",
        "create",
    )
    headers = {key.lower(): value for key, value in receiver.deliveries[0][0].items()}
    assert headers["x-webhook-secret"] == "known to both"
    ann.hf("webhooks", "disable", number)
    assert [one[2] for one in ann.call("webhooks")] == [True]
    unheard = ann.call("commit", name, [["add", "b.txt", "b"]])
    ann.hf("webhooks", "enable", number)
    heard = ann.call("commit", name, [["add", "c.txt", "c"]])
    heads = [one["repo"]["headSha"] for one in receiver.events("repo.content", count=2)]
    assert heard in heads and unheard not in heads
    ann.hf("webhooks", "delete", number, "--yes")
    assert ann.call("webhooks") == []
