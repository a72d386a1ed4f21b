"""One folder, a page at a time: its names are sorted whole, only those of the page looked into."""

from dataclasses import dataclass

import pygit2

from hub.errors import EntryNotFoundError
from hub.gitstore.reading import blob_entry, children_of, find_entry
from hub.gitstore.values import Entry


@dataclass(frozen=True)
class FolderPage:
    """`entries` from place `start` on, folders first; how many there are of both in all."""

    entries: list[Entry]
    folders: int
    files: int

    @property
    def total(self) -> int:
        return self.folders + self.files


def folder_page(
    repository: pygit2.Repository, oid: str, path: str, *, start: int, limit: int
) -> FolderPage:
    """Up to `limit` children of a folder from place `start`. Raises: EntryNotFoundError."""
    folder = find_entry(repository, oid, path)
    if folder.kind != "directory":
        raise EntryNotFoundError(f"{path!r} is a file, not a folder.")
    found = sorted(
        children_of(repository, folder.oid),
        key=lambda child: (not child.is_folder, child.name.lower(), child.name),
    )
    below = f"{folder.path}/" if folder.path else ""
    entries = [
        Entry(below + child.name, "directory", str(child.oid), 0, child.mode)
        if child.is_folder
        else blob_entry(repository, child.oid, child.mode, below + child.name)
        for child in found[max(0, start) : max(0, start) + limit]
    ]
    folders = sum(child.is_folder for child in found)
    return FolderPage(entries, folders, len(found) - folders)
