"""What the real client sends becomes blobs; what lies about bytes is refused."""

import hashlib
import io
import random
from datetime import timedelta

import numpy as np
import pytest

from hub.blobstore import BlobStore
from hub.blobstore.xet import IngestedFile, XetStore, hashing, xorb
from hub.errors import (
    EntryNotFoundError,
    TooLargeError,
    UnprocessableError,
    UnsatisfiableRangeError,
)
from tests.blobstore.xet_builder import claim_of, shard_of, xorb_name, xorb_of
from tests.blobstore.xet_hub import serving

LIMIT_BYTES = 1 << 30
CHUNKS = [b"weights" * 900, bytes(5000), b"x" * 400]
SECRET = [b"somebody else's weights"]


@pytest.fixture
def store(tmp_path):
    return store_of(tmp_path / "objects" / "public")


@pytest.fixture
def stranger(store, tmp_path):
    """A blob of somebody else's: its xorb lies in another scope, itself in this one too."""
    private = store_of(tmp_path / "objects" / "private-7")
    put(private, SECRET)
    (theirs,) = ingest(private, claim_of(SECRET))
    return store.blobs.link_from(private.blobs, theirs.sha256)


def store_of(root):
    return XetStore(root, BlobStore(root))


def put(store, chunks):
    body = xorb_of(chunks)
    return store.put_xorb(xorb_name(chunks), io.BytesIO(body), length_bytes=len(body))


def ingest(store, *claims, limit_bytes=LIMIT_BYTES):
    return store.ingest_shard(shard_of(*claims), limit_bytes=limit_bytes)


def checkpoint_of(seed):
    """20 MB: random bytes, float32 and float16 normals, digits, zeros; as files of weights are."""
    source = np.random.default_rng(seed)
    floats = source.normal(0, 0.02, 2_000_000).astype(np.float32)
    return b"".join(
        [
            source.bytes(4_000_000),
            floats.tobytes(),
            floats.astype(np.float16).tobytes(),
            source.integers(ord("0"), ord("9"), 3_600_000, np.uint8).tobytes(),
            bytes(400_001),
        ]
    )


def test_files_of_the_real_client_arrive_and_go_back_with_the_right_bytes(store, tmp_path):
    data = {"model.bin": checkpoint_of(1), "small.bin": b"0.5"}
    for name, content in data.items():
        (tmp_path / name).write_bytes(content)
    with serving(store) as hub:
        uploaded = hub.upload(*(tmp_path / name for name in data), cache=tmp_path / "cache")
        sha256s = [hashlib.sha256(content).hexdigest() for content in data.values()]
        assert [sha256 for _, sha256, _ in uploaded] == sha256s
        assert sorted(hub.ingested, key=str) == sorted(
            (IngestedFile(*u) for u in uploaded), key=str
        )
        for content, sha256 in zip(data.values(), sha256s, strict=True):
            assert store.blobs.open(sha256).read() == content
        schemes = {found.scheme for body in hub.xorbs.values() for found in frames_of(body)}
        assert schemes == set(xorb.Scheme)

        for versions in ({"v1", "v2"}, {"v1"}):
            hub.versions = versions
            for (name, _, size_bytes), content in zip(uploaded, data.values(), strict=True):
                place = tmp_path / f"back-{len(versions)}-{size_bytes}"
                assert hub.download(name, size_bytes, place, cache=tmp_path / "other") == content
    assert list(store.blobs.stray_files(timedelta(0))) == []


def frames_of(body):
    source = io.BytesIO(body)
    while source.tell() < len(body):
        yield xorb.read_frame(source, len(body) - source.tell())


def test_a_changed_file_sends_only_what_changed_and_an_unchanged_one_only_its_claim(
    store, tmp_path
):
    data, path = checkpoint_of(2), tmp_path / "model.bin"
    with serving(store) as hub:
        path.write_bytes(data)
        hub.upload(path, cache=tmp_path / "cache")
        first_bytes = sum(map(len, hub.xorbs.values()))
        changed = data[:5_000_000] + random.Random(3).randbytes(300_000) + data[5_300_000:]
        path.write_bytes(changed)
        ((_, sha256, _),) = hub.upload(path, cache=tmp_path / "cache")
        assert store.blobs.open(sha256).read() == changed
        assert sum(map(len, hub.xorbs.values())) - first_bytes < 1_000_000
        path.write_bytes(data)
        count = len(hub.xorbs)
        hub.upload(path, cache=tmp_path / "cache")
        assert len(hub.xorbs) == count
        assert hub.ingested[-1].sha256 == hashlib.sha256(data).hexdigest()


def test_the_real_client_shows_its_user_why_a_shard_was_refused(store, tmp_path):
    path = tmp_path / "model.bin"
    path.write_bytes(random.Random(4).randbytes(300_000))
    with serving(store) as hub:
        hub.upload(path, cache=tmp_path / "cache")
        hub.store = store_of(tmp_path / "objects" / "wiped")
        with pytest.raises(RuntimeError, match="is not stored here"):
            hub.upload(path, cache=tmp_path / "cache")


def test_a_xorb_is_stored_once_and_a_shard_over_it_twice_gives_the_same_file(store):
    assert [put(store, CHUNKS), put(store, CHUNKS)] == [True, False]
    (found,) = ingest(store, claim_of(CHUNKS))
    assert found.size_bytes == len(b"".join(CHUNKS))
    assert store.blobs.open(found.sha256).read() == b"".join(CHUNKS)
    assert ingest(store, claim_of(CHUNKS)) == [found]
    assert store.file(found.xet_hash) == found
    store.blobs.delete(found.sha256)
    assert store.file(found.xet_hash) is None
    assert ingest(store, claim_of(CHUNKS)) == [found]
    assert store.blobs.open(found.sha256).read() == b"".join(CHUNKS)


TRUTH = claim_of(CHUNKS)
LIES = {  # what is claimed, and why it is refused
    "sha256 of other bytes": (TRUTH.but(sha256=bytes(32)), "have sha256"),
    "sha256 of somebody's blob": (TRUTH.but(sha256=claim_of(SECRET).sha256), "have sha256"),
    "xorb of another scope": (claim_of(SECRET), "not stored here"),
    "proof missing": (TRUTH.but(proof=bytes(32)), "proof"),
    "proof of other chunks": (TRUTH.but(proof=claim_of(CHUNKS[:2]).proof), "proof"),
    "hash of another file": (TRUTH.but(file_hash=claim_of(SECRET).file_hash), "another file"),
    "length too small": (TRUTH.but(raw_bytes=TRUTH.raw_bytes - 1), "another length"),
    "length too large": (TRUTH.but(raw_bytes=TRUTH.raw_bytes + 1), "another length"),
    "too many chunks": (TRUTH.but(end=len(CHUNKS) + 1), "has 3 chunks"),
    "no chunks": (TRUTH.but(end=0), "has 3 chunks"),
    "chunks backwards": (TRUTH.but(start=2, end=1), "has 3 chunks"),
    "fewer chunks": (TRUTH.but(end=2), "another length"),
    "end of all numbers": (TRUTH.but(end=2**32 - 1), "has 3 chunks"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_shard_that_lies_is_refused_and_gives_no_file(store, stranger, lie):
    claim, reason = LIES[lie]
    put(store, CHUNKS)
    with pytest.raises(UnprocessableError, match=reason):
        ingest(store, claim)
    assert list(store.blobs.iter_blobs()) == [stranger]
    assert store.file(hashing.to_hex(claim.file_hash)) is None
    assert list(store.blobs.stray_files(timedelta(0))) == []


def test_one_lie_in_a_shard_refuses_it_before_any_file_is_rebuilt(store):
    put(store, CHUNKS)
    with pytest.raises(UnprocessableError):
        ingest(store, TRUTH, TRUTH.but(file_hash=bytes(32)))
    assert list(store.blobs.iter_blobs()) == []


def test_a_known_file_does_not_open_the_way_to_another_blob(store, stranger):
    put(store, CHUNKS)
    ingest(store, TRUTH)
    with pytest.raises(UnprocessableError, match="not the one claimed"):
        ingest(store, TRUTH.but(sha256=hashing.from_hex(stranger.sha256)))


def test_a_file_over_the_limit_is_refused_before_it_is_rebuilt(store):
    put(store, CHUNKS)
    with pytest.raises(TooLargeError):
        ingest(store, TRUTH, limit_bytes=TRUTH.raw_bytes - 1)
    assert list(store.blobs.iter_blobs()) == []
    assert ingest(store, TRUTH, limit_bytes=TRUTH.raw_bytes)


def test_progress_names_the_total_first_and_may_refuse_it(store):
    put(store, CHUNKS)
    told = []
    body = shard_of(TRUTH)

    def refuse(done_bytes, total_bytes):
        raise TooLargeError(f"{done_bytes} of {total_bytes}")

    with pytest.raises(TooLargeError, match=f"0 of {TRUTH.raw_bytes}"):
        store.ingest_shard(body, limit_bytes=LIMIT_BYTES, progress=refuse)
    assert list(store.blobs.iter_blobs()) == []
    store.ingest_shard(body, limit_bytes=LIMIT_BYTES, progress=lambda *now: told.append(now))
    assert told == [(0, TRUTH.raw_bytes), (TRUTH.raw_bytes, TRUTH.raw_bytes)]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"x" * 48,
        shard_of(TRUTH, tag=bytes(32)),
        shard_of(TRUTH, version=3),
        shard_of(TRUTH) + b"x",
        shard_of(TRUTH.but(flags=0)),
    ],
)
def test_a_body_that_is_no_upload_shard_is_refused(store, body):
    put(store, CHUNKS)
    with pytest.raises(UnprocessableError):
        store.ingest_shard(body, limit_bytes=LIMIT_BYTES)


def test_shard_and_xorb_are_also_read_from_spooled_files(store, tmp_path):
    (tmp_path / "xorb").write_bytes(xorb_of(CHUNKS))
    (tmp_path / "shard").write_bytes(shard_of(TRUTH))
    length_bytes = len(xorb_of(CHUNKS))
    assert store.put_xorb(xorb_name(CHUNKS), tmp_path / "xorb", length_bytes=length_bytes)
    assert store.ingest_shard(tmp_path / "shard", limit_bytes=LIMIT_BYTES)
    (tmp_path / "link").symlink_to(tmp_path / "xorb")
    with pytest.raises(UnprocessableError):
        store.put_xorb(xorb_name(SECRET), tmp_path / "link", length_bytes=length_bytes)


def test_any_range_of_a_file_is_covered_by_its_reconstruction(store):
    source = random.Random(5)
    chunks = [source.randbytes(source.randint(1, 60)) for _ in range(30)]
    put(store, chunks)
    (found,) = ingest(store, claim_of(chunks))
    whole = b"".join(chunks)
    for _ in range(200):
        start = source.randrange(len(whole))
        end = source.randint(start + 1, len(whole) + 20)
        plan = store.reconstruct(found.xet_hash, start, end)
        (term,) = plan.terms
        body = store.xorbs.path(term.xorb).read_bytes()[term.first_byte : term.last_byte + 1]
        raw = b"".join(xorb.decode(part) for part in frames_of(body))
        assert len(raw) == term.raw_bytes
        assert raw[plan.offset_bytes :][: end - start].startswith(whole[start:end])
        assert term.end - term.start == 1 or term.raw_bytes < end - start + 120
    with pytest.raises(UnsatisfiableRangeError):
        store.reconstruct(found.xet_hash, len(whole), len(whole) + 1)
    with pytest.raises(EntryNotFoundError):
        store.reconstruct("0" * 64, 0, 1)
