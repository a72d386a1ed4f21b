"""The upload page: files by a plain form, and what its script stands on."""

from __future__ import annotations

import hashlib
import json
import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from hub.models import Access, BranchProtection, MultipartUpload, ObjectLink, UploadedPart
from tests.factories import commit_files, make_member, make_repository, make_user
from tests.hub.transfers import LFS_JSON, LargeFile, local, put

pytestmark = pytest.mark.django_db
FILE = LargeFile(bytes(range(256)) * 10)


@pytest.fixture
def repository():
    return make_repository()


@pytest.fixture
def writer(repository):
    return make_member(repository.namespace, access=Access.WRITE)


@pytest.fixture
def client(writer, client_for):
    return client_for(writer)


def send(client, repository, *files, way="branch", folder="data", replace=()):
    sent = [SimpleUploadedFile(name, content) for name, content in files]
    fields = {"way": way, "do": "save", "files": sent, "replace": list(replace)}
    return client.post(f"/{repository.path}/upload/main/{folder}", fields)


def entry(repository, path):
    store = repository.store()
    return store.entry(store.resolve("main"), path)


def test_small_files_go_into_git_and_weights_beside_it(client, repository):
    weights = b"w" * 100
    answer = send(client, repository, ("a.txt", b"hello"), ("b.safetensors", weights),
                  ("c.txt", b"bin\0ary"))  # fmt: skip
    assert (answer.status_code, answer.url) == (302, f"/{repository.path}/tree/main/data")
    assert entry(repository, "data/a.txt").lfs is None
    assert entry(repository, "data/c.txt").lfs is not None
    assert entry(repository, "data/b.safetensors").lfs.sha256 == hashlib.sha256(weights).hexdigest()
    with repository.blobs().open(hashlib.sha256(weights).hexdigest()) as stored:
        assert stored.read() == weights
    head = repository.store().resolve("main")
    assert send(client, repository, ("a.txt", b"hello")).status_code == 302
    assert repository.store().resolve("main") == head  # nothing changed


def test_files_are_replaced_only_once_their_names_are_ticked(client, repository):
    before = {"data/a.txt": b"old", "data/b.safetensors": b"old weights"}
    files = [("a.txt", b"new"), ("b.safetensors", b"weights"), ("c.txt", b"more")]
    assert send(client, repository, *[(path[5:], old) for path, old in before.items()]).url
    head = repository.store().resolve("main")
    ticked = 'name="replace" value="data/{}"'
    for replace in ((), ["data/a.txt"], ["data/c.txt"]):
        answer = send(client, repository, *files, replace=replace)
        assert answer.status_code == 422
        assert ticked.format("a.txt") in answer.text
        assert ticked.format("b.safetensors") in answer.text
        assert ticked.format("c.txt") not in answer.text
    assert repository.store().resolve("main") == head
    # The same content replaces nothing, and a proposal asks too.
    assert send(client, repository, ("a.txt", b"old")).status_code == 302
    assert send(client, repository, *files, way="propose").status_code == 422
    assert send(client, repository, *files, replace=before).status_code == 302
    assert entry(repository, "data/a.txt").size == 3
    assert entry(repository, "data/b.safetensors").size == 7


def test_what_is_refused_changes_nothing(client, client_for, repository):
    head = repository.store().resolve("main")
    assert send(client, repository).status_code == 422
    assert send(client, repository, *[(f"{n}.txt", b"x") for n in range(51)]).status_code == 422
    commit_files(repository, {"file": b"x"})
    assert send(client, repository, ("a", b"x"), folder="file").status_code == 422
    BranchProtection.objects.create(repository=repository, branch="main")
    assert send(client, repository, ("a", b"x")).status_code == 422
    assert send(client, repository, ("a", b"x"), way="propose").status_code == 302
    assert send(client_for(make_user()), repository, ("a", b"x")).status_code == 422
    store = repository.store()
    assert store.resolve("main") != head
    assert store.paths(store.resolve("main")) == [".gitattributes", "README.md", "file"]


def batch(client, repository, csrf="", **more):
    body = {"operation": "upload", "transfers": ["multipart"], "objects": [FILE.asked()]}
    headers = {"X-CSRFToken": csrf} if csrf else {}
    path = f"/{repository.path}.git/info/lfs/objects/batch"
    return client.post(path, json.dumps(body | more), content_type=LFS_JSON, headers=headers)


def test_a_session_asks_with_the_token_of_its_page_only(writer, repository):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(writer)
    page = strict.get(f"/{repository.path}/upload/main").text
    token = re.search(r'name="csrf-token" content="(\w+)"', page)[1]
    assert batch(strict, repository).status_code == 403
    assert batch(strict, repository, token).status_code == 200
    lines = [
        {"key": "header", "value": {"summary": "By session"}},
        {"key": "file", "value": {"path": "a.txt", "content": "aGk=", "encoding": "base64"}},
    ]
    body = "\n".join(map(json.dumps, lines))

    def commit(**headers):
        path = f"/api/models/{repository.repo_id}/commit/main"
        return strict.post(path, body, content_type="application/x-ndjson", headers=headers)

    assert commit().status_code == 403
    assert commit(**{"X-CSRFToken": token}).json()["success"]
    assert entry(repository, "a.txt").size == 2


def test_an_upload_goes_on_where_it_broke_off(client, repository, settings):
    settings.SMALL_PART_BYTES = 1000
    (first,) = batch(client, repository).json()["objects"]
    header = first["actions"]["upload"]["header"]
    assert header.pop("chunk_size") == "1000"
    hrefs = [local(href) for href in header.values()]
    etag = put(hrefs[1], FILE.content[1000:2000])["ETag"].strip('"')
    # The page, or the hub, is gone and comes again: other addresses, the same upload.
    (again,) = batch(client, repository).json()["objects"]
    finish = local(again["actions"]["upload"]["href"])
    assert Client().get(finish).json() == {"parts": [{"partNumber": 2, "etag": etag}]}
    etags = {2: etag}
    for number in (1, 3):
        part = FILE.content[(number - 1) * 1000 : number * 1000]
        etags[number] = put(hrefs[number - 1], part)["ETag"]
    parts = [{"partNumber": number, "etag": value} for number, value in etags.items()]
    body = {"oid": FILE.sha256, "parts": parts}
    done = Client().post(finish, json.dumps(body), content_type=LFS_JSON)
    assert done.status_code == 200
    assert ObjectLink.objects.filter(repository=repository).count() == 1
    # Known content is not sent again.
    assert "actions" not in batch(client, repository).json()["objects"][0]
    assert Client().get(finish).status_code == 404


def test_an_upload_that_is_given_up_leaves_nothing(client, repository, settings):
    settings.SMALL_PART_BYTES = 1000
    (first,) = batch(client, repository).json()["objects"]
    upload = first["actions"]["upload"]
    put(local(upload["header"]["00001"]), FILE.content[:1000])
    finish = local(upload["href"])
    for _again in range(2):
        assert Client().delete(finish).status_code == 204
    assert not MultipartUpload.objects.exists()
    assert not UploadedPart.objects.exists()
    assert not any((repository.blobs().root / "parts").iterdir())
    assert put(local(upload["header"]["00001"]), FILE.content[:1000]).status_code == 404
    unsigned = finish.partition("?")[0]
    assert Client().delete(unsigned).status_code == 401
