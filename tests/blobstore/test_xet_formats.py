"""Our reading of the Xet formats, against what hf_xet computes and against broken bytes."""

import io
import random
import tracemalloc

import hf_xet
import lz4.frame
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.blobstore.xet import hashing, shard, xorb
from hub.errors import HubError, TooLargeError, UnprocessableError
from tests.blobstore.xet_builder import claim_of, frame, frame_of, shard_of, xorb_name, xorb_of

SCHEMES = st.sampled_from(xorb.Scheme)
SMALLEST_CUT = 8 * 1024  # hf_xet never cuts below it, so a file this short is one chunk
CHUNKS = [b"weights" * 900, bytes(5000), b"x"]


def receive(body, name=None, length_bytes=None):
    kept = io.BytesIO()
    xorb.receive(
        io.BytesIO(body),
        kept.write,
        digest=hashing.from_hex(name or xorb_name(CHUNKS)),
        length_bytes=len(body) if length_bytes is None else length_bytes,
    )
    return kept.getvalue()


@given(data=st.binary(min_size=1, max_size=SMALLEST_CUT))
@settings(max_examples=25, deadline=None)
def test_the_hash_of_a_short_file_is_the_one_hf_xet_gives(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "short"
    path.write_bytes(data)
    (told,) = hf_xet.hash_files([str(path)])
    ours = hashing.file_hash(hashing.xorb_hash([(hashing.chunk_hash(data), len(data))]))
    assert hashing.to_hex(ours) == told.hash


def test_the_hash_of_no_chunks_is_the_one_hf_xet_gives(tmp_path):
    (tmp_path / "empty").write_bytes(b"")
    (told,) = hf_xet.hash_files([str(tmp_path / "empty")])
    assert hashing.to_hex(hashing.file_hash(hashing.xorb_hash([]))) == told.hash


@given(digest=st.binary(min_size=32, max_size=32))
def test_the_text_form_of_a_hash_reads_back(digest):
    assert hashing.from_hex(hashing.to_hex(digest)) == digest


@given(raw=st.binary(min_size=1, max_size=3000), scheme=SCHEMES)
def test_a_frame_reads_back_as_the_bytes_it_holds(raw, scheme):
    body = frame(raw, scheme)
    found = xorb.read_frame(io.BytesIO(body))
    assert xorb.decode(found) == raw
    assert xorb.pack(found) + found.stored == body


@given(
    chunks=st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=40), data=st.data()
)
def test_the_index_of_a_xorb_says_where_its_chunks_lie(tmp_path_factory, chunks, data):
    path = tmp_path_factory.getbasetemp() / "xorb"
    body = xorb_of(chunks, data.draw(SCHEMES))
    path.write_bytes(receive(body, xorb_name(chunks)))
    index = xorb.read_index(path)
    start = data.draw(st.integers(0, len(chunks) - 1))
    end = data.draw(st.integers(start + 1, len(chunks)))
    first, last = index.stored_span(start, end)
    source = io.BytesIO(path.read_bytes()[first:last])
    frames = [xorb.read_frame(source) for _ in range(start, end)]
    assert [xorb.decode(found) for found in frames] == chunks[start:end]
    assert source.read() == b""
    raw_first, raw_last = index.raw_span(start, end)
    assert raw_last - raw_first == sum(map(len, chunks[start:end]))
    assert [(hashing.chunk_hash(c), len(c)) for c in chunks[start:end]] == list(
        index.leaves(start, end)
    )


def test_a_footer_that_older_clients_append_is_dropped():
    body = xorb_of(CHUNKS)
    assert receive(body + b"XETBLOB\1" + bytes(300)) == receive(body)


def test_a_stream_that_returns_little_at_a_time_is_read_whole():
    class Trickle(io.BytesIO):
        def read(self, size=-1):
            return super().read(min(size, 7))

    body, kept = xorb_of(CHUNKS), io.BytesIO()
    digest = hashing.from_hex(xorb_name(CHUNKS))
    xorb.receive(Trickle(body), kept.write, digest=digest, length_bytes=len(body))
    assert kept.getvalue() == receive(body)


ONE = [b"abc"]
MANY = [b"x"] * (xorb.MAX_CHUNKS + 1)
LARGE = [bytes(xorb.MAX_CHUNK_BYTES + 1)]
BOMB = frame_of(lz4.frame.compress(bytes(64 * 1024**2)), 1, xorb.MAX_CHUNK_BYTES)
BROKEN_XORBS = {  # what is sent, as which chunks, and why it is refused
    "nothing": (b"", [], "not xorb"),
    "cut in a header": (xorb_of(CHUNKS) + b"\0\0\0", CHUNKS, "ends inside"),
    "cut in a chunk": (xorb_of(CHUNKS)[:-3], CHUNKS, "ends inside"),
    "a chunk missing": (xorb_of(CHUNKS[:-1]), CHUNKS, "not xorb"),
    "chunks in another order": (xorb_of(CHUNKS[::-1]), CHUNKS, "not xorb"),
    "other bytes": (xorb_of([*CHUNKS[:-1], b"y"]), CHUNKS, "not xorb"),
    "unknown version": (b"\1" + xorb_of(CHUNKS)[1:], CHUNKS, "version 1"),
    "unknown scheme": (frame_of(b"abc", 3, 3), ONE, "scheme 3"),
    "not LZ4": (frame_of(b"abc" * 20, 1, 3), ONE, "not a valid LZ4"),
    "LZ4 and more": (frame_of(lz4.frame.compress(b"abc") + b"z", 1, 3), ONE, "exactly one"),
    "cut LZ4": (frame_of(lz4.frame.compress(b"abc")[:-2], 1, 3), ONE, "exactly one"),
    "longer than announced": (frame(b"abc", claimed_bytes=2), ONE, "exactly one|another length"),
    "shorter than announced": (frame(b"abc", claimed_bytes=4), ONE, "another length"),
    "stored shorter": (frame(b"abc", xorb.Scheme.NONE, claimed_bytes=4), ONE, "another length"),
    "empty chunk": (frame(b"", xorb.Scheme.NONE), [b""], "1 to"),
    "chunk too large": (xorb_of(LARGE), LARGE, "1 to"),
    "too many chunks": (frame(b"x", xorb.Scheme.NONE) * len(MANY), MANY, "more than"),
}


@pytest.mark.parametrize("kind", BROKEN_XORBS)
def test_a_broken_xorb_is_refused(kind):
    body, chunks, reason = BROKEN_XORBS[kind]
    with pytest.raises(UnprocessableError, match=reason):
        receive(body, xorb_name(chunks))


def test_a_decompression_bomb_is_refused_before_it_unfolds():
    tracemalloc.start()
    try:
        with pytest.raises(UnprocessableError):
            receive(BOMB)
        assert tracemalloc.get_traced_memory()[1] < 8 * xorb.MAX_CHUNK_BYTES
    finally:
        tracemalloc.stop()


def test_the_largest_chunk_and_the_most_chunks_are_taken():
    largest = [random.Random(1).randbytes(xorb.MAX_CHUNK_BYTES)]
    assert receive(xorb_of(largest, xorb.Scheme.GROUPED_LZ4), xorb_name(largest))
    many = [b"x"] * xorb.MAX_CHUNKS
    assert receive(frame(b"x", xorb.Scheme.NONE) * len(many), xorb_name(many))


def test_a_xorb_or_shard_over_64_mib_is_refused_unread():
    with pytest.raises(TooLargeError):
        receive(b"", length_bytes=xorb.MAX_XORB_BYTES + 1)
    with pytest.raises(TooLargeError):
        shard.read_shard(bytes(shard.MAX_SHARD_BYTES + 1))


@given(chunks=st.lists(st.binary(min_size=1, max_size=50), min_size=1, max_size=5), data=st.data())
def test_a_shard_reads_back_as_its_claims_and_no_prefix_of_it_does(chunks, data):
    claims = [claim_of(chunks[: count + 1]) for count in range(len(chunks))]
    body = shard_of(*claims)
    found = shard.read_shard(body)
    assert [(file.file_hash, file.sha256) for file in found] == [
        (claim.file_hash, claim.sha256) for claim in claims
    ]
    assert [list(file.terms()) for file in found] == [
        [shard.Term(c.xorb, c.start, c.end, c.raw_bytes, c.proof)] for c in claims
    ]
    with pytest.raises(UnprocessableError):
        shard.read_shard(body[: data.draw(st.integers(0, len(body) - 1))])


@given(seed=st.integers(0, 2**32))
@settings(max_examples=200, deadline=None)
def test_random_damage_is_refused_and_nothing_else_happens(seed):
    source = random.Random(seed)
    for body, read in ((xorb_of(CHUNKS), receive), (shard_of(claim_of(CHUNKS)), shard.read_shard)):
        damaged = bytearray(body)
        for _ in range(source.randint(1, 4)):
            damaged[source.randrange(len(damaged))] = source.randrange(256)
        try:
            read(bytes(damaged))
        except HubError as refusal:
            assert str(refusal)
