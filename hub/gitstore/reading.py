"""What a commit holds: entries, folders, content."""

import io
import re
import subprocess
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, NamedTuple

import pygit2
from pygit2.enums import FileMode, ObjectType

from hub.errors import BadInputError, EntryNotFoundError, RevisionNotFoundError, TooLargeError
from hub.gitstore.pointers import LIMIT_BYTES, Pointer, parse_pointer
from hub.gitstore.process import spawn_git
from hub.gitstore.values import Entry

ENTRIES_LIMIT = 100_000
IN_MEMORY_BYTES = 4 * 1024**2
_RAW_ENTRY = re.compile(rb"([0-7]+) ([^\0]+)\0(.{20})", re.DOTALL)
_FOLDER_MODE = "040000"
_MODES = {b"40000": _FOLDER_MODE, b"100644": "100644", b"100755": "100755"}
SIZES_LIMIT = 20_000
_NO_PLACE = "This cursor names no entry here: start from the first page."


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
    size, pointer = _sizes.of(repository, oid.raw)
    if pointer is None or mode == "120000":
        return Entry(path, "file", str(oid), size, mode)
    return Entry(path, "file", str(oid), pointer.size_bytes, mode, pointer)


class _Sizes:
    """(size, pointer) of blobs by their oids, the same for ever; all go when there are too many."""

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[int, Pointer | None]] = {}

    def of(self, repository: pygit2.Repository, raw: bytes) -> tuple[int, Pointer | None]:
        if found := self._known.get(raw):
            return found
        oid, pointer = pygit2.Oid(raw=raw), None
        size = repository.odb.read_header(oid)[1]
        if size < LIMIT_BYTES:
            pointer = parse_pointer(repository.odb.read(oid)[1])
        if len(self._known) >= SIZES_LIMIT:
            self._known = {}
        self._known[raw] = size, pointer
        return size, pointer


_sizes = _Sizes()


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
    for found in _walk(repository, pygit2.Oid(hex=folder.oid), _below(folder.path), recursive):
        entries.append(found)
        if len(entries) > ENTRIES_LIMIT:
            raise TooLargeError(f"{path or 'This revision'} holds over {ENTRIES_LIMIT} entries.")
    return entries


def page_tree(
    repository: pygit2.Repository,
    oid: str,
    path: str,
    *,
    recursive: bool,
    after: str,
    limit: int,
) -> tuple[list[Entry], bool]:
    """Up to `limit` entries of `list_tree` behind the entry `after`, and whether more follow.

    Only these are read, however many come before. Raises: EntryNotFoundError, BadInputError when
    `after` is no entry of this listing.
    """
    folder = find_entry(repository, oid, path)
    if folder.kind != "directory":
        raise EntryNotFoundError(f"{path!r} is a file, not a folder.")
    tree, behind = pygit2.Oid(hex=folder.oid), _behind(folder.path, after, recursive)
    walk = _walk(repository, tree, _below(folder.path), recursive, behind)
    found = list(islice(walk, limit + 1))
    return found[:limit], len(found) > limit


def _below(folder: str) -> str:
    return f"{folder}/" if folder else ""


def _behind(folder: str, after: str, recursive: bool) -> list[str]:
    if not after:
        return []
    prefix = _below(folder)
    names = after.removeprefix(prefix).split("/")
    if not after.startswith(prefix) or (len(names) > 1 and not recursive):
        raise BadInputError(_NO_PLACE)
    return names


class Child(NamedTuple):
    """What a tree says of one entry, its content not looked into."""

    name: str
    raw_oid: bytes
    mode: str

    @property
    def oid(self) -> pygit2.Oid:
        return pygit2.Oid(raw=self.raw_oid)

    @property
    def is_folder(self) -> bool:
        return self.mode == _FOLDER_MODE


def children_of(repository: pygit2.Repository, tree: str) -> list[Child]:
    """The direct children of the tree `tree`, in git's order, submodules left out."""
    found = _RAW_ENTRY.findall(repository.odb.read(pygit2.Oid(hex=tree))[1])
    return [Child(_text(name), raw, _mode(mode)) for mode, name, raw in found if mode != b"160000"]


def list_paths(repository: pygit2.Repository, oid: str) -> list[str]:
    """The paths of all files, in git's order; no file is looked into.

    Raises: TooLargeError past 100 000 files, or three times as many files and folders.
    """
    paths: list[str] = []
    for count, path in enumerate(_raw_paths(repository, tree_of(repository, oid).id, b""), 1):
        if not path.endswith(b"/"):
            paths.append(path.decode("utf-8", "replace"))
        if len(paths) > ENTRIES_LIMIT or count > 3 * ENTRIES_LIMIT:
            raise TooLargeError(f"This revision holds over {ENTRIES_LIMIT} files.")
    return paths


def _raw_paths(repository: pygit2.Repository, tree: pygit2.Oid, prefix: bytes) -> Iterator[bytes]:
    """All paths below a folder; those of folders end in a slash."""
    for mode, name, oid in _RAW_ENTRY.findall(repository.odb.read(tree)[1]):
        if mode == b"40000":
            yield (below := prefix + name + b"/")
            yield from _raw_paths(repository, pygit2.Oid(raw=oid), below)
        elif mode != b"160000":  # a submodule of an imported history: nothing of it is here
            yield prefix + name


def _walk(
    repository: pygit2.Repository,
    tree: pygit2.Oid,
    prefix: str,
    recursive: bool,
    behind: Sequence[str] = (),
) -> Iterator[Entry]:
    """What a folder holds; with `behind`, what follows the entry that these names lead to.

    `prefix` is "" or ends in a slash.
    """
    children = iter(_RAW_ENTRY.findall(repository.odb.read(tree)[1]))
    if behind:
        child = next((child for child in children if _text(child[1]) == behind[0]), None)
        if child is None or (len(behind) > 1 and _mode(child[0]) != _FOLDER_MODE):
            raise BadInputError(_NO_PLACE)
        if recursive and _mode(child[0]) == _FOLDER_MODE:
            below = f"{prefix}{behind[0]}/"
            yield from _walk(repository, pygit2.Oid(raw=child[2]), below, recursive, behind[1:])
    for raw_mode, name, raw in children:
        mode, path = _mode(raw_mode), prefix + _text(name)
        if mode == _FOLDER_MODE:
            yield Entry(path, "directory", raw.hex(), 0, mode)
            if recursive:
                yield from _walk(repository, pygit2.Oid(raw=raw), f"{path}/", recursive)
        elif mode != "160000":  # a submodule of an imported history: nothing of it is here
            yield blob_entry(repository, pygit2.Oid(raw=raw), mode, path)


def _mode(raw: bytes) -> str:
    """A mode as libgit2 knows it: imported histories hold odd ones."""
    return _MODES.get(raw) or _plain_mode(int(raw, 8))


def _plain_mode(mode: int) -> str:
    if mode & 0o170000 in (FileMode.TREE, FileMode.COMMIT, FileMode.LINK):
        return f"{mode & 0o170000:06o}"
    return f"{FileMode.BLOB_EXECUTABLE if mode & 0o111 else FileMode.BLOB:06o}"


def _text(name: bytes) -> str:
    return name.decode("utf-8", "replace")


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
