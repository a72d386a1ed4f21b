"""From a shard to blobs: every claim in it is checked against bytes this scope already holds."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from hub.blobstore.ahead import ahead
from hub.blobstore.store import BlobStore, require_within
from hub.blobstore.xet import recipes
from hub.blobstore.xet.hashing import HashTree, file_hash, range_hash, to_hex
from hub.blobstore.xet.recipes import Recipe, RecipeBox
from hub.blobstore.xet.shard import ShardFile, Term, read_shard
from hub.blobstore.xet.xorb import XorbIndex
from hub.blobstore.xet.xorbs import XorbShelf
from hub.errors import UnprocessableError

# A shard of 64 MiB can repeat references; this many stand for about 1 TiB of real data.
MAX_CHUNK_REFERENCES = 16 * 1024**2
OPEN_INDEXES = 64  # of at most 320 KiB
PROGRESS_BYTES = 16 * 1024**2

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class IngestedFile:
    """A file that is now a blob: both its names, in text form, and its length."""

    xet_hash: str
    sha256: str
    size_bytes: int


class ShardIngest:
    """One shard on its way in: first all claims are checked, then the bytes are rebuilt."""

    def __init__(
        self, xorbs: XorbShelf, blobs: BlobStore, box: RecipeBox, *, limit_bytes: int
    ) -> None:
        self._xorbs, self._blobs, self._box = xorbs, blobs, box
        self._limit_bytes = limit_bytes
        self._references = 0
        self._index = lru_cache(maxsize=OPEN_INDEXES)(self._kept_index)

    def _kept_index(self, name: str) -> XorbIndex:
        self._xorbs.keep(name)  # from here on it is in use, and nothing collects it
        return self._xorbs.index(name)

    def run(self, body: bytes | Path, progress: Progress | None) -> list[IngestedFile]:
        """See `XetStore.ingest_shard`."""
        recipes_by_hash = {to_hex(file.file_hash): self._check(file) for file in read_shard(body)}
        missing = {h: r for h, r in recipes_by_hash.items() if not self._is_known(h, r)}
        report = Report(progress, sum(recipe.size_bytes for recipe in missing.values()))
        for hash_hex, recipe in missing.items():
            self._rebuild(recipe, report)
            self._box.put(hash_hex, recipe)
        return [
            IngestedFile(hash_hex, recipe.sha256_hex, recipe.size_bytes)
            for hash_hex, recipe in recipes_by_hash.items()
        ]

    def _check(self, file: ShardFile) -> Recipe:
        """The recipe of a file whose terms exist, are proved and add up to its hash."""
        tree, size_bytes, packed = HashTree(), 0, bytearray()
        for term in file.terms():
            index = self._proved_index(term)
            size_bytes += term.raw_bytes
            require_within(size_bytes, self._limit_bytes)
            for digest, chunk_bytes in index.leaves(term.start, term.end):
                tree.add(digest, chunk_bytes)
            packed += recipes.TERM.pack(term.xorb, term.start, term.end, term.raw_bytes)
        if file_hash(tree.root()) != file.file_hash:
            raise UnprocessableError(
                f"The terms of file {to_hex(file.file_hash)} make another file. Upload it again."
            )
        return Recipe(file.sha256, size_bytes, bytes(packed))

    def _proved_index(self, term: Term) -> XorbIndex:
        name = to_hex(term.xorb)
        index = self._index(name)
        if not term.start < term.end <= len(index):
            raise UnprocessableError(
                f"Xorb {name} has {len(index)} chunks, not {term.start} to {term.end}."
            )
        self._references += term.end - term.start
        if self._references > MAX_CHUNK_REFERENCES:
            raise UnprocessableError("The shard names too many chunks. Upload fewer files at once.")
        first_byte, end_byte = index.raw_span(term.start, term.end)
        if end_byte - first_byte != term.raw_bytes:
            raise UnprocessableError(f"A term over xorb {name} has another length. Upload again.")
        if range_hash(index.hashes(term.start, term.end)) != term.proof:
            raise UnprocessableError(f"The proof for a term over xorb {name} is wrong.")
        return index

    def _is_known(self, hash_hex: str, recipe: Recipe) -> bool:
        """Whether an earlier ingest rebuilt this very file, and its blob is still there.

        That a blob with the claimed sha256 exists is not enough: it may be somebody else's.
        """
        earlier = self._box.get(hash_hex)
        if earlier is None:
            return False
        if earlier.sha256 != recipe.sha256:
            raise UnprocessableError(
                f"File {hash_hex} has sha256 {earlier.sha256_hex}, not the one claimed."
            )
        return self._blobs.stat(recipe.sha256_hex) is not None

    def _rebuild(self, recipe: Recipe, report: "Report") -> None:
        self._blobs.put_chunks(
            report.counted(ahead(self._raw_chunks(recipe))),
            sha256=recipe.sha256_hex,
            size_bytes=recipe.size_bytes,
            limit_bytes=self._limit_bytes,
        )

    def _raw_chunks(self, recipe: Recipe) -> Iterator[bytes]:
        for digest, start, end, _ in recipe.terms():
            name = to_hex(digest)
            yield from self._xorbs.raw_chunks(name, self._index(name), start, end)


class Report:
    """Tells `progress` (bytes done, bytes in all) at the start, at the end and now and then."""

    def __init__(self, progress: Progress | None, total_bytes: int) -> None:
        self._progress, self._total_bytes = progress, total_bytes
        self._done_bytes, self._told_bytes = 0, 0
        self._tell()

    def counted(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            yield chunk
            self._done_bytes += len(chunk)
            if self._done_bytes - self._told_bytes >= PROGRESS_BYTES:
                self._tell()
        self._tell()

    def _tell(self) -> None:
        self._told_bytes = self._done_bytes
        if self._progress:
            self._progress(self._done_bytes, self._total_bytes)
