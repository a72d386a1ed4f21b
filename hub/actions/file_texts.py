"""What files say, for changes that are shown line by line: in whatever encoding, wherever they lie.

Git compares bytes and calls UTF-16 binary; small texts that are not UTF-8 lie beside git, as files
do that a client took for binary.
"""

from __future__ import annotations

from collections.abc import Sequence

from hub.actions.contents import head_of
from hub.errors import EntryNotFoundError
from hub.formats.encodings import decoded_alike
from hub.gitstore import Entry
from hub.gitstore.diffing import Side
from hub.models import Repository

# Each is one question and one read: so many of a change, and none that is longer.
LARGE_FILES_READ = 40
LARGE_FILE_BYTES = 256 * 1024


class FileTexts:
    """Reads files of some repositories, those of the first before those of the next."""

    def __init__(self, *repositories: Repository) -> None:
        self._repositories = dict.fromkeys(repositories)
        self._room = LARGE_FILES_READ

    def __call__(self, sides: Sequence[Side]) -> list[tuple[str, str]] | None:
        """The texts of versions of a file with their encodings; None when one is no text."""
        contents = [self._large(entry) if git is None else git for entry, git in sides]
        held = [content for content in contents if content is not None]
        found = decoded_alike(held) if len(held) == len(contents) else None
        return None if found is None else [(each.text, each.encoding) for each in found]

    def _large(self, entry: Entry) -> bytes | None:
        if entry.size > LARGE_FILE_BYTES or not self._room:
            return None
        self._room -= 1
        for repository in self._repositories:
            try:
                return head_of(repository, entry, LARGE_FILE_BYTES).content
            except EntryNotFoundError:  # a pointer to what this one does not hold
                continue
        return None
