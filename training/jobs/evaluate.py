"""A run that measures one model on benchmarks."""

from __future__ import annotations

from typing import Any

from training.jobs.benchmarks import benchmarks_of
from training.jobs.disclosure import hidden_among
from training.jobs.errors import RunFailedError
from training.jobs.evaluations import Side
from training.jobs.finishing import finish
from training.jobs.hiding import hide_as_asked
from training.jobs.items import ItemsError
from training.jobs.lease import Lease
from training.jobs.preparing import asked_in_full
from training.jobs.recorder import Recorder
from training.jobs.scoring import Asked, Scoring
from training.jobs.workspace import Workspace
from training.models import Evaluation, RunStatus

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
    hide_as_asked(run)
    hidden = hidden_among((each.row.pk for each in asked), within=run.repository_id)
    results = [
        _told(each, scored.evaluations[MODEL, each.key], is_hidden=each.row.pk in hidden)
        for each in asked
    ]
    finish(run, RunStatus.SUCCEEDED, result={"evaluations": results})


def _told(asked: Asked, evaluation: Evaluation, *, is_hidden: bool) -> dict[str, Any]:
    """What the run says to whoever may see it: of a hidden benchmark no numbers, and of none the
    data set that it lies in."""
    told = {
        "benchmark": asked.row.pk,
        "label": asked.pinned.label,
        "evaluation": evaluation.pk,
        "n": evaluation.item_count,
    }
    if is_hidden:
        return told | {"hidden": True, "score": None, "scores": {}}
    return told | {"score": evaluation.score, "scores": evaluation.scores}
