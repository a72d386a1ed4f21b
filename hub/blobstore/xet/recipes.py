"""How files of one scope are made of xorbs: the verified link from a Xet hash to a sha256."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from hub.blobstore.landing import Landing
from hub.blobstore.store import fan_out
from hub.blobstore.xet.hashing import to_hex

HEAD = struct.Struct("<8s32sQ")  # tag, sha256, size
TERM = struct.Struct("<32sIII")  # xorb hash, first chunk, end chunk, raw bytes
TAG = b"WBXETF01"


@dataclass(frozen=True)
class Recipe:
    """A file whose rebuilt bytes were seen to have this sha256. Hashes are raw Xet bytes."""

    sha256: bytes
    size_bytes: int
    packed_terms: bytes

    @property
    def sha256_hex(self) -> str:
        return to_hex(self.sha256)

    def terms(self) -> Iterator[tuple[bytes, int, int, int]]:
        """Each term as (xorb hash, first chunk, end chunk, raw bytes)."""
        return TERM.iter_unpack(self.packed_terms)


class RecipeBox:
    """The recipes below `root`, by the text form of the file's Xet hash."""

    def __init__(self, root: Path, landing: Landing) -> None:
        self.root, self._landing = root, landing

    def get(self, hash_hex: str) -> Recipe | None:
        try:
            packed = self._place(hash_hex).read_bytes()
        except FileNotFoundError:
            return None
        tag, sha256, size_bytes = HEAD.unpack_from(packed)
        if tag != TAG:
            raise ValueError(f"{self._place(hash_hex)} is not a stored recipe")
        return Recipe(sha256, size_bytes, packed[HEAD.size :])

    def put(self, hash_hex: str, recipe: Recipe) -> None:
        """Keep a recipe. An earlier one for the same file stays."""
        with self._landing.draft(len(recipe.packed_terms)) as draft:
            draft.write(HEAD.pack(TAG, recipe.sha256, recipe.size_bytes))
            draft.write(recipe.packed_terms)
            draft.publish(self._place(hash_hex))

    def names(self) -> Iterator[str]:
        """The Xet hash of every recipe, in no order."""
        return (path.name for path in (self.root / "xet-files").glob("??/??/*"))

    def discard(self, hash_hex: str, *, unused_for: timedelta) -> bool:
        """Remove a recipe unless somebody used it within `unused_for`."""
        return self._landing.discard(self._place(hash_hex), unused_for=unused_for)

    def _place(self, hash_hex: str) -> Path:
        return fan_out(self.root / "xet-files", hash_hex)
