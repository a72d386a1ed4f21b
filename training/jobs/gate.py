"""The gate's run: base and the exact merge result on the same pinned items, then the verdict."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.db import transaction

from hub import events
from hub.errors import ConflictError
from hub.models import CommitStatus, Event, Repository, StatusState
from training.jobs.benchmarks import benchmarks_of, gate_of, issue
from training.jobs.errors import LeaseLostError, RunFailedError
from training.jobs.evaluations import Side
from training.jobs.finishing import finish
from training.jobs.items import ItemsError
from training.jobs.lease import Lease
from training.jobs.recorder import Recorder
from training.jobs.scoring import Scoring
from training.jobs.sentences import sentence_of
from training.jobs.verdicts import Result, broken, overall, weigh
from training.jobs.workspace import Workspace
from training.models import GateRecord, GateVerdict, Run, RunStatus

CONTEXT = "gate"
STATES = {
    GateVerdict.PASS: StatusState.SUCCESS,
    GateVerdict.FAIL: StatusState.FAILURE,
    GateVerdict.INCONCLUSIVE: StatusState.FAILURE,
    GateVerdict.ERROR: StatusState.ERROR,
}


def carry_out(lease: Lease, workspace: Workspace, recorder: Recorder) -> None:
    """Weigh what the spec pins and record the verdict."""
    run = lease.run
    _begin(run)
    _require_same_merge(run)
    sides = [_side(run, name) for name in ("base", "candidate")]
    if sides[0].digest == sides[1].digest:
        reason = "not_weighable" if run.spec.get("unweighed") else "no_model_change"
        return settle(run, GateVerdict.PASS, [], reason)
    benchmarks, gate = benchmarks_of(run.spec), gate_of(run.spec)
    issued = issue(benchmarks, gate)
    try:
        evaluations = Scoring(
            lease, workspace, recorder, sides=sides, issued=issued, benchmarks=benchmarks
        ).evaluations()
        results = weigh(run, benchmarks, evaluations, gate.alpha)
    except ItemsError as error:
        recorder.line(f"The item results cannot be used: {error}")
        recorder.flush()
        results = broken(benchmarks, error, gate.alpha)
    lease.check()
    return settle(run, GateVerdict(overall(results)), results)


@transaction.atomic
def _begin(run: Run) -> None:
    if not Run.objects.held(run.pk, run.fence).select_for_update().exists():
        raise LeaseLostError
    set_status(run, StatusState.RUNNING, "The gate is weighing this change.")


def _require_same_merge(run: Run) -> None:
    """The tree that is weighed must be what git makes of base and head, here and now."""
    change = run.spec["change"]
    try:
        tree = run.repository.store().merge_tree(change["base_oid"], change["head_oid"])
    except ConflictError as error:
        raise RunFailedError(str(error)) from error
    if tree != change["merge_tree"]:
        raise RunFailedError("The merge result is not the one that was submitted: start it again.")


def _side(run: Run, name: str) -> Side:
    given = run.inputs(name)[0]
    return Side(name, given["digest"], given["commit"])


@transaction.atomic
def settle(run: Run, verdict: GateVerdict, results: list[Result], reason: str = "") -> None:
    """Record the verdict, the status on the commit and the end of the run, or nothing of it."""
    change = run.spec["change"]
    Repository.objects.select_for_update(no_key=True).only("pk").get(pk=run.repository_id)
    attempt = GateRecord.objects.of(run.repository_id, change["number"]).count() + 1
    GateRecord.objects.create(
        repository=run.repository,
        pull_request_number=change["number"],
        attempt=attempt,
        head_oid=change["head_oid"],
        base_oid=change["base_oid"],
        merge_tree=change["merge_tree"],
        config_digest=run.spec["gate"]["digest"],
        verdict=verdict,
        sentence={"reason": reason, "unweighed": run.spec.get("unweighed", [])},
        results=results,
        run=run,
    )
    told = sentence_of(verdict, results, reason)
    finish(run, RunStatus.SUCCEEDED, result={"verdict": str(verdict), "sentence": told})
    set_status(run, STATES[verdict], told)
    Event.objects.create(
        repository=run.repository,
        actor=run.created_by,
        kind="gate.decided",
        path=change["path"],
        data={"number": change["number"], "verdict": str(verdict), "run": run.number},
    )


def settle_unweighed(run: Run, error: str) -> None:
    """A run that ended without a verdict: said on the commit, so that nobody waits for it."""
    told = error or "The gate was cancelled."
    set_status(run, StatusState.ERROR, told)


def set_status(run: Run, state: StatusState, description: str) -> None:
    """Say on the commit how the gate stands, and tell whoever listens after the commit."""
    change: dict[str, Any] = run.spec["change"]
    status, _created = CommitStatus.objects.update_or_create(
        repository=run.repository,
        oid=change["head_oid"],
        base_oid=change["base_oid"],
        context=CONTEXT,
        defaults={
            "state": state,
            "description": description[:300],
            "target_path": run.get_absolute_url(),
        },
    )
    told = {"repository": run.repository, "status": status}
    transaction.on_commit(partial(events.status_changed.send_robust, CommitStatus, **told))
