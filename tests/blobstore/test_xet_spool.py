"""A xorb that lies in the spool becomes the stored one, without a copy."""

import pytest

from hub.blobstore import BlobStore
from hub.blobstore.ahead import ahead
from hub.blobstore.xet import XetStore
from hub.errors import UnprocessableError
from tests.blobstore.xet_builder import claim_of, shard_of, xorb_name, xorb_of

CHUNKS = [b"weights" * 900, bytes(5000), b"x" * 400]
NAME = xorb_name(CHUNKS)


@pytest.fixture
def store(tmp_path):
    root = tmp_path / "objects" / "public"
    return XetStore(root, BlobStore(root))


@pytest.fixture
def spooled(tmp_path):
    path = tmp_path / "objects" / "spooled"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(xorb_of(CHUNKS))
    return path


def put(store, path):
    return store.put_xorb(NAME, path, length_bytes=path.stat().st_size)


@pytest.mark.parametrize("footer", [b"", b"XETBLOB\1" + bytes(300), b"XETBLOB\1" + bytes(3)])
def test_the_file_itself_is_kept_with_our_index_in_place_of_the_footer_it_came_with(
    store, spooled, footer
):
    inode = spooled.stat().st_ino
    spooled.write_bytes(xorb_of(CHUNKS) + footer)
    assert put(store, spooled)
    spooled.unlink()
    stored = store.xorbs.path(NAME)
    assert stored.stat().st_ino == inode
    assert stored.stat().st_mode & 0o777 == 0o444
    assert store.xorbs.index(NAME).stored_bytes == len(xorb_of(CHUNKS))
    (file,) = store.ingest_shard(shard_of(claim_of(CHUNKS)), limit_bytes=1 << 20)
    assert store.blobs.open(file.sha256).read() == b"".join(CHUNKS)


def test_a_spooled_file_that_is_another_xorb_stays_as_it_was_and_is_not_stored(store, spooled):
    other = xorb_of([b"something else"])
    spooled.write_bytes(other)
    with pytest.raises(UnprocessableError, match="not xorb"):
        put(store, spooled)
    assert spooled.read_bytes() == other
    assert store.xorbs.path(NAME) is None
    assert list((store.xorbs.root / "tmp").iterdir()) == []


def test_a_link_is_not_followed(store, spooled, tmp_path):
    link = tmp_path / "objects" / "link"
    link.symlink_to(spooled)
    with pytest.raises(UnprocessableError):
        put(store, link)
    assert spooled.read_bytes() == xorb_of(CHUNKS)


def test_pieces_made_ahead_keep_their_order_and_the_fault_of_their_maker():
    def pieces():
        for number in range(40):
            yield bytes([number]) * 100_000
        raise UnprocessableError("the forty-first is broken")

    taken = []
    with pytest.raises(UnprocessableError, match="forty-first"):
        taken.extend(ahead(pieces()))
    assert list(ahead(iter([b"a", b"b"]))) == [b"a", b"b"]
    assert list(ahead(iter([]))) == []
    seen = ahead(pieces())
    assert [next(seen)[0] for _ in range(20)] == list(range(20))
    seen.close()
