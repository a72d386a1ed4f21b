"""Changed files on a page: how many, which, and their lines as long as there is room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from django.utils.translation import gettext as _

from hub.gitstore import FileDiff

# More are fetched file by file: a page of a whole release would be megabytes of table cells.
LINES_SHOWN = 1_000


@dataclass(frozen=True)
class ChangedFile:
    """One changed file: why it has no lines here, or where they are to be had."""

    diff: FileDiff
    anchor: str
    note: str = ""
    lines_url: str = ""


@dataclass(frozen=True)
class ChangedFiles:
    """What a page shows of a change. `only`: the one file that was asked for."""

    files: Sequence[ChangedFile]
    only: str = ""

    @property
    def added(self) -> int:
        return sum(file.diff.added for file in self.files)

    @property
    def removed(self) -> int:
        return sum(file.diff.removed for file in self.files)


def changed_files(diffs: Sequence[FileDiff], only: str = "", **query: str) -> ChangedFiles:
    """`diffs` for a page, or the file at path `only` alone with all of its lines.

    The lines of files beyond `LINES_SHOWN` have an address instead: this page with `query` and
    the file's path as `file`.
    """
    if chosen := [diff for diff in diffs if diff.path == only]:
        return ChangedFiles([_file(diff, 1) for diff in chosen], only)
    files, room = [], LINES_SHOWN
    for number, diff in enumerate(diffs, 1):
        room -= sum(len(hunk.lines) for hunk in diff.hunks)
        is_left = bool(diff.hunks) and room < 0
        url = f"?{urlencode({**query, 'file': diff.path})}" if is_left else ""
        files.append(_file(diff, number, url))
    return ChangedFiles(files)


def _file(diff: FileDiff, number: int, lines_url: str = "") -> ChangedFile:
    return ChangedFile(diff, f"file-{number}", _note(diff), lines_url)


def _note(diff: FileDiff) -> str:
    entry = diff.new or diff.old
    if entry is not None and entry.lfs is not None:
        size = f"{entry.size / 1e6:.1f}"
        return _("A large file: %(size)s MB, stored outside git.") % {"size": size}
    if diff.binary:
        return _("A binary file.")
    return _("Too long to show: open the file.") if diff.truncated else ""
