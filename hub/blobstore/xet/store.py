"""What Xet clients send to one scope, on disk beside its blobs. There is no database."""

import secrets
from pathlib import Path

from hub.blobstore.landing import ByteStream
from hub.blobstore.store import BlobStore
from hub.blobstore.xet.ingest import IngestedFile, Progress, ShardIngest
from hub.blobstore.xet.recipes import RecipeBox
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

    def put_xorb(self, hash_hex: str, source: ByteStream | Path, *, length_bytes: int) -> bool:
        """Store a xorb after checking all of it. False when it was already here: then unread.

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

    def reconstruct(self, hash_hex: str, start: int, end: int) -> Reconstruction:
        """What to fetch for the bytes [start, end) of a file; `end` may lie beyond it.

        Raises: EntryNotFoundError; UnsatisfiableRangeError when the range begins beyond the file.
        """
        recipe = self._recipes.get(hash_hex)
        if recipe is None:
            raise EntryNotFoundError(f"No file with Xet hash {hash_hex} is stored here.")
        return reconstruct(recipe, self.xorbs.index, start, end)
