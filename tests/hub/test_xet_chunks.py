"""What a client is told of chunks that are here already: its own repository's, and no others."""

from __future__ import annotations

import numpy as np
import pytest
from blake3 import blake3
from django.test import Client

from hub.blobstore.xet import dedup, hashing, shard
from hub.models import Access, Repository, TokenScope, Visibility
from tests.blobstore.xet_builder import claim_of
from tests.factories import make_member, make_organization, make_repository, make_user
from tests.hub.transfers import CHUNKS, Cas
from tests.hub.wire import send_json

pytestmark = pytest.mark.django_db
ANY = "v1/chunks/default/" + "ab" * 32


@pytest.fixture
def repository() -> Repository:
    return make_repository(make_organization(), visibility=Visibility.PRIVATE)


@pytest.fixture
def client(repository, api_for) -> Client:
    person = make_member(repository.namespace, access=Access.ADMIN)
    return api_for(person, scope=TokenScope.ADMIN)


@pytest.fixture
def beside(client, repository) -> Repository:
    """A repository of the same store: its file is the last two chunks of the other's xorb."""
    cas = Cas.of(client, repository)
    cas.post_xorb()
    cas.post_shard()
    beside = make_repository(repository.namespace, visibility=Visibility.PRIVATE)
    part = claim_of(CHUNKS[1:]).but(xorb=claim_of(CHUNKS).xorb, start=1, end=3)
    Cas.of(client, beside).post_claims(part)
    return beside


def records(body: bytes) -> np.ndarray:
    """The chunk records of a shard with one xorb."""
    head, end = shard.HEADER.size + shard.RECORD_BYTES, shard.RECORD_BYTES + dedup.FOOTER.size
    digest, _flags, count, raw, _stored = dedup.XORB.unpack_from(body, head)
    assert (digest, count, raw) == (claim_of(CHUNKS).xorb, 3, sum(map(len, CHUNKS)))
    return np.frombuffer(body[head + dedup.XORB.size : -end], dedup.CHUNK)


def told(cas: Cas, path: str = ANY) -> tuple[list[bool], list[tuple[int, int]]]:
    """Which chunks of CHUNKS the answer makes known, and where each lies."""
    answer = cas.get(path, **{"x-xet-session-id": path})
    assert answer.status_code == 200
    footer = dedup.FOOTER.unpack(answer.content[-dedup.FOOTER.size :])
    key, offset = footer[9], footer[-1]
    assert offset == len(answer.content) - dedup.FOOTER.size
    rows = records(answer.content)
    keyed = [blake3(hashing.chunk_hash(chunk), key=key).digest() for chunk in CHUNKS]
    known = [row["hash"].tobytes() == one for row, one in zip(rows, keyed, strict=True)]
    return known, [(int(row["start"]), int(row["size"])) for row in rows]


def test_the_chunks_of_the_repository_are_told_under_a_key(client, repository, beside):
    known, places = told(Cas.of(client, repository))
    assert known == [True, True, True]
    assert places == [(0, 6300), (6300, 5000), (11300, 400)]
    again, _places = told(Cas.of(client, repository), "v1/chunks/default-merkledb/" + "cd" * 32)
    assert again == known


def test_chunks_of_others_are_not_told_even_from_a_shared_xorb(client, beside):
    known, places = told(Cas.of(client, beside))
    assert known == [False, True, True]
    assert places[0] == (0, 6300)  # where the others lie is told: terms count from there


def test_the_answer_does_not_depend_on_what_is_asked_about(client, repository, beside):
    """Xet's trap 8: a hit for somebody else's chunk looks like any other answer."""
    own = hashing.to_hex(hashing.chunk_hash(CHUNKS[0]))
    for name in (own, "00" * 32):
        known, _places = told(Cas.of(client, beside), f"v1/chunks/default/{name}")
        assert known == [False, True, True]


def test_a_session_is_told_once(client, repository, beside):
    cas = Cas.of(client, repository)
    answers = [cas.get(ANY, **{"x-xet-session-id": "1"}).status_code for _ in range(3)]
    assert answers == [200, 404, 404]
    assert cas.get(ANY, **{"x-xet-session-id": "2"}).status_code == 200


def test_nothing_is_told_of_nothing_or_to_the_wrong_ones(client, repository, api_for):
    assert Cas.of(client, repository).get(ANY).status_code == 404
    assert Cas.of(client, repository, mode="read").get(ANY).status_code == 401
    cas = Cas.of(client, repository)
    cas.post_xorb()
    cas.post_shard()
    for visibility, gated in (("public", "manual"),):
        body = {"visibility": visibility, "gated": gated}
        send_json(client, "PUT", f"/{repository.api_path}/settings", body)
    proposer = Cas.of(api_for(make_user()), repository, rest="None?create_pr=1")
    assert proposer.get(ANY)["X-Error-Code"] == "GatedRepo"
