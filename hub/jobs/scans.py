"""Looks into files that may hold more than numbers: pickles, and headers of safetensors."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import IO, Any, cast

from hub.errors import EntryNotFoundError, RevisionNotFoundError, TooLargeError
from hub.formats.errors import FormatError
from hub.formats.pickle_names import sorted_imports
from hub.formats.pickle_walk import PickleError, Walk, walk
from hub.formats.safetensors_header import read_header
from hub.gitstore import Entry
from hub.jobs.refresh import storable
from hub.models import FileScan, Repository, ScanFormat, ScanVerdict, StoredObject

VERSION = 1  # raise it when the rules change: every file is looked into again
FILES_LIMIT = 500  # of one call; whoever looks at a folder asks for what is left
_FORMATS = {
    "safetensors": ScanFormat.SAFETENSORS,
    **dict.fromkeys(
        ("bin", "pt", "pth", "ckpt", "pkl", "pickle", "pk", "joblib", "th"), ScanFormat.PICKLE
    ),
}
Key = tuple[str, str]  # format, digest


def format_of(entry: Entry) -> ScanFormat | None:
    """As what a file is looked into; None for all that no program loads as code."""
    if entry.kind != "file" or entry.mode == "120000":
        return None
    return _FORMATS.get(entry.name.rpartition(".")[2].lower()) if "." in entry.name else None


def key_of(entry: Entry) -> Key | None:
    """Under which key its scan is kept."""
    found = format_of(entry)
    return (found, entry.lfs.sha256 if entry.lfs else entry.oid) if found else None


def known(repository: Repository, entries: Iterable[Entry]) -> dict[Key, FileScan]:
    """The scans of those of `entries` that were looked into, in one query."""
    digests = {key[1] for key in map(key_of, entries) if key}
    if not digests:
        return {}
    rows = FileScan.objects.filter(repository=repository, digest__in=digests, version=VERSION)
    return {(row.format, row.digest): row for row in rows}


def scan(repository_id: int, revision: str = "", folder: str | None = None) -> None:
    """Look into the files of a revision, or of one folder of it, that nobody has looked into.

    Safe to repeat: what is known is left alone, and a second worker writes the same.
    """
    repository = Repository.objects.filter(pk=repository_id).first()
    if repository is None:
        return
    store = repository.store()
    try:
        oid = store.resolve(revision or repository.default_branch)
        entries = store.tree(oid, folder or "", recursive=folder is None)
    except (RevisionNotFoundError, EntryNotFoundError, TooLargeError):
        return  # it was deleted while the message travelled, or is too wide: its folders are asked
    wanted = {key: entry for entry in entries if (key := key_of(entry))}
    done = known(repository, wanted.values())
    for key, entry in [item for item in wanted.items() if item[0] not in done][:FILES_LIMIT]:
        try:
            found = _looked_into(repository, entry, key[0])
        except EntryNotFoundError:
            continue  # its bytes are not here (yet)
        row = FileScan(
            repository=repository, format=key[0], digest=key[1], version=VERSION, **found
        )
        FileScan.objects.bulk_create(
            [row],
            update_conflicts=True,
            unique_fields=["repository", "format", "digest"],
            update_fields=["version", "verdict", "problem", "imports", "scanned_at"],
        )


def _looked_into(repository: Repository, entry: Entry, file_format: str) -> dict[str, Any]:
    """The columns of its scan. Raises: EntryNotFoundError when its bytes are not here."""
    with _opened(repository, entry) as file:
        if file_format == ScanFormat.SAFETENSORS:
            return _safetensors(file, entry)
        return _pickle(file)


def _opened(repository: Repository, entry: Entry) -> IO[bytes]:
    if entry.lfs is None:
        return _seekable(repository.store().open_blob(entry.oid))
    linked = StoredObject.objects.filter(
        links__repository=repository, sha256=entry.lfs.sha256
    ).exists()
    if not linked:
        raise EntryNotFoundError("This repository holds no such file.")
    return cast(IO[bytes], repository.blobs().open(entry.lfs.sha256))


def _seekable(file: IO[bytes]) -> IO[bytes]:
    if file.seekable():
        return file
    with file:
        return io.BytesIO(file.read())  # git holds no large ones: a push of them is refused


def _safetensors(file: IO[bytes], entry: Entry) -> dict[str, Any]:
    try:
        read_header(cast(Any, file), file_bytes=entry.size)
    except FormatError as error:
        return {"verdict": ScanVerdict.UNREADABLE, "problem": storable(str(error))[:300]}
    return {"verdict": ScanVerdict.SAFE}


def _pickle(file: IO[bytes]) -> dict[str, Any]:
    found, problem = Walk(), ""
    try:
        walk(file, found)
    except PickleError as error:
        problem = storable(str(error))[:300]
    imports = storable(sorted_imports(list(found.imports)))
    if imports["reaching"] or imports["unknown"]:
        verdict = ScanVerdict.SUSPICIOUS
    elif problem:
        verdict = ScanVerdict.UNREADABLE
    else:
        verdict = ScanVerdict.SAFE
    return {"verdict": verdict, "problem": problem, "imports": imports}
