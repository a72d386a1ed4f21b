"""One look at the first entry of a merge queue, on the head of its branch as that is now."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from django.conf import settings
from django.utils.translation import override

from hub.errors import ConflictError
from hub.extensions import Change, Requirement, registries
from hub.models import Access, Repository
from hub.models.work import WorkState
from hub.policies import Actor, repository_by_key
from reviews.actions.merging import merge_pull_request
from reviews.actions.requirements import checklist
from reviews.actions.weight_merges import common_base, start_weight_merge
from reviews.changes import change_of
from reviews.jobs.queue import eject, is_queued_head, settle
from reviews.models import (
    Discussion,
    DiscussionStatus,
    QueueEntry,
    QueueState,
    WeightMerge,
)
from reviews.policies import get_pull_request


def step(entry: QueueEntry) -> bool:
    """Do the next thing for an entry that the caller has claimed, as the person who queued it.

    True when the queue is to be looked at again at once; False when it waits for a machine, which
    rings when it is done. What the person may not do any more ends their wish.
    """
    number = entry.pull_request.number
    held = _held(entry)
    if held is None:
        return eject(entry, "no_access", name=entry.by.username)
    row = get_pull_request(held, number)
    if row.status == DiscussionStatus.CLOSED:
        return settle(entry, QueueState.WITHDRAWN, Actor(entry.by), "closed", is_held=True)
    if row.is_decided or row.is_being_merged:
        return False  # what settles the merge settles the entry
    if held.store().ref_oid(row.ref) != row.head_oid:
        return False  # somebody is pushing; what records it rings
    if not is_queued_head(entry, row.head_oid):
        return eject(entry, "new_version", head_oid=row.head_oid)
    if held.store().branch_head(row.target_branch) is None:
        return eject(entry, "no_branch", branch=row.target_branch)
    change = change_of(row)
    if needs_weights(held, change):
        return _merge_weights(entry, row, change)
    return _weigh(entry, row, change)


def _held(entry: QueueEntry) -> Repository | None:
    """The repository as the person who queued may use it now; None when they may not write."""
    if not entry.by.is_active:
        return None
    held = repository_by_key(Actor(entry.by), entry.pull_request.repository_id)
    return held if held is not None and held.may(Access.WRITE) else None


def needs_weights(repository: Repository, change: Change) -> bool:
    """Whether git cannot merge a change because both sides have moved the weights."""
    return change.merge_tree is None and common_base(repository, change) is not None


def _merge_weights(entry: QueueEntry, row: Discussion, change: Change) -> bool:
    """Have the weights merged by the way that was chosen, onto the proposal."""
    if entry.weights is None:
        return eject(entry, "weights_moved", branch=row.target_branch)
    made = WeightMerge.objects.filter(
        queue_entry=entry, ours_oid=change.base_oid, theirs_oid=change.head_oid
    ).last()
    if made is not None and made.state == WorkState.FAILED:
        return eject(entry, "weights_not_merged", error=made.error)
    head = row.repository.store().ref_oid(row.ref)
    if made is not None and made.state == WorkState.DONE and head == change.head_oid:
        # The proposal has been put back to where it was before: a version that nobody queued.
        return eject(entry, "new_version", head_oid=row.head_oid)
    is_other_at_work = WeightMerge.objects.filter(pull_request=row).live().exists()
    if made is None and not is_other_at_work:
        try:
            start_weight_merge(row, Actor(entry.by), entry.weights, queue_entry=entry)
        except ConflictError:
            return True  # the target moved, or somebody else has just started one
    return False


def _weigh(entry: QueueEntry, row: Discussion, change: Change) -> bool:
    """Merge what is met, have machines say what they have not said, eject what needs people."""
    found = checklist(row, change)
    for line in found.lines:
        if line.needs_person:
            return _eject_for(entry, row, change, line)
    startable = [line for line in found.lines if line.is_startable]
    if startable:
        return _start(entry, row, change, startable[0])
    if found.blocking:
        return False
    return _merge(entry, row, change)


def _start(entry: QueueEntry, row: Discussion, change: Change, line: Requirement) -> bool:
    """Ask for the checks of exactly this change, once: what was stopped stays stopped."""
    asked = f"{change.head_oid}:{change.base_oid}"
    if entry.asked == asked:
        # The line may have been read in the moment in which its run ended.
        again = checklist(row, replace(change, memo={}))
        if not any(each.key == line.key and each.is_startable for each in again.lines):
            return True
        return _eject_for(entry, row, change, line)
    for start in registries.starters:
        start(row.repository, replace(change, memo={}), entry.by)
    QueueEntry.objects.held(entry).update(asked=asked)
    return True


def _merge(entry: QueueEntry, row: Discussion, change: Change) -> bool:
    """Merge exactly what was weighed. Whatever moved meanwhile is looked at anew."""
    with suppress(ConflictError):
        merge_pull_request(
            row,
            Actor(entry.by),
            expected_head=change.head_oid,
            expected_base=change.base_oid,
            queued=entry,
        )
    return True


def _eject_for(entry: QueueEntry, row: Discussion, change: Change, line: Requirement) -> bool:
    """Eject with the words of a line of the checklist, in every language of the pages.

    Of scores no words are kept: what hides a benchmark later would not find them.
    """
    said: dict[str, list[str] | None] = {}
    for code, _name in settings.LANGUAGES:
        with override(code):
            lines = checklist(row, replace(change, memo={})).lines
            same = next((each for each in lines if each.key == line.key), line)
            said[code] = None if same.tells_scores else [str(same.label), str(same.detail)]
    if None in said.values():
        return eject(entry, "gate", key=line.key)
    return eject(entry, "requirement", key=line.key, said=said)
