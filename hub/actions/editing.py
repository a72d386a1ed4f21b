"""Changes made by hand, one file or folder at a time; each becomes one commit or one proposal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.conf import settings
from django.utils.translation import gettext as _

from hub.actions import refs
from hub.actions.commits import CARD, Committed, check_card, commit_files
from hub.errors import BadInputError, BranchMovedError, EntryNotFoundError, TooLargeError
from hub.gitstore import (
    AddFile,
    AddPointer,
    CopyPath,
    DeleteFile,
    DeleteFolder,
    GitStore,
    Operation,
)
from hub.models import Repository
from hub.policies import Actor

# Text this long still fits a form whose every line break is sent as two bytes.
EDIT_LIMIT_BYTES = 512 * 1024
ATTEMPTS = 3


@dataclass(frozen=True)
class Aim:
    """Where a change goes and what is said of it.

    `parent` is the commit that its author looked at; `propose`: as a pull request of its own.
    """

    revision: str
    parent: str
    title: str
    description: str = ""
    propose: bool = False


class ChangedMeanwhileError(BranchMovedError):
    """Somebody else has changed the same file since: `head` is where the branch is now."""

    def __init__(self, path: str, head: str) -> None:
        self.head = head
        super().__init__(
            _("Somebody else changed %(path)s since you opened this page.") % {"path": path}
        )


def save_text(
    repository: Repository,
    actor: Actor,
    aim: Aim,
    *,
    path: str,
    content: bytes,
    old_path: str | None = None,
) -> Committed:
    """Write a file, new or at `old_path` before; its mode stays.

    Raises: BadInputError, TooLargeError, ChangedMeanwhileError, what `commit_files` raises.
    """
    if len(content) > EDIT_LIMIT_BYTES:
        raise TooLargeError(
            _("A file of more than %(limit)s KiB is not edited here: upload it instead.")
            % {"limit": EDIT_LIMIT_BYTES // 1024}
        )
    operations: list[Operation] = [AddFile(path, content)]
    if old_path is not None and old_path != path:
        operations = [CopyPath(old_path, None, path), DeleteFile(old_path), *operations]
    touched = [path] if old_path is None else [old_path, path]
    if old_path != path:
        _require_free(repository.store(), aim.parent, path)
    return _commit(repository, actor, aim, operations, touched)


def move(repository: Repository, actor: Actor, aim: Aim, *, path: str, new_path: str) -> Committed:
    """Give a file or folder, large files among them, another path.

    Raises: BadInputError, EntryNotFoundError, TooLargeError, what `commit_files` raises.
    """
    store, new_path = repository.store(), new_path.strip("/")
    entry = store.entry(aim.parent, path)
    if new_path == path:
        raise BadInputError(_("It has this path already."))
    _require_free(store, aim.parent, new_path)
    if entry.kind == "file":
        if new_path == CARD and entry.lfs is None:
            check_card(
                repository, store.read(aim.parent, path, limit_bytes=settings.CARD_LIMIT_BYTES)
            )
        operations: list[Operation] = [CopyPath(path, None, new_path), DeleteFile(path)]
        return _commit(repository, actor, aim, operations, [path, new_path])
    if f"{new_path}/".startswith(f"{path}/"):
        raise BadInputError(_("A folder cannot move into itself."))
    files = files_below(store, aim.parent, path)
    operations = [CopyPath(file, None, new_path + file.removeprefix(path)) for file in files]
    operations.append(DeleteFolder(path))
    return _commit(repository, actor, aim, operations, [path, new_path])


def remove(repository: Repository, actor: Actor, aim: Aim, *, path: str) -> Committed:
    """Delete a file, or a folder with all that is in it. History keeps both."""
    entry = repository.store().entry(aim.parent, path)
    kind = DeleteFile if entry.kind == "file" else DeleteFolder
    return _commit(repository, actor, aim, [kind(path)], [path])


def replaced_files(
    store: GitStore, oid: str, operations: Sequence[AddFile | AddPointer]
) -> list[str]:
    """The paths whose files at the commit `oid` hold something else after `operations`.

    Raises: UnprocessableError for what no commit takes.
    """
    paths = [each.path for each in operations]
    there = {path: found for path in paths if (found := _oid_at(store, oid, path)) is not None}
    after = store.write_tree_on(oid, operations) if there else ""
    return [path for path, found in there.items() if _oid_at(store, after, path) != found]


def files_below(store: GitStore, oid: str, path: str) -> list[str]:
    """The paths of all files in a folder. Raises: TooLargeError for more than a commit takes."""
    found = [each.path for each in store.tree(oid, path, recursive=True) if each.kind == "file"]
    if len(found) >= settings.COMMIT_OPERATIONS_LIMIT:
        raise TooLargeError(_("This folder holds too many files to be changed at once."))
    return found


def _require_free(store: GitStore, oid: str, path: str) -> None:
    if _oid_at(store, oid, path) is not None:
        raise BadInputError(_("There is already something at %(path)s.") % {"path": path})


def _commit(
    repository: Repository,
    actor: Actor,
    aim: Aim,
    operations: Sequence[Operation],
    touched: Sequence[str],
) -> Committed:
    """One commit on what the author saw, or on what others have put above it elsewhere."""
    store, seen = repository.store(), aim.parent
    for _attempt in range(ATTEMPTS):
        try:
            return commit_files(
                repository,
                actor,
                revision=aim.revision,
                operations=operations,
                title=aim.title,
                description=aim.description,
                parent=aim.parent,
                create_pr=aim.propose,
            )
        except BranchMovedError:
            head = store.resolve(refs.target_ref(store, aim.revision))
            for path in touched:
                if _oid_at(store, head, path) != _oid_at(store, seen, path):
                    raise ChangedMeanwhileError(path, head) from None
            aim = replace(aim, parent=head)
    raise BranchMovedError


def _oid_at(store: GitStore, commit: str, path: str) -> str | None:
    try:
        return store.entry(commit, path).oid
    except EntryNotFoundError:
        return None
