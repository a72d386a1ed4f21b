"""A quick look: several models on the same few items of what a gate asks. It is no verdict.

It takes what evaluations know already and adds none: boards, histories and cards never see it.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum, log
from typing import Any

from training.jobs.benchmarks import PinnedBenchmark, benchmarks_of
from training.jobs.disclosure import hidden_among
from training.jobs.errors import RunFailedError
from training.jobs.evaluations import Side
from training.jobs.finishing import finish
from training.jobs.hiding import hide_as_asked
from training.jobs.items import Item, ItemsError, scores_of
from training.jobs.lease import Lease
from training.jobs.preparing import asked_from_the_end
from training.jobs.recorder import Recorder
from training.jobs.scoring import Asked, Scored, Scoring
from training.jobs.summaries import estimate_of
from training.jobs.workspace import Workspace
from training.models import Run, RunStatus
from training.statistics.comparison import Rule, weigh
from training.statistics.metrics import METRICS
from training.statistics.pairing import PairingError, pair_items
from training.statistics.verdicts import Direction

# One-sided, so that both bounds together hold 95 %.
ALPHA = 0.025


def carry_out(lease: Lease, workspace: Workspace, recorder: Recorder) -> None:
    """Ask every model of the spec the same few items; the scores stay with the run.

    Raises: RunFailedError when the results are not exactly those of the items asked.
    """
    run = lease.run
    quick = run.spec["quick"]
    sides = [_side(run, name) for name in quick["sides"]]
    asked = [
        asked_from_the_end(pinned, seed=quick["seed"], limit=quick["limit"])
        for pinned in benchmarks_of(run.spec)
    ]
    try:
        scored = Scoring(lease, workspace, recorder, sides=sides, asked=asked, keeps=False).run()
    except ItemsError as error:
        raise RunFailedError(f"The item results cannot be used: {error}") from error
    lease.check()
    hide_as_asked(run)
    hidden = hidden_among((each.row.pk for each in asked), within=run.repository_id)
    names = [side.name for side in sides]
    results = [_told(each, names, scored, is_hidden=each.row.pk in hidden) for each in asked]
    finish(run, RunStatus.SUCCEEDED, result={"quick": results})


def _side(run: Run, name: str) -> Side:
    given = run.inputs(name)[0]
    return Side(name, given["digest"], given["commit"])


def _told(asked: Asked, names: Sequence[str], scored: Scored, *, is_hidden: bool) -> dict[str, Any]:
    """What one benchmark says of each side; of a hidden one nothing."""
    told = {
        "benchmark": asked.row.pk,
        "label": asked.pinned.label,
        "metric": asked.pinned.metric,
        "n": asked.count,
        "of": len(asked.issued),
        "loss_unit": "",
    }
    if is_hidden:
        return told | {"hidden": True, "sides": {}}
    ids = [item.id for item in asked.order[: asked.count]]
    items = {name: [scored.items[name, asked.key][one] for one in ids] for name in names}
    losses = {name: loss_of(found) for name, found in items.items()}
    base = items[names[0]]
    return told | {
        "loss_unit": losses[names[0]][1],
        "sides": {
            name: {
                **estimate_of(scores_of(found, asked.pinned.metric), asked.pinned.metric).to_dict(),
                "difference": difference(asked.pinned, base, found) if found is not base else {},
                "loss": losses[name][0],
            }
            for name, found in items.items()
        },
    }


def difference(
    pinned: PinnedBenchmark, base: Sequence[Item], other: Sequence[Item]
) -> dict[str, float | None]:
    """The other's score minus the base's over the same items, with a two-sided 95 % interval."""
    measured, metric = pinned.measured, METRICS[pinned.metric]
    rule = Rule(
        margin=1.0,  # none is judged here
        alpha=ALPHA,
        direction=measured.direction,
        target=measured.target,
        metric=pinned.metric,
    )
    try:
        pairs = pair_items(scores_of(base, pinned.metric), scores_of(other, pinned.metric), metric)
        found = weigh(pairs, rule)
    except PairingError:
        return {}
    delta, lower, upper = found.delta, found.lower, found.upper
    if measured.direction is Direction.LOWER:  # oriented: better is positive
        delta, lower, upper = (None if x is None else -x for x in (delta, upper, lower))
    return {"value": delta, "lower": lower, "upper": upper}


def loss_of(items: Sequence[Item]) -> tuple[float | None, str]:
    """The loss over some items and its unit: bits per byte of texts that are read, else the mean
    negative log-likelihood of the right answers in nats. None where answers have no likelihood.
    """
    texts = [(item.nll, item.size_bytes) for item in items if item.nll is not None]
    size = sum(size_bytes or 0 for _nll, size_bytes in texts)
    if items and len(texts) == len(items) and size:
        return fsum(nll for nll, _size in texts) / (log(2) * size), "bits"
    right = [
        -item.loglikelihoods[item.target]
        for item in items
        if item.target is not None and item.target < len(item.loglikelihoods)
    ]
    return (fsum(right) / len(right), "nats") if items and len(right) == len(items) else (None, "")
