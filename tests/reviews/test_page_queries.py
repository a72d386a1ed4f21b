"""What each page asks of the database, told on a hub of two sizes: the same, and so much."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from hub.actions import exploring
from hub.models import Repository, User
from reviews.management.seeding import BUSY, seed
from tests.factories import make_repository, make_user

pytestmark = pytest.mark.django_db

SMALL, LARGE = 60, 180
# The most queries of somebody signed in, session and bell included. What is counted is asked for in
# a sample, and then exactly where that says it is little: one or two, as chance has it.
PAGES = {
    "/": 14,
    "/-/explore": 8,
    "/-/explore?kind=model": 8,
    "/-/explore?kind=dataset&sort=likes": 9,
    "/-/explore?page=2": 8,
    "/-/explore?q=llama": 12,
    "/-/explore?q=mistrall": 16,
    "/-/explore?q=古诗生成": 12,
    "/-/explore?license=mit": 10,
    "/-/explore?kind=model&license=mit&language=zh": 10,
    "/-/explore?q=qwen&license=apache-2.0&task=translation": 15,
    "/-/explore/values/license?language=zh": 8,
    "/-/palette?q=qwen": 19,
    "/{model}": 12,
    "/{model}/tree/main/flat": 8,
    "/{model}/discussions": 11,
    "/{model}/discussions?kind=pull_request&author=nobody&q=rank": 11,
}


@pytest.fixture
def many(monkeypatch) -> None:
    """A hub that is small, with the rules of one that is large."""
    monkeypatch.setattr(exploring, "COUNTED", 20)
    monkeypatch.setattr(exploring, "SAMPLE", 40)


@pytest.fixture(params=[SMALL, LARGE])
def hub(request, many, tmp_path) -> str:
    """The path of a model with 300 pull requests, among so many repositories."""
    first = Repository.objects.get(pk=seed(request.param))
    files = {f"flat/{number}.txt": b"x" for number in range(request.param)}
    made = make_repository(files=files | {"README.md": b"# Model\n"})
    made.store().path.rename(first.store().path)
    return first.path


def queries(client: Client, address: str) -> int:
    with CaptureQueriesContext(connection) as asked:
        response = client.get(address)
    assert response.status_code == 200, address
    return len(asked)


def test_pages_ask_the_same_of_a_hub_of_any_size(hub, client_for):
    found: dict[str, Any] = {}
    for person in (make_user(), User.objects.get(username=BUSY)):
        client = client_for(person)
        for path in PAGES:
            address = path.format(model=hub)
            client.get(address)  # what is kept between requests is made now
            found.setdefault(path, []).append(queries(client, address))
    assert {path: max(counts) for path, counts in found.items() if max(counts) > PAGES[path]} == {}
