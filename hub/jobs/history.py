"""What is worked out about a history ahead of its readers."""

from __future__ import annotations

from hub.errors import RevisionNotFoundError
from hub.models import Repository

PATIENCE_SECONDS = 600.0
FOLDERS_LIMIT = 64


def index(repository_id: int, revision: str = "", folder: str | None = None) -> None:
    """Keep the last commits of a revision's folders: of `folder`, or of those nearest the root.

    Safe to repeat: what is kept already is read and not worked out again.
    """
    repository = Repository.objects.filter(pk=repository_id).first()
    if repository is None:
        return
    store = repository.store()
    try:
        oid = store.resolve(revision or repository.default_branch)
    except RevisionNotFoundError:  # it was deleted while the message travelled
        return
    store.index_commits(oid)
    folders = [folder] if folder is not None else [""]
    for path in folders:
        store.last_commits(oid, path, patience_seconds=PATIENCE_SECONDS)
        if folder is None and len(folders) < FOLDERS_LIMIT:
            below = [entry.path for entry in store.tree(oid, path) if entry.kind == "directory"]
            folders += below[: FOLDERS_LIMIT - len(folders)]
