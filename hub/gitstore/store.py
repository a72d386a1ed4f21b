"""One bare repository on disk: the door to everything in this package but HTTP."""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import IO

import pygit2

from hub.errors import BranchMovedError, RepositoryNotFoundError
from hub.gitstore import (
    attribution,
    blaming,
    copying,
    diffing,
    folders,
    history,
    large,
    merging,
    reading,
    refs,
    renames,
    writing,
)
from hub.gitstore.blaming import BlamedLines
from hub.gitstore.creation import new_repository
from hub.gitstore.derived import Derived
from hub.gitstore.folders import FolderPage
from hub.gitstore.large import PointerFile
from hub.gitstore.libgit import open_repository
from hub.gitstore.operations import AddFile, Operation
from hub.gitstore.room import full_disk_refused
from hub.gitstore.values import Author, CommitInfo, Entry, FileDiff, LastCommit, Origin, Ref

MIB = 1024**2
KEPT_FROM_BYTES, KEPT_LIMIT_BYTES = 16 * 1024, 16 * MIB


class GitStore:
    """A repository by its folder. Cheap to make; use one per request or task, not across threads.

    Oids given to it are full and come from `resolve` or from its own answers.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path).absolute()

    @classmethod
    def create(
        cls,
        path: Path,
        *,
        default_branch: str = "main",
        files: Mapping[str, bytes],
        author: Author,
        message: str = "initial commit",
    ) -> "GitStore":
        """A new repository whose default branch holds `files` in one commit.

        Raises: ConflictError when `path` is taken.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        with (
            full_disk_refused(path.parent),
            new_repository(path, default_branch=default_branch) as aside,
        ):
            cls(aside).commit(
                ref=f"refs/heads/{default_branch}",
                parent=None,
                operations=[AddFile(name, content) for name, content in files.items()],
                message=message,
                author=author,
                expect=None,
            )
        return cls(path)

    def copy_to(self, path: Path, *, default_branch: str) -> "GitStore":
        """A new repository at `path` with the branches and tags of this one, but no proposals."""
        copying.copy_repository(self.path, path, default_branch=default_branch)
        return GitStore(path)

    @cached_property
    def repository(self) -> pygit2.Repository:
        try:
            return open_repository(self.path)
        except pygit2.GitError as error:
            raise RepositoryNotFoundError("This repository has no folder on disk.") from error

    # Names

    def resolve(self, revision: str) -> str:
        """The full oid of the commit a person means. Raises RevisionNotFoundError."""
        return refs.resolve(self.repository, revision)

    def refs(self) -> list[Ref]:
        """Branches, tags, pull requests and conversions, sorted by full name."""
        return [Ref(name, oid) for name, oid in refs.visible_refs(self.repository)]

    def ref_oid(self, ref: str) -> str | None:
        """The commit that a full ref name leads to; None when there is no such ref."""
        return refs.commit_of_ref(self.repository, ref)

    def ref_target(self, ref: str) -> str:
        """What a ref holds: the oid of a commit, or of an annotated tag."""
        return str(self.repository.references[ref].target)

    def branch_head(self, branch: str) -> str | None:
        return self.ref_oid(f"refs/heads/{branch}")

    def move_ref(self, ref: str, *, new: str, old: str | None) -> None:
        """Compare-and-swap, synced to disk. `old` None: the ref must not exist yet.

        A pull request's earlier head stays reachable when `new` does not build on it.
        Raises: BranchMovedError; ConflictError when the ref exists already; BadInputError.
        """
        leaves = ref.startswith("refs/pr/") and old is not None and not self.is_ancestor(old, new)
        with full_disk_refused(self.path):
            refs.move_ref(self.path, ref, new=new, old=old, keep=leaves)

    def delete_ref(self, ref: str, *, old: str) -> None:
        """Remove a branch or tag that leads to the commit `old` now, an annotated tag too.

        Raises BranchMovedError, ForbiddenError.
        """
        held = self.ref_target(ref) if self.ref_oid(ref) == old else old
        refs.delete_ref(self.path, ref, old=held)

    def hold(self, name: str, oid: str) -> None:
        """Keep `oid` reachable under a name of the hub's own (`trials/7`), hidden from clients."""
        with full_disk_refused(self.path):
            refs.hold(self.path, name, oid)

    def let_go(self, name: str) -> None:
        """Forget what is held under a name; nothing happens where there is none."""
        refs.let_go(self.path, name)

    # Content

    def tree_oid(self, commit: str) -> str:
        return str(reading.tree_of(self.repository, commit).id)

    def entry(self, oid: str, path: str) -> Entry:
        """The file or folder at `path`. Raises EntryNotFoundError."""
        return reading.find_entry(self.repository, oid, path)

    def tree(self, oid: str, path: str = "", *, recursive: bool = False) -> list[Entry]:
        """The children of a folder, or all below it. Raises EntryNotFoundError, TooLargeError."""
        return reading.list_tree(self.repository, oid, path, recursive=recursive)

    def tree_page(
        self, oid: str, path: str = "", *, recursive: bool, after: str, limit: int
    ) -> tuple[list[Entry], bool]:
        """Up to `limit` entries of `tree` behind the entry `after`, and whether more follow.

        Costs no more on a late page. Raises: EntryNotFoundError, BadInputError for `after`.
        """
        return reading.page_tree(
            self.repository, oid, path, recursive=recursive, after=after, limit=limit
        )

    def folder(self, oid: str, path: str = "", *, start: int = 0, limit: int) -> FolderPage:
        """Children of a folder from place `start`, folders first. Raises: EntryNotFoundError."""
        return folders.folder_page(self.repository, oid, path, start=start, limit=limit)

    def kept(self, key: str, make: Callable[[], bytes]) -> bytes:
        """What `make` says of the objects that `key` names by oid, from the last time if it can.

        It is worked out anew when it is short, or too long for what a repository may keep.
        """
        derived = Derived(self.path)
        text = derived.get_bytes(key)
        if text is None:
            text = make()
            if KEPT_FROM_BYTES <= len(text) <= KEPT_LIMIT_BYTES:
                derived.put_bytes(key, text)
        return text

    @property
    def answers(self) -> Derived:
        """What was worked out about this repository's objects and is kept beside them."""
        return Derived(self.path)

    def paths(self, oid: str) -> list[str]:
        """The paths of all files, none of them looked into. Raises: TooLargeError."""
        return reading.list_paths(self.repository, oid)

    def read(self, oid: str, path: str, *, limit_bytes: int) -> bytes:
        """A file's content as git has it. Raises EntryNotFoundError, TooLargeError."""
        return reading.read_file(self.repository, oid, path, limit_bytes=limit_bytes)

    def open_blob(self, blob_oid: str) -> IO[bytes]:
        """A reader of one blob; close it. Large blobs stream. Raises EntryNotFoundError."""
        return reading.open_blob(self.repository, blob_oid)

    # Large files

    def size_bytes(self) -> int:
        """What the folder takes on disk, links not followed."""
        total = 0
        for folder, _folders, names in os.walk(self.path):
            for name in names:
                with contextlib.suppress(FileNotFoundError):  # what is being written comes and goes
                    total += (Path(folder) / name).lstat().st_size
        return total

    def pointer_files(self) -> Iterator[PointerFile]:
        """Every pointer in the whole history, hidden refs included; each blob once."""
        return large.pointer_files(self.repository)

    def rewritten(self, tips: Iterable[str], doomed: set[str]) -> dict[str, str]:
        """New oids of the commits below `tips` that change when the blobs `doomed` are gone."""
        with full_disk_refused(self.path):
            return large.rewritten(self.repository, tips, doomed)

    # History

    def commit_info(self, oid: str) -> CommitInfo:
        return history.commit_info(self.repository, oid)

    def commits(
        self, oid: str, *, skip: int = 0, limit: int = 50, path: str = ""
    ) -> list[CommitInfo]:
        """Newest first; with `path`, those that changed it."""
        return history.list_commits(self.repository, oid, skip=skip, limit=limit, path=path)

    def count_commits(self, oid: str, *, path: str = "") -> int:
        return history.count_commits(self.repository, oid, path=path)

    def last_commits(
        self, oid: str, path: str = "", *, patience_seconds: float | None = None
    ) -> dict[str, LastCommit]:
        """Which commit last changed each direct child of a folder, by full path, in one pass.

        A child that the time did not suffice for is absent. Raises: EntryNotFoundError.
        """
        return attribution.last_commits(
            self.repository, oid, path, patience_seconds=patience_seconds
        )

    def last_commit(self, oid: str, path: str) -> CommitInfo | None:
        """The commit that last changed one file. Raises: EntryNotFoundError."""
        return history.last_commit(self.repository, oid, path)

    def moved_from(self, oid: str, path: str) -> Origin | None:
        """Where the file or folder `path`, which commit `oid` brought there, lay before."""
        return renames.moved_from(self.repository, oid, path)

    def blame(self, oid: str, path: str, *, seconds: float) -> list[BlamedLines]:
        """Which commit each line of a file comes from. Raises: TooLargeError when it takes longer
        than `seconds`, EntryNotFoundError."""
        return blaming.blame(self.repository, oid, path, seconds=seconds)

    def index_commits(self, oid: str) -> None:
        """Write git's commit-graph once the history of `oid` has grown enough to be worth it."""
        history.index_commits(self.repository, oid)

    # Differences

    def diff(
        self,
        base: str | None,
        head: str,
        *,
        limit_files: int = 300,
        limit_bytes: int = MIB,
        text_of: diffing.TextOf | None = None,
    ) -> list[FileDiff]:
        """The changed files between two commits, with lines while the limit lasts."""
        limits = {"limit_files": limit_files, "limit_bytes": limit_bytes}
        return diffing.diff_commits(self.repository, base, head, **limits, text_of=text_of)

    def diff_with(
        self,
        other: "GitStore",
        base: str,
        head: str,
        *,
        limit_files: int,
        limit_bytes: int,
        text_of: diffing.TextOf | None = None,
    ) -> list[FileDiff]:
        """`diff` between `base`, a commit here, and `head`, one of `other`."""
        limits = {"limit_files": limit_files, "limit_bytes": limit_bytes}
        with diffing.seeing(self.path, other.path) as both:
            return diffing.diff_commits(both, base, head, **limits, text_of=text_of)

    def changed_paths(self, base: str | None, head: str) -> list[str]:
        """Every changed path, without limit or content: for rules about paths."""
        return diffing.changed_paths(self.repository, base, head)

    def patch(self, base: str | None, head: str, *, limit_bytes: int = MIB) -> str:
        """The same as unified text."""
        old = self.tree_oid(base) if base else None
        return diffing.patch_text(self.path, old, self.tree_oid(head), limit_bytes=limit_bytes)

    # Changes

    def commit(
        self,
        *,
        ref: str,
        parent: str | None,
        operations: Sequence[Operation],
        message: str,
        author: Author,
        expect: str | None,
    ) -> str:
        """The oid of a commit of `operations` on `parent`, which `ref` now names.

        `ref` must name `expect` (None: not exist). When nothing changes, `parent` comes back
        without a new commit. Raises: BranchMovedError, and what `write_tree_on` raises.
        """
        tree = self.write_tree_on(parent, operations)
        if parent is not None and tree == self.tree_oid(parent):
            oid = parent
        else:
            parents = [parent] if parent else []
            oid = self.commit_tree(tree, parents=parents, message=message, author=author)
        if oid != expect:
            self.move_ref(ref, new=oid, old=expect)
        elif self.ref_oid(ref) != expect:
            raise BranchMovedError
        return oid

    def write_tree_on(self, base: str | None, operations: Sequence[Operation]) -> str:
        """The oid of the tree that `operations` make of `base`, a commit or tree. No ref moves."""
        with full_disk_refused(self.path):
            return writing.write_tree_on(self.repository, base, operations)

    def commit_tree(
        self,
        tree: str,
        *,
        parents: Sequence[str],
        message: str,
        author: Author,
        at: datetime | None = None,
    ) -> str:
        """The oid of a new commit that no ref names yet."""
        return writing.commit_tree(
            self.repository, tree, parents=parents, message=message, author=author, at=at
        )

    # Merging

    def merge_base(self, a: str, b: str) -> str | None:
        return merging.merge_base(self.repository, a, b)

    def is_ancestor(self, a: str, b: str) -> bool:
        """Whether commit `a` is `b` or lies in its history."""
        return merging.is_ancestor(self.repository, a, b)

    def merge_tree(self, ours: str, theirs: str) -> str:
        """The tree of the three-way merge of two commits. Raises MergeConflictError(paths)."""
        with full_disk_refused(self.path):
            return merging.merge_trees(
                self.path, self.commit_info(ours).oid, self.commit_info(theirs).oid
            )
