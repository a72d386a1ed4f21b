"""A blob is stored once, whole or not at all."""

import hashlib
import io
import os
import stat
import tempfile
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.blobstore import Blob, BlobStore
from hub.errors import (
    BadInputError,
    EntryNotFoundError,
    StorageFullError,
    TooLargeError,
    UnprocessableError,
    UnsatisfiableRangeError,
)

DATA = bytes(range(256)) * 5000
SHA256 = hashlib.sha256(DATA).hexdigest()
NOTHING = timedelta(0)


@pytest.fixture
def store(tmp_path):
    return BlobStore(tmp_path / "objects" / "public")


def put(store, data=DATA, **claims):
    return store.put(io.BytesIO(data), **({"limit_bytes": len(DATA)} | claims))


def assert_nothing_stored(store):
    assert list(store.iter_blobs()) == []
    assert list(store.stray_files(NOTHING)) == []


def test_what_was_put_is_found_read_only_under_its_hash(store):
    blob = put(store, sha256=SHA256, size_bytes=len(DATA))
    assert blob == store.stat(SHA256) == Blob(SHA256, len(DATA))
    assert list(store.iter_blobs()) == [blob]
    assert store.open(SHA256).read() == DATA
    assert stat.S_IMODE(store.path(SHA256).stat().st_mode) == 0o444
    below = f"public/blobs/{SHA256[:2]}/{SHA256[2:4]}/{SHA256}"
    assert str(store.internal_path(SHA256)) == below
    assert store.path(SHA256) == store.root.parent / below


@pytest.mark.parametrize(
    ("claims", "error"),
    [
        ({"sha256": "0" * 64}, UnprocessableError),
        ({"size_bytes": len(DATA) - 1}, UnprocessableError),
        ({"sha256": SHA256, "size_bytes": 1}, UnprocessableError),
        ({"limit_bytes": len(DATA) - 1}, TooLargeError),
        ({"size_bytes": len(DATA) + 1}, TooLargeError),
        ({"size_bytes": 1 << 60, "limit_bytes": 1 << 60}, StorageFullError),
    ],
)
def test_a_put_that_is_refused_stores_nothing(store, claims, error):
    with pytest.raises(error):
        put(store, **claims)
    assert_nothing_stored(store)


def test_a_stream_that_breaks_stores_nothing_and_a_retry_succeeds(store):
    def broken():
        yield DATA[:100_000]
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        store.put_chunks(broken(), limit_bytes=len(DATA))
    assert_nothing_stored(store)
    assert put(store).sha256 == SHA256


def test_a_late_failure_leaves_what_a_retry_stored(store):
    def stalled():
        yield DATA
        put(store)  # the client's retry overtakes its first, stalled request
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        store.put_chunks(stalled(), limit_bytes=len(DATA))
    assert store.open(SHA256).read() == DATA


def test_sixteen_uploads_of_one_blob_some_torn_store_it_once(store):
    def upload(number):
        torn = number % 4 == 0
        try:
            return put(store, DATA[:-1] if torn else DATA, sha256=SHA256)
        except UnprocessableError:
            return None

    with ThreadPoolExecutor(16) as pool:
        results = list(pool.map(upload, range(16)))
    assert results.count(Blob(SHA256, len(DATA))) == 12
    assert list(store.iter_blobs()) == [Blob(SHA256, len(DATA))]
    assert store.path(SHA256).stat().st_nlink == 1
    assert store.open(SHA256).read() == DATA
    assert list(store.stray_files(NOTHING)) == []


@given(start=st.integers(-3, 600), end=st.none() | st.integers(-3, 600))
def test_a_range_is_that_part_or_is_refused(tmp_path_factory, start, end):
    store = BlobStore(tmp_path_factory.getbasetemp() / "ranges")
    data = DATA[:500]
    blob = put(store, data)
    if 0 <= start <= (500 if end is None else end) <= 500:
        with store.open(blob.sha256, start, end) as reader:
            assert reader.read() == data[start:end]
            half = reader.tell() // 2
            assert reader.seek(half) == half
            assert reader.read() == data[start:end][half:]
            reader.seek(-half, io.SEEK_END)
            assert reader.read(half) == data[start:end][reader.tell() - half :]
    else:
        with pytest.raises(UnsatisfiableRangeError):
            store.open(blob.sha256, start, end)


def test_an_adopted_file_is_linked_and_its_own_name_stays(store, tmp_path):
    spool = tmp_path / "spool"
    spool.write_bytes(DATA)
    assert store.adopt(spool, sha256=SHA256, size_bytes=len(DATA)).sha256 == SHA256
    assert store.path(SHA256).stat().st_ino == spool.stat().st_ino
    spool.unlink()
    assert store.open(SHA256).read() == DATA
    assert list(store.stray_files(NOTHING)) == []


def test_a_file_of_another_file_system_is_adopted_by_copying(store):
    shared_memory = Path("/dev/shm")
    if shared_memory.stat().st_dev == store.root.stat().st_dev:
        pytest.skip("there is only one file system here")
    with tempfile.NamedTemporaryFile(dir=shared_memory) as spool:
        spool.write(DATA)
        spool.flush()
        assert store.adopt(Path(spool.name)).sha256 == SHA256
    assert store.open(SHA256).read() == DATA


@pytest.mark.parametrize("claims", [{"sha256": "0" * 64}, {"size_bytes": 7}])
def test_an_adopted_file_with_other_bytes_is_refused(store, tmp_path, claims):
    spool = tmp_path / "spool"
    spool.write_bytes(DATA)
    with pytest.raises(UnprocessableError):
        store.adopt(spool, **claims)
    assert_nothing_stored(store)
    assert spool.read_bytes() == DATA


@pytest.mark.parametrize("kind", ["link", "folder", "fifo", "device"])
def test_only_ordinary_files_are_adopted(store, tmp_path, kind):
    (tmp_path / "secret").write_bytes(DATA)
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "device").symlink_to("/dev/zero")
    with pytest.raises(UnprocessableError):
        store.adopt(tmp_path / kind)
    assert_nothing_stored(store)


def test_another_scope_gets_a_blob_without_a_second_copy(store):
    private = BlobStore(store.root.parent / "private-7")
    put(store)
    assert private.link_from(store, SHA256) == private.stat(SHA256) == store.stat(SHA256)
    store.delete(SHA256)
    assert store.stat(SHA256) is None
    assert private.open(SHA256).read() == DATA
    with pytest.raises(EntryNotFoundError):
        private.link_from(store, SHA256)


def test_what_is_not_stored_is_none_and_may_be_deleted(store):
    assert store.stat(SHA256) is store.path(SHA256) is store.internal_path(SHA256) is None
    store.delete(SHA256)
    with pytest.raises(EntryNotFoundError):
        store.open(SHA256)


@pytest.mark.parametrize("name", ["", "../" + SHA256, SHA256.upper(), SHA256[:-1], SHA256 + "\n"])
def test_an_id_that_is_no_hash_never_becomes_a_path(store, name):
    for ask in (store.stat, store.path, store.open, store.delete):
        with pytest.raises(BadInputError):
            ask(name)
