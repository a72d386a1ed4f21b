"""One file's chunks on their way into the xorbs of another scope."""

import numpy as np

from hub.blobstore.xet.hashing import from_hex, to_hex
from hub.blobstore.xet.recipes import TERM, Recipe
from hub.blobstore.xet.xorbs import XorbShelf


def carry_terms(recipe: Recipe, source: XorbShelf, target: XorbShelf) -> bytes:
    """The packed terms of the same file over xorbs of `target`, which are made where missing."""
    carried = {name: _carry(name, used, source, target) for name, used in _used(recipe).items()}
    packed = bytearray()
    for digest, start, end, raw_bytes in recipe.terms():
        name, numbers = carried[to_hex(digest)]
        first = int(np.searchsorted(numbers, start))
        packed += TERM.pack(from_hex(name), first, first + end - start, raw_bytes)
    return bytes(packed)


def _used(recipe: Recipe) -> dict[str, np.ndarray]:
    """The numbers of the chunks that a file uses, ascending, by xorb."""
    spans: dict[str, list[np.ndarray]] = {}
    for digest, start, end, _ in recipe.terms():
        spans.setdefault(to_hex(digest), []).append(np.arange(start, end))
    return {name: np.unique(np.concatenate(parts)) for name, parts in spans.items()}


def _carry(
    name: str, used: np.ndarray, source: XorbShelf, target: XorbShelf
) -> tuple[str, np.ndarray]:
    """Where the chunks `used` of a xorb are found in `target`: a xorb, and their old numbers."""
    if len(used) == len(source.index(name)):
        target.link_from(source, name)
        return name, used
    return target.extract(source, name, used), used
