"""Chunks: the same items in the same order, whoever asks; only whole chunks change places."""

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.specs.chunks import chunk_count, chunked, ordered
from training.specs.items import Item


def items(n, cluster=None):
    made = [Item(id=f"{i:05}", doc={"i": i}) for i in range(n)]
    return [
        Item(item.id, item.doc, cluster=None if cluster is None else str(i // cluster))
        for i, item in enumerate(made)
    ]


def by_chunk(found):
    chunks = {}
    for item in found:
        chunks.setdefault(item.chunk, []).append(item.id)
    return chunks


@pytest.mark.parametrize(
    ("n", "count"),
    [(1, 1), (20, 1), (40, 2), (100, 6), (250, 6), (1536, 6), (1537, 7), (50_000, 196)],
)
def test_chunks_are_small_enough_and_enough(n, count):
    assert chunk_count(n) == count
    sizes = [len(chunk) for chunk in by_chunk(chunked(items(n))).values()]
    assert len(sizes) == count
    assert max(sizes) <= 256
    assert max(sizes) - min(sizes) <= 1
    assert min(sizes) >= min(n, 16)


def test_the_order_of_items_plays_no_part():
    made = items(300)
    shuffled = random.Random(0).sample(made, 300)
    assert chunked(made) == chunked(shuffled)
    assert ordered(made, "x") == ordered(shuffled, "x")
    assert [item.rank for item in chunked(made)] == list(range(300))


def test_a_gate_moves_whole_chunks():
    made = items(600)
    canonical = by_chunk(chunked(made))
    orders = set()
    for seed in "abcdef":
        found = ordered(made, seed)
        assert [item.rank for item in found] == list(range(600))
        assert by_chunk(found) == canonical
        turn = tuple(dict.fromkeys(item.chunk for item in found))
        assert sum(1 for a, b in pairwise(found) if a.chunk != b.chunk) == 5
        orders.add(turn)
    assert len(orders) > 1


def test_a_cluster_is_never_split():
    found = chunked(items(400, cluster=7))
    homes = {}
    for item in found:
        homes.setdefault(item.cluster, set()).add(item.chunk)
    assert {len(chunks) for chunks in homes.values()} == {1}
    assert len(by_chunk(found)) == 6


def test_a_chunk_is_a_random_sample():
    first = [int(id_) for id_ in by_chunk(chunked(items(6000)))[0]]
    assert 2700 < sum(first) / len(first) < 3300


@given(st.integers(1, 400), st.integers(1, 60), st.text(max_size=3))
def test_every_item_keeps_its_place(n, cluster, seed):
    found = ordered(items(n, cluster), seed)
    assert sorted(item.id for item in found) == [item.id for item in items(n)]
    chunks = by_chunk(found)
    assert sorted(chunks) == list(range(len(chunks)))
