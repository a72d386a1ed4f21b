"""What operators rely on: health, numbers, the audit trail, integrity, tidying."""

from __future__ import annotations

import json
import time
import uuid
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.db import DatabaseError, connection, transaction
from django.test import Client, RequestFactory

from hub.actions import audit, large_files
from hub.errors import EntryNotFoundError
from hub.extensions import Finding, registries
from hub.jobs import tidy
from hub.jobs.refresh import refresh_stale
from hub.models import AuditEntry, Repository
from tests.factories import actor, commit_files, make_repository, make_user
from tests.hub.wire import stored

pytestmark = pytest.mark.django_db
PARTS = {"database", "broker", "cache", "object_store", "git", "disk"}


class TestHealth:
    def test_alive(self, client):
        assert client.get("/healthz").status_code == 200

    def test_ready_names_each_part(self, client):
        response = client.get("/readyz")
        assert response.status_code == 200
        assert response.json() == {"ready": True, "parts": dict.fromkeys(PARTS, "ok")}

    def test_a_part_that_fails_is_named_and_says_nothing_of_the_inside(self, client, settings):
        settings.FREE_DISK_RESERVE_BYTES = 2**62
        settings.CACHES = {
            "default": {
                "BACKEND": "django.core.cache.backends.redis.RedisCache",
                "LOCATION": "redis://127.0.0.1:1/0",
            }
        }
        response = client.get("/readyz")
        assert response.status_code == 503
        parts = response.json()["parts"]
        assert parts["cache"] == "unavailable" and parts["database"] == "ok"
        assert b"127.0.0.1" not in response.content

    def test_numbers_name_nobody(self, client):
        repository = make_repository(visibility="private")
        text = client.get("/metrics").content.decode()
        assert 'hub_repositories{kind="model",visibility="private"} 1.0' in text
        assert repository.name not in text

    def test_the_schema_lists_every_operation_with_its_refusals(self, client):
        document = json.loads(client.get("/api/schema").content)
        operation = document["paths"]["/api/{kind}/{namespace}/{name}/commit/{revision}"]["post"]
        assert operation["responses"]["4XX"] == {"$ref": "#/components/responses/Refusal"}
        refusal = document["components"]["responses"]["Refusal"]
        assert {"X-Error-Code", "X-Error-Message"} == set(refusal["headers"])

    @pytest.mark.parametrize("path", ["/api", "/api/", "/api/nope", "/api/a/b/c/d/e/f"])
    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_an_unknown_address_of_the_api_is_a_json_404(self, path, method):
        # With the checks of a browser's form, which a client of the API knows nothing of.
        response = Client(enforce_csrf_checks=True).generic(method, path)
        assert response.status_code == 404
        assert response.json()["error"]

    def test_head_is_answered_by_headers_alone(self, client):
        # Past the test client, which drops bodies itself as a web server does.
        request = RequestFactory().head("/api/nope")
        response = get_wsgi_application().get_response(request)
        assert response.status_code == 404
        assert response.content == b""
        assert response["X-Error-Code"] == "NotFound"
        assert int(response["Content-Length"]) > 0

    def test_a_client_finds_its_own_request_id_again(self, client):
        response = client.get("/healthz", headers={"x-amzn-trace-id": "trace-1"})
        assert "trace-1" in response["X-Request-Id"]


class TestAudit:
    def test_rows_cannot_be_changed_or_removed(self):
        audit.record(actor(make_user("ada")), "test", "a thing", old="1", new="2")
        row = AuditEntry.objects.get()
        for change in (
            lambda: AuditEntry.objects.filter(pk=row.pk).update(actor_name="nobody"),
            lambda: AuditEntry.objects.filter(pk=row.pk).delete(),
        ):
            with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
                change()
        with (
            pytest.raises(DatabaseError, match="append-only"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute("DELETE FROM hub_auditentry")
        assert AuditEntry.objects.get().actor_name == "ada"


def findings(*arguments: str) -> list[dict[str, Any]]:
    out = StringIO()
    try:
        call_command("check_integrity", "--json", *arguments, stdout=out)
        status = 0
    except SystemExit as error:
        status = int(error.code or 0)
    report = json.loads(out.getvalue())
    assert (status == 0) is report["ok"] is (not report["findings"])
    found: list[dict[str, Any]] = report["findings"]
    return found


class TestIntegrity:
    @pytest.fixture
    def repository(self) -> Repository:
        repository = make_repository()
        # Of its own: these tests break the file, and files outlive a test's rows.
        content = uuid.uuid4().hex.encode()
        sha256 = stored(repository, content).sha256
        text = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize 32\n"
        commit_files(repository, {"w.bin": text.encode()})
        refresh_stale()
        repository.refresh_from_db()
        return repository

    def test_a_sound_hub_has_no_findings(self, repository):
        assert findings("--deep") == []

    def test_a_row_behind_git_is_found_and_mended(self, repository):
        commit_files(repository, {"a.txt": b"a"})
        assert [one["check"] for one in findings()] == ["head"]
        assert refresh_stale() == 1
        assert findings() == []

    def test_a_missing_file(self, repository):
        repository.blobs().delete(repository.object_links.get().stored_object.sha256)
        assert [one["problem"] for one in findings()] == ["the row has no file"]

    def test_changed_bytes_need_a_deep_look(self, repository):
        path = repository.blobs().path(repository.object_links.get().stored_object.sha256)
        path.chmod(0o644)
        path.write_bytes(b"x" * 32)
        assert findings() == []
        assert [one["problem"] for one in findings("--deep")] == [
            "the bytes hash to something else"
        ]
        path.write_bytes(b"more than before")
        assert "bytes, the row says 32" in findings()[0]["problem"]

    def test_a_pointer_without_a_link(self, repository):
        repository.object_links.all().delete()
        assert {one["check"] for one in findings()} == {"pointer"}

    def test_a_repository_without_its_folder(self, repository):
        path = repository.store().path
        path.rename(path.with_suffix(".away"))
        assert "repository" in {one["check"] for one in findings()}
        path.with_suffix(".away").rename(path)

    def test_features_add_their_own_checks(self, repository, monkeypatch):
        def check(row: Repository, deep: bool) -> list[Finding]:
            return [Finding("merge", row.repo_id, "not in main")]

        monkeypatch.setattr(registries, "integrity_checks", [check])
        assert findings()[-1]["problem"] == "not in main"


class TestTidying:
    def test_a_folder_without_a_row_goes_once_it_is_old(self, settings, monkeypatch):
        repository = make_repository()
        stray = settings.REPOSITORIES_DIR / "999999999.git"
        stray.mkdir()
        (stray / "HEAD").write_text("x")
        assert tidy.remove_stray_folders() == 0 and stray.exists()
        time.sleep(0.05)
        assert stray in set(tidy.stray_folders(timedelta(milliseconds=10)))
        assert repository.store().path not in set(tidy.stray_folders(timedelta(0)))
        monkeypatch.setattr(tidy, "KEEP", timedelta(milliseconds=10))
        assert tidy.remove_stray_folders() >= 1
        assert not stray.exists() and repository.store().path.exists()


class TestLargeFiles:
    def test_a_copy_needs_a_link_at_its_source(self):
        source, target = make_repository(visibility="private"), make_repository()
        sha256 = stored(source, b"weights").sha256
        assert large_files.copy_link(source, target, sha256).scope == "public"
        with target.blobs().open(sha256) as file:
            assert file.read() == b"weights"
        other = make_repository()
        with pytest.raises(EntryNotFoundError):
            large_files.copy_link(other, target, "c" * 64)
