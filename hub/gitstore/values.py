"""What a repository is asked for and answers with: entries, commits, refs, differences."""

from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Literal

from hub.gitstore.pointers import Pointer


@dataclass(frozen=True)
class Author:
    name: str
    email: str


@dataclass(frozen=True)
class Entry:
    """A file or folder at one commit. `size` is that of the large file where `lfs` is set."""

    path: str
    kind: Literal["file", "directory"]
    oid: str
    size: int
    mode: str
    lfs: Pointer | None = None

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


@dataclass(frozen=True)
class CommitInfo:
    oid: str
    parents: tuple[str, ...]
    subject: str
    body: str
    author: Author
    committed_at: datetime


@dataclass(frozen=True)
class LastCommit:
    """What a listing says of the commit that last changed an entry."""

    oid: str
    subject: str
    committed_at: datetime


@dataclass(frozen=True)
class Origin:
    """Where something lay at an earlier commit."""

    oid: str
    path: str


@dataclass(frozen=True)
class Ref:
    """A ref and the commit it leads to (annotated tags are followed)."""

    name: str
    oid: str

    @property
    def short_name(self) -> str:
        """`main` of refs/heads/main, `7` of refs/pr/7."""
        return self.name.split("/", 2)[2]


@dataclass(frozen=True)
class HunkLine:
    """One line of a hunk. Sign is ' ', '+', '-', or '\\' for a note on a missing newline."""

    sign: str
    old_no: int | None
    new_no: int | None
    text: str


@dataclass(frozen=True)
class Hunk:
    header: str
    lines: list[HunkLine]


@dataclass(frozen=True)
class FileDiff:
    """How one file changed. Binaries have no hunks; `truncated` says why else.

    `encoding` is that of a text which is not UTF-8, or both where the change is another one.
    """

    path: str
    old_path: str | None
    status: Literal["added", "deleted", "modified", "renamed"]
    old: Entry | None
    new: Entry | None
    hunks: list[Hunk] = field(default_factory=list)
    truncated: bool = False
    binary: bool = False
    encoding: str = ""

    @cached_property
    def added(self) -> int:
        """Lines of the hunks that are new."""
        return self._count("+")

    @cached_property
    def removed(self) -> int:
        """Lines of the hunks that are gone."""
        return self._count("-")

    def _count(self, sign: str) -> int:
        return sum(line.sign == sign for hunk in self.hunks for line in hunk.lines)
