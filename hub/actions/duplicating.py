"""Copies of repositories, with their history and large files."""

from __future__ import annotations

from functools import partial

from hub.actions import audit, large_files
from hub.actions.repositories import create_repository
from hub.gitstore import GitStore
from hub.models import RepoId, Repository
from hub.policies import Actor, require_files


def duplicate_repository(
    source: Repository, actor: Actor, to: RepoId, *, visibility: str | None = None
) -> Repository:
    """A copy of `source` under another name: branches, tags and the large files they name.

    It is as gated as `source` and, unless `visibility` says otherwise, as visible; private too
    where its new owner's repositories are by default. Proposals stay behind. Nothing is uploaded
    again, and a copy that was broken off has left nothing to see.
    Raises: GatedRepositoryError, and what `create_repository` raises.
    """
    require_files(actor, source)
    fill = partial(_fill, source)
    return create_repository(actor, to, visibility=visibility, like=source, fill=fill)


def _fill(source: Repository, repository: Repository, actor: Actor) -> GitStore:
    path, branch = repository.store().path, repository.default_branch
    store = source.store().copy_to(path, default_branch=branch)
    named = {file.pointer.sha256 for file in store.pointer_files()}
    # Only what its history names: what else was sent to the source is not the reader's to have.
    for sha256 in large_files.links(source, named):
        large_files.copy_link(source, repository, sha256)
    copied = f"{source.kind} {source.repo_id} → {repository.repo_id}"
    audit.record(actor, "repository.duplicate", copied)
    return store
