"""Turning what a spec pins into items in an order: the same for every run of the same spec."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from training.jobs.benchmarks import PinnedBenchmark
from training.jobs.scoring import Asked
from training.specs.chunks import ordered


def asked_in_full(pinned: PinnedBenchmark) -> Asked:
    """All items of a benchmark, in canonical order."""
    issued = pinned.items()
    return Asked(pinned, pinned.row(issued), issued, issued, len(issued))


def asked_in_order(pinned: PinnedBenchmark, *, seed: str, limit: int | None = None) -> Asked:
    """At most `limit` items in the order that `seed`, the digest of a rule, gives them."""
    issued = pinned.items()
    count = len(issued) if limit is None else min(limit, len(issued))
    return Asked(pinned, pinned.row(issued), issued, ordered(issued, seed), count)


def asked_from_the_end(pinned: PinnedBenchmark, *, seed: str, limit: int) -> Asked:
    """The last whole chunks of a gate's order that hold at least `limit` items: a gate with a
    limit, or one that stops early, judges by others."""
    issued = pinned.items()
    chunks = [list(group) for _, group in groupby(ordered(issued, seed), key=lambda i: i.chunk)]
    order = [item for chunk in reversed(chunks) for item in chunk]
    count = 0
    for chunk in reversed(chunks):
        if count >= limit:
            break
        count += len(chunk)
    return Asked(pinned, pinned.row(issued), issued, order, count)


def only_chunks_of(asked: Asked, item_ids: Sequence[str]) -> Asked:
    """The whole chunks that hold some items, and nothing else."""
    wanted = set(item_ids)
    chunks = {item.chunk for item in asked.issued if item.id in wanted}
    order = [item for item in asked.issued if item.chunk in chunks]
    return Asked(asked.pinned, asked.row, asked.issued, order, len(order))
