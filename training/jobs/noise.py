"""The noise floor: the base against itself with other batches (gate-methods, section 11)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from training.jobs.evaluations import Side
from training.jobs.lease import Lease
from training.jobs.recorder import Recorder
from training.jobs.scoring import Asked, Scoring
from training.jobs.workspace import Workspace
from training.statistics.agreement import noise_of
from training.statistics.verdicts import Verdict

Result = dict[str, Any]


def noise_floors(
    lease: Lease,
    workspace: Workspace,
    recorder: Recorder,
    base: Side,
    asked: Sequence[Asked],
    results: Sequence[Result],
) -> list[Result]:
    """`results` with the share of items that flip without any change, and what that can hide.

    A margin below the floor cannot be judged: such a benchmark has no verdict.
    """
    settings = lease.run.spec["settings"]
    other = settings | {"batch_tokens": max(1, settings["batch_tokens"] // 2)}
    scorings = [
        Scoring(lease, workspace, recorder, sides=[base], asked=asked, settings=how).run()
        for how in (settings, other)
    ]
    out = []
    for result, each in zip(results, asked, strict=True):
        first, second = (scored.items[base.name, each.key] for scored in scorings)
        metric = each.pinned.metric
        shared = [item_id for item_id in first if item_id in second]
        scores = [
            [items[i].metrics.get(metric) or 0.0 for i in shared] for items in (first, second)
        ]
        flips = sum(a != b for a, b in zip(*scores, strict=True))
        floor = noise_of(*scores)
        told = {"flips": flips, "n": len(shared), "floor": floor}
        out.append(result | {"noise": told} | _judged(result, floor))
    return out


def _judged(result: Result, floor: float) -> Result:
    """A verdict that noise could have made is none; what failed, failed by more than noise."""
    if result["verdict"] != Verdict.PASS.value or result["margin"] > floor:
        return {}
    return {"verdict": Verdict.ERROR.value, "reason": "noise_above_margin"}
