"""A pull request as exact oids: what a merge would do, if it happened now."""

from __future__ import annotations

from django.core.cache import cache

from hub.errors import MergeConflictError
from hub.extensions import Change
from reviews.models import Discussion

# Trees are named by content: an answer for two commits stays true for ever.
_KEPT_SECONDS = 7 * 24 * 3600


def merge_tree(
    pull_request: Discussion, base_oid: str, head_oid: str
) -> tuple[str | None, list[str]]:
    """The tree that merging `head_oid` into `base_oid` gives, and the paths in conflict."""
    key = f"merge-tree:{pull_request.repository_id}:{base_oid}:{head_oid}"
    kept: tuple[str | None, list[str]] | None = cache.get(key)
    if kept is None:
        try:
            kept = (pull_request.repository.store().merge_tree(base_oid, head_oid), [])
        except MergeConflictError as conflict:
            kept = (None, conflict.paths)
        cache.set(key, kept, _KEPT_SECONDS)
    return kept


def change_of(pull_request: Discussion) -> Change:
    """What features are told. A settled pull request is seen as it was merged."""
    base_oid = settled_base(pull_request) or ""
    if not base_oid:
        head = pull_request.repository.store().branch_head(pull_request.target_branch)
        base_oid = head or pull_request.opened_on_oid
    tree, _conflicts = merge_tree(pull_request, base_oid, pull_request.head_oid)
    return Change(
        number=pull_request.number,
        path=pull_request.get_absolute_url(),
        author_id=pull_request.author_id,
        target_branch=pull_request.target_branch,
        head_oid=pull_request.head_oid,
        base_oid=base_oid,
        merge_tree=tree,
    )


def settled_base(pull_request: Discussion) -> str | None:
    """The head of the target branch that the merge was built on, once it is merged."""
    merge = pull_request.merges.filter(state="done").first()
    return merge.base_oid if merge else None
