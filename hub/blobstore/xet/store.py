"""What Xet clients send to one scope, on disk beside its blobs. There is no database."""

import secrets
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path

from hub.blobstore.landing import ByteStream
from hub.blobstore.store import BlobStore
from hub.blobstore.xet.carrying import carry_terms
from hub.blobstore.xet.collecting import Collected, collect, problems
from hub.blobstore.xet.dedup import dedup_shard
from hub.blobstore.xet.ingest import IngestedFile, Progress, ShardIngest
from hub.blobstore.xet.recipes import Recipe, RecipeBox
from hub.blobstore.xet.reconstruction import Reconstruction, reconstruct
from hub.blobstore.xet.xorbs import XorbShelf
from hub.errors import EntryNotFoundError


class XetStore:
    """The xorbs and file recipes of the scope of `blobs`, below the same `root`.

    Hashes are in text form: 64 lowercase hex digits, as in URLs.
    """

    def __init__(self, root: Path, blobs: BlobStore) -> None:
        self.blobs = blobs
        self._epoch_place = root / "xet-epoch"
        self.xorbs = XorbShelf(root, blobs.landing)
        self._recipes = RecipeBox(root, blobs.landing)

    def epoch(self) -> str:
        """The name of this stock of xorbs: another one once the stock was emptied.

        hf_xet remembers for three weeks, by the address of the store, which xorbs it sent there.
        """
        if not self._epoch_place.is_file():
            with self.blobs.landing.draft() as draft:
                draft.write(secrets.token_hex(4).encode())
                draft.publish(self._epoch_place)
        return self._epoch_place.read_text()

    def renew_epoch(self) -> str:
        """Give this stock of xorbs another name: do so before any that clients know are dropped."""
        epoch = secrets.token_hex(4)
        with self.blobs.landing.draft() as draft:
            draft.write(epoch.encode())
            draft.replace(self._epoch_place)
        return epoch

    def put_xorb(self, hash_hex: str, source: ByteStream | Path, *, length_bytes: int) -> bool:
        """Store a xorb after checking all of it. False when it was already here: then unread.

        A file at a path becomes the xorb itself, without a copy where possible: nobody else may
        write to it any more, and its name stays for its owner to remove.
        Raises:
            BadInputError: `hash_hex` is no hash.
            TooLargeError: more than 64 MiB.
            UnprocessableError: broken frames, or bytes that do not hash to `hash_hex`.
            StorageFullError: the disk is full, or would be.
        """
        return self.xorbs.put(hash_hex, source, length_bytes=length_bytes)

    def ingest_shard(
        self, body: bytes | Path, *, limit_bytes: int, progress: Progress | None = None
    ) -> list[IngestedFile]:
        """Make the files that a shard names into blobs, and return them.

        `progress(done_bytes, total_bytes)` is called before the first byte is rebuilt (raise
        there to refuse the total) and every 16 MiB. A file ingested before is not rebuilt.
        Memory: the shard, and a few MiB.
        Raises:
            TooLargeError: a shard over 64 MiB, or a file over `limit_bytes`.
            UnprocessableError: a malformed shard, a xorb not in this scope, a wrong proof, file
                hash or sha256; no file at fault is stored.
            StorageFullError: the disk is full, or would be.
        """
        ingest = ShardIngest(self.xorbs, self.blobs, self._recipes, limit_bytes=limit_bytes)
        return ingest.run(body, progress)

    def file(self, hash_hex: str) -> IngestedFile | None:
        """The file with this Xet hash, once ingested here and still stored."""
        recipe = self._recipes.get(hash_hex)
        blob = self.blobs.stat(recipe.sha256_hex) if recipe else None
        return IngestedFile(hash_hex, blob.sha256, blob.size_bytes) if blob else None

    def recipe(self, hash_hex: str) -> Recipe | None:
        """How the file with this Xet hash is made of xorbs."""
        return self._recipes.get(hash_hex)

    def carry(self, other: "XetStore", hash_hex: str) -> bool:
        """Store here what another scope's store needs to serve the file with this Xet hash.

        The blob is here already. Of a xorb that also holds chunks of other files, only this
        file's come along. False when `other` cannot serve it.
        """
        recipe = other._recipes.get(hash_hex)
        if recipe is None:
            return False
        if self._recipes.get(hash_hex) is None:
            carried = carry_terms(recipe, other.xorbs, self.xorbs)
            self._recipes.put(hash_hex, Recipe(recipe.sha256, recipe.size_bytes, carried))
        return True

    def dedup_shard(self, hashes: Iterable[str], *, key: bytes, expires_at: int) -> bytes:
        """What a client needs to know to send only new chunks of files like these."""
        recipes = (recipe for one in hashes if (recipe := self._recipes.get(one)))
        return dedup_shard(recipes, self.xorbs.index, key=key, expires_at=expires_at)

    def collect(self, *, files_unused_for: timedelta, xorbs_unused_for: timedelta) -> Collected:
        """Remove recipes of files that are gone, then xorbs that no recipe names."""
        return collect(
            self.blobs,
            self._recipes,
            self.xorbs,
            files_unused_for=files_unused_for,
            xorbs_unused_for=xorbs_unused_for,
        )

    def problems(self) -> Iterator[tuple[str, str]]:
        """(Xet hash, what is wrong) of each file that could not be served."""
        return problems(self.blobs, self._recipes, self.xorbs)

    def reconstruct(self, hash_hex: str, start: int, end: int) -> Reconstruction:
        """What to fetch for the bytes [start, end) of a file; `end` may lie beyond it.

        Raises: EntryNotFoundError; UnsatisfiableRangeError when the range begins beyond the file.
        """
        recipe = self._recipes.get(hash_hex)
        if recipe is None:
            raise EntryNotFoundError(f"No file with Xet hash {hash_hex} is stored here.")
        return reconstruct(recipe, self.xorbs.index, start, end)
