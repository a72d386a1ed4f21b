"""What a commit holds: entries, folders, content."""

import io
import posixpath
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Literal

import pygit2
from pygit2.enums import FileMode, ObjectType

from hub.errors import EntryNotFoundError, RevisionNotFoundError, TooLargeError
from hub.gitstore.pointers import LIMIT_BYTES, parse_pointer
from hub.gitstore.process import spawn_git
from hub.gitstore.values import Entry

ENTRIES_LIMIT = 100_000
IN_MEMORY_BYTES = 4 * 1024**2


def tree_of(repository: pygit2.Repository, oid: str) -> pygit2.Tree:
    """The tree of a commit, or the tree that `oid` is. Raises RevisionNotFoundError."""
    try:
        return repository[oid].peel(pygit2.Tree)
    except (KeyError, ValueError, pygit2.GitError) as error:
        raise RevisionNotFoundError(f"There is no revision {oid[:80]!r} here.") from error


def find_entry(repository: pygit2.Repository, oid: str, path: str) -> Entry:
    """The file or folder at `path`; "" is the root. Raises EntryNotFoundError."""
    root, path = tree_of(repository, oid), path.strip("/")
    if not path:
        return Entry("", "directory", str(root.id), 0, "040000")
    try:
        found = root[path]
    except (KeyError, ValueError, pygit2.GitError):
        found = None
    if found is None or found.filemode == FileMode.COMMIT:
        raise EntryNotFoundError(f"There is no file or folder {path[:1024]!r} at this revision.")
    return entry_of(repository, found, path)


def entry_of(repository: pygit2.Repository, found: pygit2.Object, path: str) -> Entry:
    """The entry for what a tree holds at `path`; a pointer shows the size of its large file."""
    mode = f"{found.filemode:06o}"
    if found.type == ObjectType.TREE:
        return Entry(path, "directory", str(found.id), 0, mode)
    return blob_entry(repository, found.id, mode, path)


def blob_entry(repository: pygit2.Repository, oid: pygit2.Oid, mode: str, path: str) -> Entry:
    """The entry of a blob. Only its header is read, and small blobs whole: they may be pointers."""
    kind: Literal["file"] = "file"
    size = repository.odb.read_header(oid)[1]
    pointer = None
    if size < LIMIT_BYTES and mode != "120000":
        pointer = parse_pointer(repository.odb.read(oid)[1])
    return Entry(path, kind, str(oid), pointer.size_bytes if pointer else size, mode, pointer)


def list_tree(
    repository: pygit2.Repository, oid: str, path: str, *, recursive: bool
) -> list[Entry]:
    """The children of a folder, in git's order; with `recursive`, all below it, folders too.

    Raises: EntryNotFoundError when `path` is no folder; TooLargeError past 100 000 entries.
    """
    folder = find_entry(repository, oid, path)
    if folder.kind != "directory":
        raise EntryNotFoundError(f"{path!r} is a file, not a folder.")
    entries: list[Entry] = []
    for found in _walk(repository, tree_of(repository, folder.oid), folder.path, recursive):
        entries.append(found)
        if len(entries) > ENTRIES_LIMIT:
            raise TooLargeError(f"{path or 'This revision'} holds over {ENTRIES_LIMIT} entries.")
    return entries


def _walk(
    repository: pygit2.Repository, tree: pygit2.Tree, prefix: str, recursive: bool
) -> Iterator[Entry]:
    for child in tree:
        if child.filemode == FileMode.COMMIT:
            continue  # a submodule of an imported history: nothing of it is here
        name = (child.raw_name or b"").decode("utf-8", "replace")
        entry = entry_of(repository, child, posixpath.join(prefix, name))
        yield entry
        if recursive and isinstance(child, pygit2.Tree):
            yield from _walk(repository, child, entry.path, recursive)


def read_file(repository: pygit2.Repository, oid: str, path: str, *, limit_bytes: int) -> bytes:
    """The content of a file as git has it (the pointer's text for a large file).

    Raises: EntryNotFoundError; TooLargeError above `limit_bytes`, before anything is read.
    """
    entry = find_entry(repository, oid, path)
    if entry.kind != "file":
        raise EntryNotFoundError(f"{path!r} is a folder, not a file.")
    size = entry.lfs.pointer_size_bytes if entry.lfs else entry.size
    if size > limit_bytes:
        raise TooLargeError(f"{path} is {size} bytes; this place reads up to {limit_bytes}.")
    return repository.odb.read(entry.oid)[1]


def open_blob(repository: pygit2.Repository, blob_oid: str) -> IO[bytes]:
    """A reader of one blob; large ones stream out of git without being held in memory."""
    try:
        kind, size = repository.odb.read_header(blob_oid)
    except (KeyError, ValueError, pygit2.GitError) as error:
        raise EntryNotFoundError(f"There is no file content {blob_oid[:80]!r} here.") from error
    if kind != ObjectType.BLOB:
        raise EntryNotFoundError(f"{blob_oid} is no file content.")
    if size <= IN_MEMORY_BYTES:
        return io.BytesIO(repository.odb.read(blob_oid)[1])
    return io.BufferedReader(_BlobStream(Path(repository.path), blob_oid))


class _BlobStream(io.RawIOBase):
    """Bytes from `git cat-file`; closing it ends the child."""

    def __init__(self, git_dir: Path, oid: str) -> None:
        self._running = spawn_git(git_dir, ["cat-file", "blob", oid])
        self._process: subprocess.Popen[bytes] = self._running.__enter__()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        assert self._process.stdout is not None  # noqa: S101, spawn_git always asks for a pipe
        return self._process.stdout.readinto(buffer)  # type: ignore[attr-defined]

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._running.__exit__(None, None, None)
