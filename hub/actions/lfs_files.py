"""The large files of a whole repository: listed over all refs, and removed for good."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import transaction

from hub.actions import audit, large_files, refs
from hub.errors import EntryNotFoundError, TooLargeError
from hub.gitstore import GitStore
from hub.jobs.doorbell import ask
from hub.jobs.refresh import refresh
from hub.models import ObjectLink, RemovedObject, Repository
from hub.policies import Actor
from hub.tasks import collect_garbage


@dataclass(frozen=True)
class LargeFile:
    """A large file that a repository holds. Without `path`, no commit names it (yet)."""

    number: int
    sha256: str
    size_bytes: int
    linked_at: datetime
    path: str
    ref: str | None


def large_files_of(repository: Repository, *, after: int, limit: int) -> list[LargeFile]:
    """The large files of a repository in the order they came, from the one after `after`."""
    links = ObjectLink.objects.filter(repository=repository, pk__gt=after)
    rows = list(links.select_related("stored_object").order_by("pk")[:limit])
    names = _names(repository.store(), repository.default_branch, {_sha256(row) for row in rows})
    return [
        LargeFile(
            row.pk,
            _sha256(row),
            row.stored_object.size_bytes,
            row.created_at,
            *names.get(_sha256(row), ("", None)),
        )
        for row in rows
    ]


def _sha256(link: ObjectLink) -> str:
    return link.stored_object.sha256


def _names(
    store: GitStore, default_branch: str, wanted: Collection[str]
) -> dict[str, tuple[str, str | None]]:
    """As `names_at_heads`; what only older commits have comes with a path and no ref."""
    found: dict[str, tuple[str, str | None]] = {}
    found.update(names_at_heads(store, default_branch, wanted))
    if set(wanted) - set(found):
        for one in store.pointer_files():
            if one.pointer.sha256 in wanted:
                found.setdefault(one.pointer.sha256, (one.path, None))
    return found


def names_at_heads(
    store: GitStore, default_branch: str, wanted: Collection[str], *, most: int | None = None
) -> dict[str, tuple[str, str]]:
    """A path of each file, and a ref that has it at its head: the default branch's by preference.

    `most`: how many different heads are looked at.
    """
    found: dict[str, tuple[str, str]] = {}
    heads = sorted(store.refs(), key=lambda ref: ref.name != f"{refs.BRANCH}{default_branch}")
    seen: set[str] = set()
    for ref in heads:
        if (tree := store.tree_oid(ref.oid)) in seen:
            continue
        if len(seen) == most:
            break
        seen.add(tree)
        with suppress(TooLargeError):
            for entry in store.tree(tree, recursive=True):
                if entry.lfs and entry.lfs.sha256 in wanted:
                    found.setdefault(entry.lfs.sha256, (entry.path, ref.name))
    return found


def remove_for_good(
    repository: Repository, actor: Actor, sha256s: Collection[str], *, rewrite_history: bool
) -> None:
    """Take large files from a repository; their bytes go once no other links to them.

    With `rewrite_history`, branches, tags and proposals get a history without them; otherwise
    their pointers stay and lead nowhere. Safe to repeat.
    Raises: EntryNotFoundError; ForbiddenError when a protected branch would be rewritten,
    BranchMovedError when somebody pushes meanwhile; then all files are still there.
    """
    _require_known(repository, sha256s)
    if rewrite_history:
        _rewrite(repository, actor, set(sha256s))
    with transaction.atomic():
        Repository.objects.locked(repository.pk)
        links = ObjectLink.objects.filter(repository=repository)
        links.filter(stored_object__sha256__in=sha256s).delete()
        RemovedObject.objects.bulk_create(
            [RemovedObject(repository=repository, sha256=sha256) for sha256 in sha256s],
            ignore_conflicts=True,
        )
        subject = f"{repository.kind} {repository.repo_id}"
        for sha256 in sha256s:
            audit.record(
                actor, "large_file.remove", f"{subject} {sha256}", old=sha256, about=repository
            )
        if not settings.GARBAGE_QUARANTINE:
            ask(collect_garbage)
    refresh(repository.pk)


def _require_known(repository: Repository, sha256s: Collection[str]) -> None:
    held = set(large_files.links(repository, sha256s))
    held |= set(repository.removed_objects.values_list("sha256", flat=True))
    if unknown := set(sha256s) - held:
        raise EntryNotFoundError(f"This repository holds no large file {min(unknown)[:64]}.")


def _rewrite(repository: Repository, actor: Actor, sha256s: set[str]) -> None:
    store = repository.store()
    doomed = {one.oid for one in store.pointer_files() if one.pointer.sha256 in sha256s}
    heads = store.refs()
    moved = store.rewritten([ref.oid for ref in heads], doomed) if doomed else {}
    changed = [ref for ref in heads if ref.oid in moved]
    for ref in changed:
        if not ref.name.startswith(refs.PROPOSAL):
            refs.require_writable(repository, actor, ref.name)
    for ref in changed:
        old = store.ref_target(ref.name)
        refs.move_ref(repository, actor, ref.name, old=old, new=moved[ref.oid])
