"""The whole API held against its own description, by requests that nobody thought of."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.test import Client
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from hub.config.wsgi import application
from hub.models import Access, TokenScope
from tests.factories import make_member, make_organization, make_repository, make_token
from tests.reviews.factories import make_pull_request

schema = schemathesis.openapi.from_wsgi("/api/schema", application)
HELD = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
KNOWN = {
    "kind": "models",
    "namespace": "fuzz",
    "name": "target",
    "slug": "fuzz",
    "revision": "main",
    "branch": "other",
    "path": "README.md",
    "number": 1,
}


_turn = count()


@schemathesis.serializer("application/x-ndjson")
def _as_lines(context: Any, value: Any) -> bytes:
    """A body of lines: what was thought of, after a header that is as it should be."""
    header = {"key": "header", "value": {"summary": "Fuzz", "description": ""}}
    return b"\n".join([json.dumps(header).encode(), str(value).encode("utf-8", "replace")])


@pytest.fixture
def token(db: None) -> Iterator[str]:
    """Of a maintainer of the one repository there is, which holds a pull request."""
    namespace = make_organization("fuzz")
    person = make_member(namespace, access=Access.ADMIN, username="fuzzer")
    repository = make_repository(namespace, name="target", files={"a/b.txt": b"b"})
    make_pull_request(repository, author=person)
    secret = make_token(person, scope=TokenScope.ADMIN)
    # As Django's own test client does: the end of a request must not end the test's transaction.
    request_finished.disconnect(close_old_connections)
    request_started.disconnect(close_old_connections)
    yield secret
    request_finished.connect(close_old_connections)
    request_started.connect(close_old_connections)


def aimed(case: Any) -> None:
    """Point three requests of four at what is there: most random names only ever read 404."""
    parameters = case.path_parameters or {}
    if next(_turn) % 4:
        parameters.update({name: value for name, value in KNOWN.items() if name in parameters})


# One test an operation, by a name of its own: pytest-xdist runs tests of one name once.
@pytest.mark.parametrize(
    "operation",
    [pytest.param(found.ok(), id=found.ok().label) for found in schema.get_all_operations()],
)
def test_answers_as_it_says(operation: Any, token: str) -> None:
    @given(case=operation.as_strategy())
    @settings(
        max_examples=10,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def holds(case: Any) -> None:
        aimed(case)
        headers = {"Authorization": f"Bearer {token}"} if next(_turn) % 5 else {}
        case.call_and_validate(headers=headers, checks=HELD)

    holds()


def test_every_operation_stands_on_a_page_for_people(client: Client) -> None:
    addresses = client.get("/api/schema").json()["paths"]
    index = client.get("/-/docs/api").content.decode()
    for path in addresses:
        assert f'<code class="muted">{path}</code>' in index
    for slug in set(re.findall(r"/-/docs/api/([\w-]+)", index)):
        page = client.get(f"/-/docs/api/{slug}", headers={"accept": "text/html"})
        assert page.status_code == 200
        assert len(page.content) < 100_000


def test_the_description_names_no_operation_without_a_summary(client: Client) -> None:
    for path, methods in client.get("/api/schema").json()["paths"].items():
        for method, facts in methods.items():
            assert facts.get("summary"), f"{method} {path}"


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ({"deletions": {"\0": {}}}, "application/json"),
        ({"tag": "v\0"}, "application/json"),
        ("paths=a%00b", "application/x-www-form-urlencoded"),
    ],
)
def test_a_nul_in_a_body_is_refused_before_it_reaches_the_database(
    client: Client, token: str, body: Any, content_type: str
) -> None:
    routes = {"tag": "tag/main", "deletions": "lfs-files/batch"}
    route = routes.get(next(iter(body)), "paths-info/main")
    response = client.post(
        f"/api/models/fuzz/target/{route}",
        body,
        content_type=content_type,
        headers={"authorization": f"Bearer {token}"},
    )
    assert response.status_code == 400
    assert "NUL" in response.headers["X-Error-Message"]
