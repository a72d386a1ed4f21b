"""What a run reads, pinned by digest, and how it comes to lie in the run's folder."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO, Any

from hub.blobstore import BlobStore
from hub.errors import EntryNotFoundError, UnprocessableError
from hub.gitstore import Entry, GitStore
from hub.models import Repository
from training.runner.folders import ADAPTER_FILES, MODEL_FILES, PATCH_FILES
from training.specs.schema import digest_of

WEIGHED_FILES = (*MODEL_FILES, *ADAPTER_FILES, *PATCH_FILES)
# What decides how a model behaves and is not loaded by the gate: weights in other forms, code that
# loaders run, tokenizers and configurations of other kinds. Said on the record, so that nobody
# believes it to be weighed.
UNLOADED_FILES = (
    "*.bin", "*.pt", "*.pth", "*.ckpt", "*.gguf", "*.ggml", "*.onnx", "*.onnx_data", "*.h5",
    "*.keras", "*.pb", "*.tflite", "*.mlmodel", "*.msgpack", "*.npz", "*.npy", "*.pkl", "*.pickle",
    "*.joblib", "*.nemo", "*.llamafile", "*.engine", "*.mar", "*.ot", "*.safetensors", "*.py",
    "*.so", "*.jinja", "*.model", "*.tiktoken", "*config.json", "*.index.json", "tokenizer.json",
    "vocab.txt",
)  # fmt: skip
# Large files that cannot be weights.
_MEDIA = (
    "*.png", "*.jpg", "*.jpeg", "*.gif", "*.webp", "*.svg", "*.pdf", "*.mp3", "*.wav", "*.flac",
    "*.mp4", "*.webm", "*.txt", "*.md", "*.csv", "*.tsv", "*.jsonl", "*.parquet",
)  # fmt: skip
CHUNK_BYTES = 1024 * 1024


@dataclass(frozen=True)
class PinnedFile:
    """A file of a commit by the SHA-256 of its bytes; `oid` is the blob that git has."""

    path: str
    sha256: str
    size_bytes: int
    oid: str
    is_large: bool

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def pin(store: GitStore, entry: Entry) -> PinnedFile:
    """The identity of the bytes behind `entry`: those of the large file for a pointer."""
    if entry.lfs is not None:
        return PinnedFile(entry.path, entry.lfs.sha256, entry.size, entry.oid, True)
    with store.open_blob(entry.oid) as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()  # type: ignore[arg-type]
    return PinnedFile(entry.path, sha256, entry.size, entry.oid, False)


def model_files(
    store: GitStore, oid: str, known: dict[tuple[str, str], PinnedFile] | None = None
) -> list[PinnedFile]:
    """The weights, configs and tokenizer files in the root of a commit or tree, adapter and
    sparse patch too.

    `known` holds files by path and blob oid between calls on the commits of one history, most of
    whose files are the same: each is hashed once.
    """
    known = {} if known is None else known
    entries = store.tree(oid, "", recursive=False)
    weighed = [e for e in entries if e.kind == "file" and _matches(e.path, WEIGHED_FILES)]
    for entry in weighed:
        if (entry.path, entry.oid) not in known:
            known[entry.path, entry.oid] = pin(store, entry)
    return [known[entry.path, entry.oid] for entry in weighed]


def model_size(store: GitStore, oid: str) -> tuple[int, int]:
    """How many files `model_files` would name, and their bytes; nothing is read."""
    entries = store.tree(oid, "", recursive=False)
    sizes = [e.size for e in entries if e.kind == "file" and _matches(e.path, WEIGHED_FILES)]
    return len(sizes), sum(sizes)


def unloaded_files(store: GitStore, oid: str) -> dict[str, str]:
    """Blob oids of files that decide how a model behaves and that the gate cannot load, by path."""
    return {
        entry.path: entry.oid
        for entry in store.tree(oid, "", recursive=True)
        if entry.kind == "file" and _decides_unloaded(entry)
    }


def _decides_unloaded(entry: Entry) -> bool:
    if "/" not in entry.path and _matches(entry.path, WEIGHED_FILES):
        return False
    name = entry.name.lower()
    if entry.lfs is not None and not _matches(name, _MEDIA):
        return True
    return _matches(name, UNLOADED_FILES)


def unloaded_changes(store: GitStore, base: str, candidate: str) -> list[str]:
    """The paths of `unloaded_files` that a change touches, sorted."""
    before, after = unloaded_files(store, base), unloaded_files(store, candidate)
    paths = before.keys() | after.keys()
    return sorted(path for path in paths if before.get(path) != after.get(path))


def is_loadable(files: Iterable[PinnedFile]) -> bool:
    """Whether there are weights among a model's files."""
    return any(_matches(file.path, ("model*.safetensors",)) for file in files)


def changed_files(before: Iterable[PinnedFile], after: Iterable[PinnedFile]) -> list[str]:
    """The paths of a model's files that are not the same on both sides, sorted."""
    old, new = ({file.path: file.sha256 for file in files} for files in (before, after))
    return sorted(path for path in old.keys() | new.keys() if old.get(path) != new.get(path))


def model_digest(files: Iterable[PinnedFile]) -> str:
    """SHA-256 over the sorted (path, sha256) of a model's files: its identity for scores."""
    return digest_of(sorted((file.path, file.sha256) for file in files))


def pin_file(store: GitStore, oid: str, path: str) -> PinnedFile:
    """The file `path` of a commit. Raises: EntryNotFoundError."""
    entry = store.entry(oid, path)
    if entry.kind != "file":
        raise EntryNotFoundError(f"{path} is a folder: name one of its files.")
    return pin(store, entry)


def files_of(given: dict[str, Any]) -> list[PinnedFile]:
    """The files of one input of a spec."""
    return [PinnedFile(**file) for file in given["files"]]


def open_pinned(repository: Repository, file: PinnedFile) -> IO[bytes]:
    """A reader of a pinned file's bytes, wherever they lie; close it."""
    if file.is_large:
        return repository.blobs().open(file.sha256)
    return repository.store().open_blob(file.oid)


def lay_out(repository: Repository, files: Iterable[PinnedFile], folder: Path) -> dict[str, Path]:
    """Make `files` regular, read-only files in `folder`; large ones are returned, not copied.

    Returns: where each large file lies, by its path, to be mounted read-only over the empty file
    that stands for it.
    Raises: UnprocessableError when a large file is gone, or bytes are not those pinned.
    """
    store, blobs = repository.store(), repository.blobs()
    folder.mkdir(parents=True, exist_ok=True)
    mounted: dict[str, Path] = {}
    for file in files:
        if file.is_large:
            mounted[file.path] = _large(blobs, file)
            (folder / file.path).parent.mkdir(parents=True, exist_ok=True)
            (folder / file.path).touch()
        else:
            _write(store, file, folder / file.path)
    return mounted


def _large(blobs: BlobStore, file: PinnedFile) -> Path:
    path = blobs.path(file.sha256)
    if path is None:
        raise UnprocessableError(
            f"The bytes of {file.path} are not in the store: upload the file again."
        )
    return path


def _write(store: GitStore, file: PinnedFile, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    hasher = hashlib.sha256()
    with store.open_blob(file.oid) as source, target.open("xb") as out:
        while chunk := source.read(CHUNK_BYTES):
            hasher.update(chunk)
            out.write(chunk)
    target.chmod(0o444)
    if hasher.hexdigest() != file.sha256:
        raise UnprocessableError(f"{file.path} is not the file this run was made for: re-run it.")


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
