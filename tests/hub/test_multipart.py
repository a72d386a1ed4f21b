"""Large files in parts: what is taken, what is refused, what survives (threats D1 to D4)."""

from __future__ import annotations

import json
import math
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from hub.actions import large_files, multipart
from hub.blobstore import BlobStore
from hub.jobs import tidy
from hub.models import (
    Access,
    AccessToken,
    MultipartUpload,
    ObjectLink,
    Repository,
    Visibility,
)
from tests.factories import make_member, make_repository, make_user
from tests.hub.transfers import LFS_JSON, LargeFile, changed, local, no_blobs_in, put

pytestmark = pytest.mark.django_db
FILE = LargeFile(bytes(range(256)) * 10)  # three parts: 1000, 1000, 560 bytes
PART = 1000


@pytest.fixture(autouse=True)
def _small(settings):
    settings.MULTIPART_ABOVE_BYTES, settings.MULTIPART_PART_BYTES = 1500, PART


@pytest.fixture
def repository() -> Repository:
    return make_repository(visibility=Visibility.PRIVATE)


@pytest.fixture
def writer(repository):
    return make_member(repository.namespace, access=Access.WRITE)


@pytest.fixture
def client(writer, api_for) -> Client:
    return api_for(writer)


def batch(client, repository, *files: LargeFile, offers=("basic", "multipart")) -> dict[str, Any]:
    asked = [one.asked() for one in files]
    body = {"operation": "upload", "transfers": list(offers), "objects": asked}
    path = f"/{repository.path}.git/info/lfs/objects/batch"
    return client.post(path, json.dumps(body), content_type=LFS_JSON).json()


class Sender:
    """What a client makes of a batch's answer."""

    def __init__(self, client: Client, repository: Repository, file: LargeFile = FILE) -> None:
        self.file = file
        (answer,) = batch(client, repository, file)["objects"]
        self.actions = answer["actions"]
        header = dict(self.actions["upload"]["header"])
        self.part_bytes = int(header.pop("chunk_size"))
        self.hrefs = [local(href) for href in header.values()]
        self.finish_href = local(self.actions["upload"]["href"])

    def content(self, number: int) -> bytes:
        start = (number - 1) * self.part_bytes
        return self.file.content[start : start + self.part_bytes]

    def send(self, number: int, content: bytes | None = None) -> Any:
        sent = self.content(number) if content is None else content
        return put(self.hrefs[number - 1], sent)

    def send_all(self) -> dict[int, str]:
        return {number: self.send(number)["ETag"] for number in range(1, len(self.hrefs) + 1)}

    def finish(self, etags: dict[int, str], oid: str = "") -> Any:
        parts = [{"partNumber": number, "etag": etag} for number, etag in etags.items()]
        body = {"oid": oid or self.file.sha256, "parts": parts}
        return Client().post(self.finish_href, json.dumps(body), content_type=LFS_JSON)


@pytest.fixture
def sender(client, repository) -> Sender:
    return Sender(client, repository)


def test_parts_are_sent_finished_and_verified(client, repository, sender):
    assert sender.part_bytes == PART
    assert len(sender.hrefs) == math.ceil(len(FILE.content) / PART)
    assert sender.finish(sender.send_all()).status_code == 200
    verify = sender.actions["verify"]["href"]
    assert Client().post(verify, FILE.asked(), content_type=LFS_JSON).status_code == 200
    with repository.blobs().open(FILE.sha256) as stored:
        assert stored.read() == FILE.content
    assert repository.blobs().path(FILE.sha256).stat().st_nlink == 1
    assert "actions" not in batch(client, repository, FILE)["objects"][0]
    assert not MultipartUpload.objects.exists()


def test_only_who_offers_it_and_has_a_large_file_sends_parts(client, repository):
    small = LargeFile(b"small")
    for files, offers in (
        ((FILE,), ["basic"]),
        ((small,), ["basic", "multipart"]),
        ((FILE,), "multipart"),
    ):
        body = {"operation": "upload", "transfers": offers, "objects": [f.asked() for f in files]}
        path = f"/{repository.path}.git/info/lfs/objects/batch"
        answer = client.post(path, json.dumps(body), content_type=LFS_JSON).json()
        assert answer["transfer"] == "basic"
        assert "header" not in answer["objects"][0]["actions"]["upload"]
    both = batch(client, repository, small, FILE)
    assert both["transfer"] == "multipart"  # git-lfs sends a whole batch one way
    counts = [len(one["actions"]["upload"]["header"]) - 1 for one in both["objects"]]
    assert counts == [1, 3]


def test_addresses_of_parts_ascend_in_the_answer(client, repository, settings):
    settings.MULTIPART_PART_BYTES = 100
    (answer,) = batch(client, repository, FILE)["objects"]
    digits = [key for key in answer["actions"]["upload"]["header"] if key.isdigit()]
    assert digits == sorted(digits)
    assert [int(key) for key in digits] == list(range(1, 27))


def test_parts_may_come_in_any_order_and_more_than_once(sender, repository):
    etags = {}
    for number in (3, 1, 2, 1, 3):
        etags[number] = sender.send(number)["ETag"]
    assert sender.finish(etags).status_code == 200
    assert large_files.require_link(repository, FILE.sha256)


def test_finishing_again_after_a_lost_answer_is_fine(sender):
    etags = sender.send_all()
    assert sender.finish(etags).status_code == 200
    assert sender.finish(etags).status_code == 200
    assert sender.send(1).status_code == 404  # and no late part reaches the file


def test_what_is_missing_or_changed_is_named(sender, repository):
    etags = {number: sender.send(number)["ETag"] for number in (1, 3)}
    refused = sender.finish(etags)
    assert (refused.status_code, "Part 2 is missing" in refused.json()["message"]) == (400, True)
    etags[2] = sender.send(2)["ETag"]
    wrong = {**etags, 2: etags[1]}
    assert "Part 2 was sent again" in sender.finish(wrong).json()["message"]
    assert sender.finish({**etags, 4: etags[1]}).status_code == 400
    assert no_blobs_in(repository)
    assert sender.finish(etags).status_code == 200


def test_parts_of_another_file_are_dropped(client, repository, sender):
    etags = sender.send_all()
    etags[2] = sender.send(2, b"x" * PART)["ETag"]
    refused = sender.finish(etags)
    assert (refused.status_code, "sha256" in refused.json()["message"]) == (400, True)
    assert no_blobs_in(repository)
    assert not any((repository.blobs().root / "parts").iterdir())
    assert sender.finish(etags).status_code == 404
    again = Sender(client, repository)
    assert again.finish(again.send_all()).status_code == 200


@pytest.mark.parametrize("length", [0, PART - 1, PART + 1])
def test_a_part_has_its_length(sender, length):
    assert sender.send(1, b"x" * length).status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"oid": "ab" * 32, "parts": []},
        {"oid": FILE.sha256, "parts": {}},
        {"oid": FILE.sha256, "parts": [1]},
        {"oid": FILE.sha256, "parts": [{"partNumber": "1", "etag": "x"}]},
        {"oid": FILE.sha256, "parts": [{"partNumber": 1, "etag": 1}]},
        {"oid": FILE.sha256, "parts": [{"partNumber": 1, "etag": e} for e in "ab"]},
    ],
)
def test_a_malformed_end_is_refused(sender, body):
    answer = Client().post(sender.finish_href, json.dumps(body), content_type=LFS_JSON)
    assert 400 <= answer.status_code < 500


def test_an_address_is_for_one_part_of_one_upload(client, repository, sender, writer):
    first, second = sender.hrefs[:2]
    number = first.replace("/parts/1?", "/parts/2?")
    other = make_repository(repository.namespace, visibility=Visibility.PRIVATE)
    foreign = Sender(client, other)
    for wrong in (
        number,
        changed(first, size="1000"),
        changed(first, upload=str(MultipartUpload.objects.get(repository=other).pk)),
        first.replace(FILE.sha256, "ab" * 32),
        first.replace("/parts/1?", "/finish?"),
    ):
        assert put(wrong, b"x" * PART).status_code in {401, 405}
    assert put(changed(first, grant=second.partition("grant=")[2]), b"x" * PART).status_code == 401
    sender.send_all()
    assert foreign.finish(sender.send_all()).status_code == 400
    assert not ObjectLink.objects.exists()


def test_an_address_ends_with_its_token_and_its_persons_rights(client, repository, writer, sender):
    writer.memberships.filter(namespace=repository.namespace).update(access=Access.NONE)
    assert sender.send(1)["X-Error-Code"] == "RepoNotFound"
    writer.memberships.filter(namespace=repository.namespace).update(access=Access.WRITE)
    AccessToken.objects.filter(user=writer).update(revoked_at=timezone.now())
    assert sender.send(1).status_code == 401
    assert sender.finish({}).status_code == 401


def test_somebody_elses_upload_of_the_same_file_is_another_one(repository, api_for, sender):
    """D2: their wrong parts spoil nothing, their right ones help nobody."""
    other = api_for(make_member(repository.namespace, access=Access.WRITE))
    theirs = Sender(other, repository)
    etags = sender.send_all()
    theirs.send(1, b"x" * PART)
    assert theirs.finish(etags).status_code == 400
    assert sender.finish(etags).status_code == 200


def test_a_stranger_gets_no_addresses(repository, api_for):
    assert "objects" not in batch(api_for(make_user()), repository, FILE)
    assert not MultipartUpload.objects.exists()


def test_unfinished_uploads_are_limited_and_tidied(client, repository, settings, sender):
    settings.MULTIPART_UPLOADS_LIMIT = 1
    other = LargeFile(b"y" * 2000)
    (refused,) = batch(client, repository, other)["objects"]
    assert refused["error"]["code"] == 429
    sender.send(1)
    old = timezone.now() - timedelta(days=2)
    settings.MULTIPART_LIFETIME = timedelta()
    MultipartUpload.objects.update(touched_at=old)
    assert tidy.end_abandoned_uploads() == 1
    assert not any((repository.blobs().root / "parts").iterdir())
    settings.MULTIPART_LIFETIME = timedelta(hours=1)
    assert "actions" in batch(client, repository, other)["objects"][0]


def test_asking_again_goes_on_with_the_same_upload(client, repository, sender):
    etags = {1: sender.send(1)["ETag"]}
    again = Sender(client, repository)
    etags |= {number: again.send(number)["ETag"] for number in (2, 3)}
    assert again.finish(etags).status_code == 200


def test_a_death_before_the_link_is_made_up_for(sender, repository, monkeypatch):
    etags = sender.send_all()

    def die(*_args, **_more):
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(large_files, "link", die)
        with pytest.raises(SystemExit):
            sender.finish(etags)
    # The bytes are a blob already: no part may change them any more.
    assert repository.blobs().stat(FILE.sha256)
    assert sender.send(2, b"x" * PART).status_code == 503
    assert sender.finish(etags).status_code == 200
    with BlobStore(repository.blobs().root).open(FILE.sha256) as stored:
        assert stored.read() == FILE.content


def test_an_upload_does_not_follow_its_repository_to_another_store(client, repository, sender):
    sender.send(1)
    Repository.objects.filter(pk=repository.pk).update(visibility=Visibility.PUBLIC)
    assert sender.send(2).status_code == 503
    again = Sender(client, repository)
    assert again.finish(again.send_all()).status_code == 200


def test_a_file_has_at_most_a_thousand_parts(settings):
    settings.MULTIPART_PART_BYTES = 1024**2
    size_bytes = 50 * 1024**3
    assert math.ceil(size_bytes / multipart.part_bytes_for(size_bytes)) <= multipart.PARTS_LIMIT
