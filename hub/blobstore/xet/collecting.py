"""Which xorbs and recipes of a scope nobody needs any more."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from hub.blobstore.store import BlobStore
from hub.blobstore.xet.hashing import to_hex
from hub.blobstore.xet.recipes import RecipeBox
from hub.blobstore.xet.xorbs import XorbShelf


@dataclass(frozen=True)
class Collected:
    """How much was removed."""

    recipes: int
    xorbs: int


def collect(
    blobs: BlobStore,
    box: RecipeBox,
    xorbs: XorbShelf,
    *,
    files_unused_for: timedelta,
    xorbs_unused_for: timedelta,
) -> Collected:
    """Remove recipes whose blob is gone, then xorbs that no recipe names.

    Whatever was used within the time given stays: an upload that is under way names xorbs before
    its recipe stands. The names of xorbs are read before the recipes, so that one that comes
    later is never missed.
    """
    stored = list(xorbs.names())
    gone, named = 0, set[str]()
    for name in list(box.names()):
        recipe = box.get(name)
        if recipe is None:
            continue
        if blobs.stat(recipe.sha256_hex) is None and box.discard(name, unused_for=files_unused_for):
            gone += 1
        else:
            named |= {to_hex(digest) for digest, *_ in recipe.terms()}
    orphans = (name for name in stored if name not in named)
    removed = sum(xorbs.discard(name, unused_for=xorbs_unused_for) for name in orphans)
    return Collected(gone, removed)


def problems(blobs: BlobStore, box: RecipeBox, xorbs: XorbShelf) -> Iterator[tuple[str, str]]:
    """(Xet hash, what is wrong) of each file whose recipe names what is not there."""
    for name in box.names():
        recipe = box.get(name)
        if recipe is None or blobs.stat(recipe.sha256_hex) is None:
            continue  # of a file that is gone; collected in time
        missing = {to_hex(digest) for digest, *_ in recipe.terms()}
        missing = {one for one in missing if xorbs.path(one) is None}
        if missing:
            yield name, f"{len(missing)} of its xorbs are not stored, such as {min(missing)}"
