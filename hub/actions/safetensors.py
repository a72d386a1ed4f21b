"""The headers of a model's safetensors, gathered by its index."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from hub.actions import large_files
from hub.errors import BadInputError, EntryNotFoundError, TooLargeError
from hub.formats.bounded_json import load_json
from hub.formats.safetensors_header import MAX_HEADER_BYTES, SafetensorsHeader, read_header
from hub.gitstore import Entry, GitStore
from hub.models import Repository

INDEX_LIMIT_BYTES = MAX_HEADER_BYTES
INDEX_LIMIT_NODES = 500_000
SHARDS_LIMIT = 1000
TENSORS_LIMIT = 500_000  # of all shards together
HEADERS_LIMIT_BYTES = 128 * 1024**2  # likewise: many names may lead to one large header


@dataclass(frozen=True)
class Gathered:
    """What an index says of the whole, and the header of each shard by its name there."""

    metadata: Any
    headers: dict[str, SafetensorsHeader]


def gather(repository: Repository, path: str) -> Gathered:
    """The headers of what the index, or the single file, at `path` of the default branch names.

    Raises: EntryNotFoundError; BadInputError for broken ones; TooLargeError.
    """
    store = repository.store()
    oid = store.resolve(repository.default_branch)
    if not path.endswith(".json"):
        entry = store.entry(oid, path)
        return Gathered(None, {path: _header(repository, store, entry)})
    index = _index(repository, store, store.entry(oid, path))
    headers: dict[str, SafetensorsHeader] = {}
    tensors = header_bytes = 0
    for name in _shards(index):
        entry = store.entry(oid, posixpath.join(posixpath.dirname(path), name))
        headers[name] = _header(repository, store, entry)
        tensors, header_bytes = (
            tensors + len(headers[name].tensors),
            header_bytes + headers[name].data_start,
        )
        if tensors > TENSORS_LIMIT:
            raise TooLargeError(f"The shards hold more than {TENSORS_LIMIT} tensors together.")
        if header_bytes > HEADERS_LIMIT_BYTES:
            limit = HEADERS_LIMIT_BYTES
            raise TooLargeError(f"The headers of the shards hold more than {limit} bytes together.")
    return Gathered(index.get("metadata"), headers)


def _index(repository: Repository, store: GitStore, entry: Entry) -> dict[str, Any]:
    if entry.size > INDEX_LIMIT_BYTES:
        raise TooLargeError(f"An index of more than {INDEX_LIMIT_BYTES} bytes is not read.")
    with _opened(repository, store, entry) as file:
        content = file.read(INDEX_LIMIT_BYTES)
    return _parsed(content, entry.path)


def shards_of(content: bytes, path: str) -> list[str]:
    """The names of the shards that an index tells, in order.

    Raises: BadInputError, TooLargeError.
    """
    return _shards(_parsed(content, path))


def _parsed(content: bytes, path: str) -> dict[str, Any]:
    index = load_json(content, max_bytes=INDEX_LIMIT_BYTES, max_nodes=INDEX_LIMIT_NODES)
    if not isinstance(index, dict):
        raise BadInputError(f"{path} is no index of safetensors: write one JSON object.")
    return index


def _shards(index: dict[str, Any]) -> list[str]:
    """The names of the shards, in order. Raises: BadInputError, TooLargeError."""
    names = index.get("weight_map")
    if not isinstance(names, dict) or not all(isinstance(name, str) for name in names.values()):
        raise BadInputError("The “weight_map” of the index must map tensors to file names.")
    shards = sorted(set(names.values()))
    if len(shards) > SHARDS_LIMIT:
        raise TooLargeError(f"An index names at most {SHARDS_LIMIT} files here.")
    return shards


def _header(repository: Repository, store: GitStore, entry: Entry) -> SafetensorsHeader:
    with _opened(repository, store, entry) as file:
        return read_header(file, file_bytes=entry.size)


def _opened(repository: Repository, store: GitStore, entry: Entry) -> BinaryIO:
    if entry.kind != "file":
        raise EntryNotFoundError(f"{entry.path!r} is a folder, not a file.")
    if entry.lfs is None:
        return cast(BinaryIO, store.open_blob(entry.oid))
    large_files.require_link(repository, entry.lfs.sha256)
    return repository.blobs().open(entry.lfs.sha256)
