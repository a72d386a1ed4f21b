"""Chunks of items: the units that the runner scores whole, and in which a gate takes its looks.

How a number rounds depends on the batch that it is computed in, and batches are formed inside one
chunk. So a chunk always holds the same items in the same order, whoever asks and at whatever look;
only the order of whole chunks belongs to a gate, which permutes them by its own seed.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import ceil

from training.specs.items import Item

CHUNK_ITEMS = 256  # the most items of a chunk, but for clusters that are larger
LEAST_ITEMS = 16
LEAST_CHUNKS = 6  # so that a gate can look three times


def chunked(items: Iterable[Item]) -> list[Item]:
    """The items in canonical order, each with its chunk from 0 and its rank in this order.

    Chunks are filled in the order of the hash of an item's cluster, or of its id where it has
    none, so that they are random samples, the same whatever the order of `items`. A cluster is
    never split.
    """
    units = _units(items)
    total = sum(map(len, units))
    count = chunk_count(total)
    placed: list[Item] = []
    number, last = -1, -1
    for unit in units:
        place = len(placed) * count // total
        number, last = (number, last) if place == last else (number + 1, place)
        placed += [replace(item, chunk=number, rank=len(placed) + i) for i, item in enumerate(unit)]
    return placed


def chunk_count(n: int) -> int:
    """How many chunks `n` items make: 256 or fewer in each, at least six of at least 16."""
    return max(ceil(n / CHUNK_ITEMS), min(LEAST_CHUNKS, n // LEAST_ITEMS), 1)


def ordered(items: Iterable[Item], seed_text: str) -> list[Item]:
    """The items in the order of a gate: whole chunks, permuted by the hash of `seed_text` (the
    digest of its configuration), canonical order inside each. `rank` is the place in it.

    Look k is the first n_k items.
    """
    chunks: defaultdict[int, list[Item]] = defaultdict(list)
    for item in chunked(items):
        chunks[item.chunk].append(item)
    turn = sorted(chunks, key=lambda chunk: _hash(f"chunk:{seed_text}:{chunk}"))
    in_turn = (item for chunk in turn for item in chunks[chunk])
    return [replace(item, rank=rank) for rank, item in enumerate(in_turn)]


def _units(items: Iterable[Item]) -> list[Sequence[Item]]:
    """What stays together, in canonical order."""
    together: defaultdict[str, list[Item]] = defaultdict(list)
    for item in items:
        together[f"item:{item.id}" if item.cluster is None else f"cluster:{item.cluster}"].append(
            item
        )
    return [
        sorted(together[unit], key=lambda item: item.id)
        for unit in sorted(together, key=lambda unit: (_hash(unit), unit))
    ]


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
