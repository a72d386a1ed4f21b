"""A run that measures one model on benchmarks."""

from __future__ import annotations

from training.jobs.benchmarks import benchmarks_of
from training.jobs.errors import RunFailedError
from training.jobs.evaluations import Side
from training.jobs.finishing import finish
from training.jobs.items import ItemsError
from training.jobs.lease import Lease
from training.jobs.preparing import asked_in_full
from training.jobs.recorder import Recorder
from training.jobs.scoring import Scoring
from training.jobs.workspace import Workspace
from training.models import RunStatus

MODEL = "model"


def carry_out(lease: Lease, workspace: Workspace, recorder: Recorder) -> None:
    """Measure what the spec pins and keep the scores.

    Raises: RunFailedError when the results are not exactly those of the items asked.
    """
    run = lease.run
    given = run.inputs(MODEL)[0]
    side = Side(MODEL, given["digest"], given["commit"])
    asked = [asked_in_full(pinned) for pinned in benchmarks_of(run.spec)]
    try:
        scored = Scoring(lease, workspace, recorder, sides=[side], asked=asked).run()
    except ItemsError as error:
        raise RunFailedError(f"The item results cannot be used: {error}") from error
    lease.check()
    results = [
        {
            "benchmark": each.row.pk,
            "label": each.pinned.label,
            "reference": each.pinned.reference,
            "evaluation": scored.evaluations[MODEL, each.key].pk,
            "score": scored.evaluations[MODEL, each.key].score,
            "scores": scored.evaluations[MODEL, each.key].scores,
            "n": scored.evaluations[MODEL, each.key].item_count,
        }
        for each in asked
    ]
    finish(run, RunStatus.SUCCEEDED, result={"evaluations": results})
