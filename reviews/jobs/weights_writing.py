"""Putting full weights in place of a proposal's sparse patch, which no loader reads."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from django.db import transaction

from hub.actions import large_files, refs
from hub.actions.commits import author_of
from hub.gitstore import AddPointer, DeleteFile, Operation
from hub.jobs import working
from hub.jobs.working import Claim
from hub.models import Repository
from hub.policies import Actor
from reviews.jobs.full_weights import written_full
from reviews.jobs.weight_files import weight_files
from reviews.models import WeightsWriting
from reviews.policies import require_push
from reviews.weights.errors import WeightsError
from reviews.weights.patches import with_patch


def carry_out(writing_id: int) -> None:
    """Write them, unless that is done or somebody is at it. Safe to repeat and to kill: the head of
    the proposal moves last, and only from where it was when this was asked for."""
    working.carry_out(WeightsWriting.objects.all(), writing_id, _write)


def _write(claim: Claim[WeightsWriting], scratch: Path, kept: ExitStack) -> None:
    row, pull_request = claim.row, claim.row.pull_request
    repository: Repository = pull_request.repository
    if _has_landed(row, repository):
        claim.finish()
        return
    store, by = repository.store(), Actor(row.by)
    files = weight_files(store, row.head_oid)
    written, stored = written_full(repository, files, with_patch, scratch, kept, claim.keep)
    if stored.patch is None:
        raise WeightsError("no_patch")
    operations: list[Operation] = [DeleteFile(stored.patch.file)]
    for path, place in sorted(written.items()):
        made = large_files.adopt(repository, place)
        operations.append(AddPointer(path, made.sha256, made.size_bytes))
        claim.keep()
    oid = store.commit_tree(
        store.write_tree_on(row.head_oid, operations),
        parents=[row.head_oid],
        message="Write full weights in place of the sparse patch",
        author=author_of(by),
    )
    claim.tell(result_oid=oid)
    with transaction.atomic():
        require_push(repository, pull_request.number, row.by)
        claim.finish()
        refs.move_ref(repository, by, pull_request.ref, old=row.head_oid, new=oid)


def _has_landed(row: WeightsWriting, repository: Repository) -> bool:
    """Whether a worker died between moving the head and writing the row."""
    store = repository.store()
    head = store.ref_oid(row.pull_request.ref)
    return bool(row.result_oid and head) and store.is_ancestor(row.result_oid, head or "")
