"""Making what a way of merging would give, and letting it go when nobody can use it any more."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import structlog
from django.db import transaction

from hub.errors import HubError
from hub.jobs import working
from hub.jobs.working import Claim
from hub.models import ObjectLink, Repository
from reviews.jobs.weight_making import Made, make, threads
from reviews.jobs.weight_merging import link_weights
from reviews.models import WeightMerge, WeightTrial
from reviews.weights.checkpoint import open_checkpoint
from reviews.weights.merging.preview import DeltaPreview, delta_preview

log = structlog.get_logger(__name__)
# How many of the tensors that moved farthest are told of.
FARTHEST = 5


def carry_out(trial_id: int) -> None:
    """Make a trial's commit, unless that is done or somebody is at it. Safe to repeat and kill."""
    working.carry_out(WeightTrial.objects.kept(), trial_id, _try)


def _try(claim: Claim[WeightTrial], scratch: Path, kept: ExitStack) -> None:
    row = claim.row
    repository: Repository = row.pull_request.repository
    # What people may waive is waived to look; whoever uses the trial confirms it.
    made = make(
        claim, scratch, kept, confirmed=True, note=lambda sha256s: claim.tell(files=sha256s)
    )
    distances = _distances(claim, made, kept)
    with transaction.atomic():
        link_weights(repository, made.oid)
        claim.finish(result_oid=made.oid, distances=distances)
        repository.store().hold(row.held_name, made.oid)


def _distances(claim: Claim[WeightTrial], made: Made, kept: ExitStack) -> dict[str, Any]:
    """How far the merge lies from each parent, these from each other, and the farthest tensors."""
    merged = kept.enter_context(open_checkpoint(dict(made.files)))
    ours, theirs = made.ours.checkpoint.tensors, made.theirs.checkpoint.tensors
    found = delta_preview(merged.tensors, [ours, theirs], threads=threads(), keep=claim.keep)
    parents = {
        name: delta_preview(one, [other], threads=threads(), keep=claim.keep).total(0)
        for name, one, other in (("theirs", ours, theirs), ("ours", theirs, ours))
    }
    totals = {"ours": found.total(0), "theirs": found.total(1)}
    return {**totals, "parents": parents, "farthest": _farthest(found)}


def _farthest(found: DeltaPreview) -> list[dict[str, Any]]:
    """The tensors that lie farthest from either parent, relative to its size."""
    rows = [
        {"tensor": name, "ours": told[0], "theirs": told[1]}
        for name, each in found.tensors.items()
        if any(told := [one.relative if one else None for one in each])
    ]
    rows.sort(key=lambda row: max(row["ours"] or 0.0, row["theirs"] or 0.0), reverse=True)
    return rows[:FARTHEST]


# Letting go ----------------------------------------------------------------------------------


def let_go_of_stale() -> int:
    """Let go of trials whose head or target has moved, or whose pull request is decided."""
    heads: dict[int, str | None] = {}
    stale = []
    rows = WeightTrial.objects.kept().select_related("pull_request__repository__namespace")
    for trial in rows.iterator():
        try:
            if _is_stale(trial, heads):
                stale.append(trial.pk)
        except HubError:  # whatever is wrong with one repository, the others go on
            log.exception("trial.unreadable", trial_id=trial.pk)
    let_go(stale)
    return len(stale)


def _is_stale(trial: WeightTrial, heads: dict[int, str | None]) -> bool:
    row = trial.pull_request
    if row.is_decided or row.head_oid != trial.theirs_oid:
        return True
    if row.pk not in heads:
        heads[row.pk] = row.repository.store().branch_head(row.target_branch)
    return heads[row.pk] != trial.ours_oid


def let_go(trial_ids: Sequence[int]) -> None:
    """Show these trials no more; the sweep takes what they hold. One that lands is left alone."""
    landing = WeightMerge.objects.exclude(made_oid="").live()
    rows = WeightTrial.objects.kept().filter(pk__in=trial_ids)
    rows.exclude(result_oid__in=landing.values("made_oid")).update(is_going=True)


def remove_gone() -> None:
    """Remove what was let go: refs, links to large files that nothing else names, rows."""
    going: defaultdict[int, list[WeightTrial]] = defaultdict(list)
    rows = WeightTrial.objects.filter(is_going=True)
    for trial in rows.select_related("pull_request__repository__namespace"):
        going[trial.pull_request.repository_id].append(trial)
    for trials in going.values():
        try:
            _remove(trials[0].pull_request.repository, trials)
        except Exception:  # whatever is wrong with one repository, the others go on
            log.exception("trial.not_removed", repository_id=trials[0].pull_request.repository_id)


def _remove(repository: Repository, trials: Sequence[WeightTrial]) -> None:
    store = repository.store()
    for trial in trials:
        store.let_go(trial.held_name)
    heads = store.refs()
    files = {sha256 for trial in trials for sha256 in trial.files}
    named = {one.pointer.sha256 for one in store.pointer_files()} if files else set()
    with transaction.atomic():
        Repository.objects.locked(repository.pk)
        if store.refs() != heads:
            return  # something has come to name them meanwhile, perhaps: the next sweep looks
        _unlink(repository, files - named)
        WeightTrial.objects.filter(pk__in=[trial.pk for trial in trials]).delete()
    log.info("trial.removed", count=len(trials), **repository.as_facts())


def _unlink(repository: Repository, sha256s: Iterable[str]) -> None:
    """Give up the right to files that no commit names; other trials keep theirs."""
    others = WeightTrial.objects.kept().filter(pull_request__repository=repository)
    held = {sha256 for files in others.values_list("files", flat=True) for sha256 in files}
    links = ObjectLink.objects.filter(repository=repository)
    links.filter(stored_object__sha256__in=set(sha256s) - held).delete()
