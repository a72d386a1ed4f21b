"""Large bodies behind the proxy: decided before they are read, taken from the spool."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from hub.models import Access, ObjectLink, Repository, Visibility
from tests.factories import make_member, make_repository
from tests.hub.transfers import CHUNKS, Cas, LargeFile, changed, href_to, local, put, xorb_name
from tests.hub.wire import body_of

pytestmark = pytest.mark.django_db
WEIGHTS = LargeFile(b"weights" * 5000)


@pytest.fixture
def repository() -> Repository:
    return make_repository(visibility=Visibility.PRIVATE)


@pytest.fixture
def writer(repository):
    return make_member(repository.namespace, access=Access.WRITE)


@pytest.fixture
def client(writer, api_for) -> Client:
    return api_for(writer)


@pytest.fixture
def spool(settings) -> Path:
    """As behind nginx: bodies are files in the spool."""
    settings.FRONT = "nginx"
    settings.SPOOL_DIR.mkdir(parents=True, exist_ok=True)
    return settings.SPOOL_DIR


def ask(href: str, *, length: int | None = None, method: str = "PUT", **headers: str) -> Any:
    """What the proxy asks before it reads an upload."""
    asked = {"x-original-uri": href, "x-original-method": method} | headers
    if length is not None:
        asked["x-original-length"] = str(length)
    return Client().get("/-/internal/authorize-upload", headers=asked)


def test_a_spooled_file_is_taken_over(client, repository, spool):
    href = href_to(client, repository, "upload", WEIGHTS)
    spooled = spool / "0000000001"
    spooled.write_bytes(WEIGHTS.content)
    assert put(href, b"", HTTP_X_BODY_FILE=str(spooled)).status_code == 200
    assert spooled.stat().st_ino == repository.blobs().path(WEIGHTS.sha256).stat().st_ino
    fetched = Client().get(href_to(client, repository, "download", WEIGHTS))
    place = repository.blobs().internal_path(WEIGHTS.sha256)
    assert fetched["X-Accel-Redirect"] == f"/-/internal/objects/{place}"


def test_only_files_of_the_spool_are_taken(client, repository, spool, tmp_path):
    href = href_to(client, repository, "upload", WEIGHTS)
    outside = tmp_path / "secret"
    outside.write_bytes(WEIGHTS.content)
    link = spool / "link"
    link.unlink(missing_ok=True)
    link.symlink_to(outside)
    for path in (outside, link, spool / "../secret_key", spool, spool / "none"):
        response = put(href, b"", HTTP_X_BODY_FILE=str(path))
        assert response.status_code == 400, path
    assert not ObjectLink.objects.exists()


def test_without_a_proxy_nobody_names_a_body_file(client, repository, settings, tmp_path):
    settings.FRONT = "none"
    outside = tmp_path / "secret"
    outside.write_bytes(WEIGHTS.content)
    href = href_to(client, repository, "upload", WEIGHTS)
    assert put(href, b"", HTTP_X_BODY_FILE=str(outside)).status_code == 400
    assert ask(href, length=1).status_code == 404


def test_a_body_in_chunks_is_read_to_its_end(client, repository, settings):
    settings.FRONT = "none"
    href = href_to(client, repository, "upload", WEIGHTS)
    chunked = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}
    chunked |= {"wsgi.input": io.BytesIO(WEIGHTS.content), "CONTENT_LENGTH": ""}
    assert put(href, b"", **chunked).status_code == 200
    assert body_of(Client().get(href_to(client, repository, "download", WEIGHTS)))


def test_the_proxy_hears_what_the_view_would_say(client, repository, writer, spool, settings):
    length = len(WEIGHTS.content)
    href = href_to(client, repository, "upload", WEIGHTS)
    assert ask(href, length=length).status_code == 204
    assert ask(href).status_code == 204  # in chunks
    assert ask(changed(href, size="1"), length=1).status_code == 401
    assert ask(href, length=length + 1).status_code == 400
    assert ask(href, length=length, method="DELETE").status_code == 405
    assert ask("/-/lfs/x", length=1).status_code == 401
    assert ask(f"/{repository.path}", length=1).status_code == 404
    assert ask("/-/nothing", length=1).status_code == 404
    assert ask(href, length=length, **{"x-upload-refused": "1"}).status_code == 503
    writer.memberships.update(access=Access.NONE)
    refused = ask(href, length=length)
    assert (refused.status_code, refused["X-Error-Code"]) == (401, "RepoNotFound")


def test_room_and_size_are_looked_at_before_the_body(client, repository, spool, settings):
    settings.LARGE_FILE_LIMIT_BYTES = 1 << 51
    href = href_to(client, repository, "upload", WEIGHTS)
    vast = _vast(client, repository, 1 << 50)
    refused = ask(vast, length=1 << 50)
    assert (refused.status_code, refused["X-Error-Code"]) == (507, "StorageFull")
    assert "disk is full" in refused.json()["error"]
    settings.LARGE_FILE_LIMIT_BYTES = 10
    assert ask(href, length=len(WEIGHTS.content)).status_code == 413


def _vast(client: Client, repository: Repository, size: int) -> str:
    body = {"operation": "upload", "objects": [{"oid": "cd" * 32, "size": size}]}
    path = f"/{repository.path}/info/lfs/objects/batch"
    (answer,) = client.post(path, body, content_type="application/json").json()["objects"]
    return local(answer["actions"]["upload"]["href"])


def test_a_xorb_is_asked_about_with_the_token_that_sends_it(client, repository, spool):
    cas = Cas.of(client, repository)
    href = f"{cas.base}/v1/xorbs/default/{xorb_name(CHUNKS)}"
    token = {"authorization": f"Bearer {cas.token}"}
    assert ask(href, length=100, method="POST", **token).status_code == 204
    assert ask(href, length=100, method="POST").status_code == 401
    assert ask(href, length=81 << 20, method="POST", **token).status_code == 413
    assert ask(href, method="POST", **token).status_code == 400
