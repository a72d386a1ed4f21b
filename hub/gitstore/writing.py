"""Trees and commits, built in the object store without a work tree (threat G5)."""

import re
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import pygit2
from pygit2.enums import FileMode, ObjectType

from hub.errors import (
    BadInputError,
    EntryNotFoundError,
    RevisionNotFoundError,
    TooLargeError,
)
from hub.gitstore.operations import (
    AddFile,
    AddPointer,
    CopyPath,
    DeleteFile,
    DeleteFolder,
    Operation,
)
from hub.gitstore.paths import below_a_file, check_path, is_a_folder
from hub.gitstore.pointers import format_pointer
from hub.gitstore.reading import tree_of
from hub.gitstore.room import full_disk_refused
from hub.gitstore.values import Author

BLOB_LIMIT_BYTES = 10 * 1024**2
FOLDER_LIMIT = 10_000
FILES_LIMIT = 100_000
MESSAGE_LIMIT_BYTES = 64 * 1024

_FILE_MODES = (FileMode.BLOB, FileMode.BLOB_EXECUTABLE)


class _Folder:
    """A folder being changed. Names map to (mode, oid), or to a folder opened in turn.

    A new file stands for its oid until `write`: a refusal before that leaves no object behind.
    """

    def __init__(self, repository: pygit2.Repository, tree: pygit2.Tree | None = None) -> None:
        self.repository = repository
        self.entries: dict[bytes, tuple[int, pygit2.Oid | AddFile] | _Folder] = {}
        for child in tree or ():
            self.entries[child.raw_name or b""] = (child.filemode, child.id)

    def open(self, name: bytes) -> "_Folder | None":
        """The folder called `name`; None when nothing or a file has that name."""
        match self.entries.get(name):
            case _Folder() as folder:
                return folder
            case (FileMode.TREE, oid):
                folder = _Folder(self.repository, tree_of(self.repository, str(oid)))
                self.entries[name] = folder
                return folder
        return None

    def check(self, memo: dict[bytes, int]) -> int:
        """How many files lie below. Raises: TooLargeError for a folder above its limit."""
        files, shown = 0, 0
        for entry in self.entries.values():
            match entry:
                case _Folder():
                    below = entry.check(memo)
                case (FileMode.TREE, pygit2.Oid() as oid):
                    below = count_files(self.repository, oid, memo)
                case _:
                    below = 1
            files, shown = files + below, shown + (below > 0)
        if shown > FOLDER_LIMIT:
            raise TooLargeError(f"A folder holds at most {FOLDER_LIMIT} entries; use subfolders.")
        return files

    def write(self) -> pygit2.Oid | None:
        """The id of the tree, written with all below it; None when nothing is left in it."""
        written: list[tuple[bytes, int, pygit2.Oid]] = []
        for name, entry in self.entries.items():
            if isinstance(entry, _Folder):
                oid = entry.write()
                if oid is not None:
                    written.append((name, FileMode.TREE, oid))
                continue
            mode, content = entry
            if isinstance(content, AddFile):
                content = landed(self.repository, self.repository.create_blob(content.read()))
            written.append((name, mode, content))
        if not written:
            return None
        return landed(
            self.repository, self.repository.odb.write(ObjectType.TREE, _serialise(written))
        )


def landed(repository: pygit2.Repository, oid: pygit2.Oid) -> pygit2.Oid:
    """`oid`, when its object is there: on a full disk libgit2 1.9 names what it never wrote.

    Raises: pygit2.GitError.
    """
    if oid not in repository:
        raise pygit2.GitError(f"{oid} did not reach the disk")
    return oid


def _serialise(entries: list[tuple[bytes, int, pygit2.Oid]]) -> bytes:
    # git orders a folder as if its name ended in a slash.
    entries.sort(key=lambda entry: entry[0] + (b"/" if entry[1] == FileMode.TREE else b""))
    return b"".join(b"%o %s\0%s" % (mode, name, oid.raw) for name, mode, oid in entries)


def write_tree_on(
    repository: pygit2.Repository, base: str | None, operations: Sequence[Operation]
) -> str:
    """The oid of the tree that `operations` make of `base` (a commit, a tree, or nothing).

    Raises: UnprocessableError for a path, EntryNotFoundError for what is to go and is not there,
    TooLargeError for a file, a folder or a whole above its limit; then nothing was written. No
    ref moves.
    """
    root = _Folder(repository, tree_of(repository, base) if base else None)
    for operation in operations:
        _apply(repository, root, base, operation)
    if root.check({}) > FILES_LIMIT:
        raise TooLargeError(f"A repository holds at most {FILES_LIMIT} files.")
    return str(root.write() or landed(repository, repository.odb.write(ObjectType.TREE, b"")))


def _apply(
    repository: pygit2.Repository, root: _Folder, base: str | None, operation: Operation
) -> None:
    match operation:
        case AddFile(path) as file:
            if file.size_bytes > BLOB_LIMIT_BYTES:
                raise TooLargeError(
                    f"{path} is {file.size_bytes} bytes: files above {BLOB_LIMIT_BYTES} bytes are "
                    "uploaded as large files (LFS)."
                )
            _put(root, path, file, None)
        case AddPointer(path, sha256, size_bytes):
            _put(root, path, AddFile(path, _pointer(sha256, size_bytes)), None)
        case CopyPath(source_path, source_oid, path):
            mode, oid = _source(repository, source_oid or base, source_path)
            _put(root, path, oid, mode)
        case DeleteFile(path):
            _remove(root, path, folder_only=False)
        case DeleteFolder(path):
            _remove(root, path, folder_only=True)


def _pointer(sha256: str, size_bytes: int) -> bytes:
    try:
        return format_pointer(sha256, size_bytes)
    except ValueError as error:
        raise BadInputError(f"This is {error}.") from error


def _source(repository: pygit2.Repository, commit: str | None, path: str) -> tuple[int, pygit2.Oid]:
    try:
        found = tree_of(repository, commit)[path.strip("/")] if commit else None
    except (KeyError, ValueError):
        found = None
    if found is None or found.filemode not in _FILE_MODES:
        raise EntryNotFoundError(f"There is no file {path[:1024]!r} to copy.")
    return found.filemode, found.id


def _put(root: _Folder, path: str, content: pygit2.Oid | AddFile, mode: int | None) -> None:
    *folders, name = check_path(path).encode().split(b"/")
    folder = root
    for part in folders:
        inner = folder.open(part)
        if inner is None:
            if part in folder.entries:
                raise below_a_file(path)
            inner = folder.entries[part] = _Folder(folder.repository)
        folder = inner
    there = folder.entries.get(name)
    if isinstance(there, _Folder) and not there.entries:
        there = None  # emptied by an earlier operation of this commit
    if isinstance(there, _Folder) or (there and there[0] == FileMode.TREE):
        raise is_a_folder(path)
    if mode is None:
        mode = there[0] if there and there[0] in _FILE_MODES else FileMode.BLOB
    folder.entries[name] = (mode, content)


def _remove(root: _Folder, path: str, *, folder_only: bool) -> None:
    *folders, name = path.strip("/").encode("utf-8", "replace").split(b"/")
    trail = [root]
    for part in folders:
        inner = trail[-1].open(part)
        if inner is None:
            raise _missing(path)
        trail.append(inner)
    folder = trail[-1]
    if name not in folder.entries or (folder_only and folder.open(name) is None):
        raise _missing(path)
    del folder.entries[name]
    for outer, part in reversed(list(zip(trail, folders, strict=False))):
        # An emptied folder is gone, so that a file may take its name.
        if isinstance(left := outer.entries[part], _Folder) and not left.entries:
            del outer.entries[part]


def _missing(path: str) -> EntryNotFoundError:
    return EntryNotFoundError(f"A file with this name doesn't exist: {path[:1024]!r}")


def count_files(repository: pygit2.Repository, tree: pygit2.Oid, memo: dict[bytes, int]) -> int:
    """How many paths to files lie below a tree; each distinct tree is read once."""
    if tree.raw not in memo:
        memo[tree.raw] = sum(
            count_files(repository, oid, memo) if mode == b"40000" else 1
            for mode, oid in _raw_entries(repository, tree)
        )
    return memo[tree.raw]


_TREE_ENTRY = re.compile(rb"([0-7]+) [^\0]+\0(.{20})", re.DOTALL)


def _raw_entries(
    repository: pygit2.Repository, tree: pygit2.Oid
) -> Iterator[tuple[bytes, pygit2.Oid]]:
    for mode, raw in _TREE_ENTRY.findall(repository.odb.read(tree)[1]):
        yield mode, pygit2.Oid(raw=raw)


def commit_tree(
    repository: pygit2.Repository,
    tree: str,
    *,
    parents: Sequence[str],
    message: str,
    author: Author,
    at: datetime | None = None,
) -> str:
    """The oid of a new commit of `tree`. No ref moves. `at` is aware; None means now."""
    check_message(message)
    seconds = int(at.timestamp()) if at else int(time.time())
    by = pygit2.Signature(_clean(author.name), _clean(author.email), seconds, 0, "utf-8")
    text = message.encode("utf-8", "replace").decode()
    try:
        with full_disk_refused(Path(repository.path)):
            made = repository.create_commit(None, by, by, text, pygit2.Oid(hex=tree), list(parents))
            oid = landed(repository, made)
    except (KeyError, ValueError, pygit2.GitError) as error:
        raise RevisionNotFoundError("The tree or a parent of this commit is not here.") from error
    return str(oid)


def check_message(message: str) -> None:
    """Refuse what cannot be the message of a commit. Raises: BadInputError."""
    if "\0" in message or len(message.encode("utf-8", "replace")) > MESSAGE_LIMIT_BYTES:
        raise BadInputError(f"A message is text of at most {MESSAGE_LIMIT_BYTES} bytes.")


def _clean(text: str) -> str:
    """`text` without what would end a name or address in a commit's header."""
    kept = "".join(character for character in text if character.isprintable())
    return kept.translate({ord(mark): None for mark in "<>"}).strip(" .,:;\"'\\") or "unknown"
