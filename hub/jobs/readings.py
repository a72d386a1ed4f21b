"""What is in a file, told by a reader of its format, and kept beside the repository's objects.

An answer is named by the oid of the file's blob (of a large file: of its pointer, which names the
bytes), so it is true for ever. Losing one costs time only.
"""

from __future__ import annotations

from contextlib import suppress
from typing import IO, Any

from hub.errors import HubError, NotFoundError
from hub.extensions import FileReader, registries
from hub.formats import tensor_head, tfevents, tokenizer
from hub.gitstore import Entry
from hub.models import Repository

MIB = 1024 * 1024


def _tokenizer(file: IO[bytes], size: int) -> object:
    if size > tokenizer.MAX_BYTES:
        limit = tokenizer.MAX_BYTES
        raise tokenizer.TokenizerError(f"A tokenizer.json of more than {limit} bytes is not read.")
    return tokenizer.read_tokenizer(file.read(size))


def _events(file: IO[bytes], size: int) -> object:
    return tfevents.read_scalars(file).to_json()


OWN = {
    "safetensors": FileReader(tensor_head.read_safetensors_head, 1, 1 << 62),
    "tokenizer": FileReader(_tokenizer, 1, MIB),
    "events": FileReader(_events, 1, MIB // 2),
}


def reader_of(kind: str) -> FileReader:
    return OWN.get(kind) or registries.file_readers[kind]


def key_of(kind: str, blob_oid: str) -> str:
    return f"read-{kind}-{reader_of(kind).version}-{blob_oid}"


def kept(repository: Repository, kind: str, entry: Entry) -> dict[str, Any] | None:
    """What was read before: {"told"} or {"problem"}; None when nothing was."""
    found: dict[str, Any] | None = repository.store().answers.get(key_of(kind, entry.oid))
    return found


def read(repository: Repository, kind: str, entry: Entry) -> dict[str, Any]:
    """Read a file and keep what it tells, or why it is refused. Safe to repeat and to kill.

    Raises: EntryNotFoundError: its bytes are not here (yet).
    """
    store = repository.store()
    opened = repository.blobs().open(entry.lfs.sha256) if entry.lfs else store.open_blob(entry.oid)
    with opened as file:
        try:
            found = {"told": reader_of(kind).read(file, entry.size)}
        except HubError as error:
            found = {"problem": str(error)}
    store.answers.put(key_of(kind, entry.oid), found)
    return found


def carry_out(repository_id: int, kind: str, oid: str, path: str) -> None:
    """Read a file of a commit that is too large to be read while somebody waits."""
    repository = Repository.objects.filter(pk=repository_id).first()
    if repository is None:
        return
    with suppress(NotFoundError):  # it was removed while the message travelled
        entry = repository.store().entry(oid, path)
        if kept(repository, kind, entry) is None:
            read(repository, kind, entry)
