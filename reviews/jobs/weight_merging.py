"""Merging the weights that a proposal and its target have both moved, into the proposal."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from django.db import transaction

from hub.actions import large_files, refs
from hub.blobstore import Blob
from hub.errors import ConflictError
from hub.jobs import working
from hub.jobs.working import Claim
from hub.models import Repository
from hub.policies import Actor
from reviews.jobs.weight_files import weight_files
from reviews.jobs.weight_making import make
from reviews.models import WeightMerge
from reviews.policies import require_push


def carry_out(merge_id: int) -> None:
    """Merge, unless that is done or somebody is at it. Safe to repeat and to kill: the head of the
    proposal moves last, and only from where it was when this was asked for."""
    working.carry_out(WeightMerge.objects.all(), merge_id, _merge)


def _merge(claim: Claim[WeightMerge], scratch: Path, kept: ExitStack) -> None:
    """Make the commit, unless a trial has made it, and land it."""
    row = claim.row
    if _has_landed(claim):
        return
    confirmed = bool(row.choice.get("confirmed"))
    land(claim, row.made_oid or make(claim, scratch, kept, confirmed=confirmed).oid)


def _has_landed(claim: Claim[WeightMerge]) -> bool:
    """Settle a merge whose worker died between moving the head and settling the row.

    Only the very commit that this wrote counts: anybody who may push can make one that has its
    parents.
    """
    row, store = claim.row, claim.row.pull_request.repository.store()
    if store.ref_oid(row.pull_request.ref) != row.result_oid:
        return False
    with transaction.atomic():  # the links went back with the transaction that moved the head
        link_weights(row.pull_request.repository, row.result_oid)
        claim.finish()
    return True


def land(claim: Claim[WeightMerge], oid: str) -> None:
    """Let the proposal's head be the merge commit `oid`.

    Raises: BranchMovedError: somebody pushed meanwhile; ForbiddenError: who asked may do so no
        more, or the pull request is decided.
    """
    row = claim.row
    repository = row.pull_request.repository
    claim.tell(result_oid=oid)
    with transaction.atomic():
        require_push(repository, row.pull_request.number, row.by)
        link_weights(repository, oid)
        claim.finish()
        refs.move_ref(repository, Actor(row.by), row.pull_request.ref, old=row.theirs_oid, new=oid)


def link_weights(repository: Repository, oid: str) -> None:
    """Link the large weights of a commit within the caller's transaction: a trial that had the
    same bytes may have gone, and its links with it, since they were stored."""
    large = [file for file in weight_files(repository.store(), oid) if file.sha256]
    if repository.removed_objects.filter(sha256__in=[file.sha256 for file in large]).exists():
        raise ConflictError("Some of these weights were removed from the repository for good.")
    for file in large:
        large_files.link(repository, Blob(file.sha256, file.size_bytes))
