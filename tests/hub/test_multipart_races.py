"""An upload that is given up while something of it is in flight: neither order leaves a thing."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable

import pytest
from django.db import connection, transaction
from django.test import Client

from hub.actions import multipart, repositories
from hub.blobstore import BlobStore
from hub.jobs import tidy
from hub.models import (
    Access,
    MultipartUpload,
    ObjectLink,
    Repository,
    StoredObject,
    UploadedPart,
    Visibility,
)
from tests.factories import actor, make_member, make_repository
from tests.hub.test_multipart import FILE, PART, Sender
from tests.hub.transfers import no_blobs_in, put
from tests.races import PATIENCE_SECONDS, at_once

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _small(settings):
    settings.MULTIPART_ABOVE_BYTES, settings.MULTIPART_PART_BYTES = 1500, PART


@pytest.fixture
def repository() -> Repository:
    return make_repository(visibility=Visibility.PRIVATE)


@pytest.fixture
def sender(repository, api_for) -> Sender:
    return Sender(api_for(make_member(repository.namespace, access=Access.WRITE)), repository)


def give_up(sender: Sender) -> int:
    return Client().delete(sender.finish_href).status_code


def is_clean(repository: Repository) -> bool:
    """Whether nothing of any upload lies on the disk or in a table."""
    folder = repository.blobs().root / "parts"
    rows = MultipartUpload, UploadedPart, ObjectLink, StoredObject
    return (
        not any(folder.iterdir())
        and no_blobs_in(repository)
        and not any(kind.objects.exists() for kind in rows)
    )


class During(io.BytesIO):
    """A body in the middle of whose way something happens."""

    def __init__(self, content: bytes, act: Callable[[], object]) -> None:
        super().__init__(content)
        self._act = act

    def read(self, size: int | None = -1, /) -> bytes:
        half = super().read(PART // 2)
        if self.tell() == PART // 2:
            self._act()
        return half


def test_a_part_that_is_on_its_way_when_its_upload_is_given_up(repository, sender):
    sender.send(1)
    answers = []
    body = During(sender.content(2), lambda: answers.append(give_up(sender)))
    late = put(sender.hrefs[1], sender.content(2), **{"wsgi.input": body})
    assert (answers, late.status_code) == ([204], 404)
    assert is_clean(repository)


def test_a_part_that_comes_when_its_upload_was_just_given_up(repository, sender):
    """Its right was looked at before, and it makes the file anew."""
    upload = MultipartUpload.objects.get()
    multipart.give_up(MultipartUpload.objects.get())
    with pytest.raises(multipart.EntryNotFoundError):
        multipart.store_part(upload, 1, io.BytesIO(sender.content(1)))
    assert is_clean(repository)


@pytest.mark.parametrize("end", ["give up", "tidy", "repository"])
def test_what_ends_an_upload_waits_for_a_part_that_is_just_noted(repository, sender, settings, end):
    """Else the part would be noted of an upload that is gone."""
    upload = MultipartUpload.objects.get()
    owner = actor(make_member(repository.namespace, access=Access.ADMIN))
    ends: dict[str, Callable[[], object]] = {
        "give up": lambda: multipart.give_up(MultipartUpload.objects.get()),
        "tidy": tidy.end_abandoned_uploads,
        "repository": lambda: repositories.delete_repository(repository, owner),
    }
    failed: list[Exception] = []

    def act() -> None:
        try:
            ends[end]()
        except Exception as error:
            failed.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=act)
    with transaction.atomic():
        multipart.store_part(upload, 1, io.BytesIO(sender.content(1)))
        if end == "tidy":
            settings.MULTIPART_LIFETIME *= -1
        thread.start()
        _wait_for_waiting()
    thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive() and failed == []
    assert not MultipartUpload.objects.exists() and not UploadedPart.objects.exists()


def _wait_for_waiting() -> None:
    """Until another session waits for a lock that this one holds."""
    ends_at = time.monotonic() + PATIENCE_SECONDS
    with connection.cursor() as cursor:
        while time.monotonic() < ends_at:
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity "
                "WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            if cursor.fetchone()[0]:
                return
            time.sleep(0.02)
    raise AssertionError("nobody waits")


def test_parts_and_their_end_at_once(repository, sender):
    answers = at_once(
        *[lambda n=n: sender.send(n).status_code for n in (1, 2, 3, 1, 2, 3)],
        lambda: give_up(sender),
    )
    assert answers[-1] == 204 and set(answers[:-1]) <= {200, 404, 503}
    assert is_clean(repository)


def test_an_upload_that_is_given_up_before_it_is_put_together(repository, sender, monkeypatch):
    etags = sender.send_all()
    adopt = BlobStore.adopt

    def late(store: BlobStore, *args: object, **more: object) -> object:
        assert give_up(sender) == 204
        return adopt(store, *args, **more)

    monkeypatch.setattr(BlobStore, "adopt", late)
    assert sender.finish(etags).status_code == 404
    assert is_clean(repository)


def test_an_upload_that_is_given_up_while_it_is_put_together_is_there_or_gone(repository, sender):
    etags = sender.send_all()
    finished, given_up = at_once(lambda: sender.finish(etags).status_code, lambda: give_up(sender))
    assert given_up == 204
    if finished == 200:
        assert ObjectLink.objects.get().stored_object.sha256 == FILE.sha256
        assert repository.blobs().stat(FILE.sha256).size_bytes == len(FILE.content)
        assert not MultipartUpload.objects.exists()
        assert not any((repository.blobs().root / "parts").iterdir())
    else:
        assert finished in {400, 404, 503}
        assert is_clean(repository)
