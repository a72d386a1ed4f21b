"""Threats F1 to F3: whatever people write, no page of the hub does anything but show it.

Each page of the role matrix is filled with rows, every text in the database and in git is replaced
by attacks, and what is answered is read as a browser reads it.
"""

from __future__ import annotations

import json
import re
from urllib.parse import quote

import pytest
from django.test import Client

from hub.gitstore import AddFile, Author
from hub.models import Kind, Repository, User, Visibility, Webhook
from tests.factories import make_repository, make_user
from tests.hub.hostile_text import DEEP, SHORT, attacks, corpus, faults, poison, short
from tests.hub.test_role_matrix import address_of, make_world
from tests.role_matrix import TABLE, Need

pytestmark = pytest.mark.django_db
# The first letters of what is no page; webhooks, which are their owner's alone, have a test of
# their own, as have the frames of diagrams and of PDFs.
_MACHINES = """
    api auth-check authorize diagram file-raw file-re git healthz inbox-open lfs pdf safetensors
    static unsubscribe viewer-media webhook whoami xet
"""
MACHINES = tuple(_MACHINES.split())
CARD = "---\nlicense: mit\n---\n"
ATTACKER = Author(SHORT[0], 'a"><script>alert(1)</script>@evil.example')
FILES = {
    '"><img src=x onerror=alert(1)>.md': corpus(),
    "' onmouseover='alert(1).py": corpus(),
    "<script>alert(1)<!--.txt": corpus(),
    "page.html": "<script>alert(1)</script>",
    "picture.svg": "<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
    "rows.csv": "\n".join(f'"{text}",=cmd()' for text in SHORT).replace('""', '"'),
    "rows.jsonl": "\n".join(json.dumps({text: text}) for text in SHORT),
    "book.ipynb": json.dumps({
        "nbformat": 4, "nbformat_minor": 5, "metadata": {},
        "cells": [
            {"cell_type": "markdown", "metadata": {}, "source": corpus()},
            {
                "cell_type": "markdown", "metadata": {},
                "source": "![x](attachment:a) <img src='attachment:\"><script>'>"
                          "<a href='attachment:a'>x",
                "attachments": {text: {"image/svg+xml": SHORT} for text in ("a", *SHORT)},
            },
            {
                "cell_type": "code", "metadata": {}, "source": SHORT, "execution_count": 1,
                "outputs": [{
                    "output_type": "display_data", "metadata": {},
                    "data": {"text/html": SHORT, "image/svg+xml": SHORT, "text/plain": SHORT},
                }, {
                    "output_type": "display_data", "metadata": {}, "data": {"text/latex": corpus()},
                }, {
                    "output_type": "display_data", "metadata": {},
                    "data": {"text/latex": f"${SHORT[0]}$", "text/plain": SHORT},
                }],
            },
        ],
    }),
    "config.json": json.dumps({text: [text] for text in SHORT}),
    "tokenizer_config.json": json.dumps({"chat_template": corpus()}),
    "README.md": CARD + corpus(),
}  # fmt: skip
FACTS = {
    "license": "other", "license_name": SHORT[0], "license_link": "javascript:alert(1)",
    "language": SHORT, "tags": SHORT, "datasets": SHORT, "base_model": SHORT, "metrics": SHORT,
    "model-index": [{"name": SHORT[0], "results": [{
        "task": {"type": SHORT[1]}, "dataset": {"name": SHORT[2], "type": SHORT[3]},
        "metrics": [{"type": SHORT[0], "value": SHORT[4], "name": SHORT[5]}],
    }]}],
}  # fmt: skip


def attack(repository: Repository) -> str:
    """Files, a commit and a card that attack; the commit's oid."""
    store = repository.store()
    parent = store.resolve("main")
    head = json.dumps(FACTS)  # JSON is YAML
    files = FILES | {"README.md": f"---\n{head}\n---\n{corpus()}"}
    return store.commit(
        ref="refs/heads/main",
        parent=parent,
        operations=[AddFile(path, text.encode()) for path, text in files.items()],
        message=f"{SHORT[0]}\n\n{corpus()[:4000]}",
        author=ATTACKER,
        expect=parent,
    )


def pages() -> list[str]:
    names = [name for name, method in TABLE if method == "GET" and "/" not in name]
    kept = [name for name in names if not name.partition(":")[2].startswith(MACHINES)]
    return sorted(name for name in kept if not name.endswith("-api"))


@pytest.mark.parametrize("name", pages())
def test_nothing_that_people_wrote_acts_on_a_page(name):
    world, route = make_world(Visibility.PUBLIC), TABLE[name, "GET"]
    route.prepare(world)
    attack(world.repository)
    assert poison(turn=len(name)) >= 5
    Repository.objects.filter(pk=world.repository.pk).update(card_data=FACTS, tags=SHORT)
    client, reader = Client(raise_request_exception=True), world.people["admin"]
    if route.need is Need.OPERATOR:
        User.objects.filter(pk=reader.pk).update(is_staff=True)
    client.force_login(reader)
    answer = client.get(address_of(name, route.address(world)), dict(route.query))
    assert answer.status_code in (200, 302)
    if answer.streaming or not answer.headers["Content-Type"].startswith("text/html"):
        answer.close()
        return
    assert faults(answer.content.decode()) == []
    assert (
        "script-src 'self';" in answer["Content-Security-Policy"]
        or "sandbox" in (answer["Content-Security-Policy"])
    )


@pytest.mark.parametrize("path", sorted(FILES))
@pytest.mark.parametrize("kind", [Kind.MODEL, Kind.DATASET])
def test_no_file_acts_on_its_page(client, path, kind):
    repository = make_repository(kind=kind)
    attack(repository)
    for view in ("blob", "commits"):
        answer = client.get(f"{repository.get_absolute_url()}/{view}/main/{_quoted(path)}")
        assert answer.status_code == 200
        # A drawing is the source of an <img>, where no script runs and nothing is fetched.
        html = re.sub(
            r'<img src="data:image/svg\+xml;base64,[\w+/=]+"', "<img", answer.content.decode()
        )
        assert faults(html) == []
    raw = client.get(f"{repository.get_absolute_url()}/resolve/main/{_quoted(path)}")
    assert "sandbox" in raw["Content-Security-Policy"]
    assert raw["X-Content-Type-Options"] == "nosniff"
    assert raw["Content-Type"].split(";")[0] not in ("text/html", "image/svg+xml")
    raw.close()


def _quoted(path: str) -> str:
    return quote(path)


def test_no_webhook_acts_on_the_page_of_its_owner(client):
    person = make_user()
    hook = Webhook.objects.create(
        owner=person,
        url=f"https://ci.example.org/{SHORT[0]}",
        watched=[{"type": "user", "name": text} for text in SHORT],
    )
    delivery = hook.deliveries.create(
        scope="repo",
        action="update",
        body=json.dumps({text: text for text in SHORT}),
        repo_id=short(200),
        response=corpus(),
        problem=short(300),
    )
    client.force_login(person)
    for path in ("", f"/{hook.pk}", f"/{hook.pk}/deliveries/{delivery.pk}"):
        answer = client.get(f"/-/settings/webhooks{path}")
        assert answer.status_code == 200
        assert faults(answer.content.decode()) == []


def test_the_corpus_is_seen_by_the_check_where_it_is_not_escaped():
    """What the check would say of pages that forgot to escape."""
    seen = [fault for attack in attacks() for fault in faults(f"<body>{attack}</body>")]
    assert len(seen) > 60
    for fault in ("<script>", "onerror", "style", "<iframe>", "formaction", "javascript:"):
        assert any(fault in each for each in seen), fault
    honest = "<main id=main><p title='x'>a</p><a href='https://example.org'>b</a></main>"
    assert faults(honest) == []


@pytest.mark.parametrize("number", range(len(DEEP)))
def test_a_card_that_is_deep_or_long_is_shown(number):
    repository = make_repository(files={"README.md": f"{CARD}# Honest\n\n{DEEP[number]}".encode()})
    page = Client().get(repository.get_absolute_url()).content.decode()
    assert "Honest" in page and faults(page) == []


def test_attacks_do_not_take_the_honest_words_with_them():
    text = f"{CARD}# Honest\n\n{corpus()}\n\n## Last words"
    repository = make_repository(files={"README.md": text.encode()})
    page = Client().get(repository.get_absolute_url()).content.decode()
    assert "<h1 id=" in page and faults(page) == []


@pytest.mark.parametrize("address", ["/-/diagram", "/-/pdf"])
def test_a_frame_has_no_origin_and_no_network(address):
    answer = Client().get(address)
    policy = answer["Content-Security-Policy"]
    assert "sandbox allow-scripts" in policy and "default-src 'none'" in policy
    assert "allow-same-origin" not in policy and "connect-src" not in policy
    assert "X-Frame-Options" not in answer
