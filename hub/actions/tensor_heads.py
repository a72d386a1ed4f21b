"""The tensors of a file, of the shards of an index, or of a model, by their headers alone."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hub.actions.readings import Reading, readings_of, require_bytes
from hub.actions.safetensors import INDEX_LIMIT_BYTES, SHARDS_LIMIT, TENSORS_LIMIT, shards_of
from hub.errors import EntryNotFoundError, HubError, TooLargeError
from hub.extensions import registries
from hub.formats.module_tree import HeadTensor
from hub.gitstore import Entry, GitStore
from hub.models import Repository

INDEX = ".safetensors.index.json"
_SHARD = re.compile(r"(?P<stem>.+)-\d{5}-of-\d{5}\.safetensors")


@dataclass(frozen=True)
class Head:
    """What headers tell. `problem` says why there is nothing; a worker may still be reading."""

    format: str = ""
    tensors: Sequence[HeadTensor] = ()
    metadata: Sequence[tuple[str, str, Any]] = ()
    files: Sequence[Entry] = ()
    problem: str = ""
    is_coming: bool = False
    entries: dict[str, Entry] = field(default_factory=dict)

    def find(self, name: str) -> HeadTensor | None:
        return next((tensor for tensor in self.tensors if tensor.name == name), None)


def format_of(path: str) -> str:
    """The reader that knows a file; "" where none does."""
    if path.endswith((".safetensors", INDEX)):
        return "safetensors"
    return "gguf" if path.endswith(".gguf") and "gguf" in registries.file_readers else ""


def head_at(repository: Repository, oid: str, path: str) -> Head:
    """The tensors of the file, or of all files of the index, at `path`."""
    try:
        return _gathered(repository, oid, _entries(repository, oid, path), format_of(path))
    except HubError as error:
        return Head(problem=str(error))


def head_of_model(repository: Repository, oid: str) -> Head | None:
    """The tensors of a model: what loaders take, else its largest GGUF; None where it has none."""
    names = {entry.name: entry for entry in repository.store().tree(oid) if entry.kind == "file"}
    for name in ("model.safetensors", f"model{INDEX}", "adapter_model.safetensors"):
        if name in names:
            return head_at(repository, oid, name)
    held = [entry for name, entry in names.items() if name.endswith(".safetensors")]
    if held:
        return _gathered(repository, oid, held[:SHARDS_LIMIT], "safetensors")
    found = [entry for name, entry in names.items() if format_of(name) == "gguf"]
    if found:
        largest = max(found, key=lambda entry: (entry.size, entry.path))
        return head_at(repository, oid, largest.path)
    return None


def whole_of(repository: Repository, oid: str, path: str) -> str:
    """The path of the index that a shard belongs to; "" of other files."""
    shard = _SHARD.fullmatch(path)
    if shard is None:
        return ""
    try:
        return repository.store().entry(oid, shard["stem"] + INDEX).path
    except EntryNotFoundError:
        return ""


def _entries(repository: Repository, oid: str, path: str) -> list[Entry]:
    store = repository.store()
    entry = store.entry(oid, path)
    if not path.endswith(INDEX):
        return [entry]
    folder = posixpath.dirname(path)
    index = _index(repository, store, entry)
    return [store.entry(oid, posixpath.join(folder, name)) for name in index]


def _index(repository: Repository, store: GitStore, entry: Entry) -> list[str]:
    if entry.size > INDEX_LIMIT_BYTES:
        raise TooLargeError(f"An index of more than {INDEX_LIMIT_BYTES} bytes is not read.")
    require_bytes(repository, [entry])
    opened = repository.blobs().open(entry.lfs.sha256) if entry.lfs else store.open_blob(entry.oid)
    with opened as file:
        return shards_of(file.read(INDEX_LIMIT_BYTES), entry.path)


def _gathered(repository: Repository, oid: str, entries: Sequence[Entry], kind: str) -> Head:
    found = readings_of(repository, oid, entries, kind)
    problem = next((each.problem for each in found if each.problem), "")
    if problem:
        return Head(problem=problem, files=entries)
    if any(each.is_coming for each in found):
        return Head(is_coming=True, files=entries)
    tensors = [
        HeadTensor(name, dtype, tuple(shape), start, size, entry.path)
        for entry, each in zip(entries, found, strict=True)
        for name, dtype, shape, start, size in each.told["tensors"]
    ]
    if len(tensors) > TENSORS_LIMIT:
        raise TooLargeError(f"The files hold more than {TENSORS_LIMIT} tensors together.")
    return Head(
        format=kind,
        tensors=tensors,
        metadata=_metadata(found),
        files=entries,
        entries={entry.path: entry for entry in entries},
    )


def _metadata(found: Sequence[Reading]) -> list[tuple[str, str, Any]]:
    """Each key once, as the first file has it."""
    known: dict[str, tuple[str, str, Any]] = {}
    for each in found:
        for key, kind, value in each.told["metadata"]:
            known.setdefault(key, (key, kind, value))
    return list(known.values())
