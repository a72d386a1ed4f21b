"""Carrying out a run: claimed once, renewed beside the work, ended with one final state."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable

import structlog
from django.conf import settings
from django.db import DatabaseError, transaction
from django.utils.translation import override

from hub.errors import HubError
from hub.jobs.working import ClaimLostError
from training.jobs import bisect, evaluate, finetune, gate, quick
from training.jobs.environment import require_same_libraries
from training.jobs.errors import RunCancelledError, RunFailedError
from training.jobs.finishing import finish
from training.jobs.lease import Lease
from training.jobs.recorder import Recorder, printable
from training.jobs.workspace import Workspace
from training.models import Run, RunAttempt, RunKind, RunStatus
from training.policies import running_of, still_allowed

log = structlog.get_logger(__name__)
# (lease, workspace, recorder) -> what the run came to; it writes its own final state.
Job = Callable[[Lease, Workspace, Recorder], None]
JOBS: dict[str, Job] = {
    RunKind.FINETUNE: finetune.carry_out,
    RunKind.EVALUATE: evaluate.carry_out,
    RunKind.COMPARE: gate.carry_out,
    RunKind.BISECT: bisect.carry_out,
    RunKind.QUICK: quick.carry_out,
}


def worker_name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def execute(pk: int) -> None:
    """Carry out run `pk`, unless it is finished, held by another worker, or has to wait.

    Safe to call at any time and any number of times: the row decides.
    """
    if _has_to_wait(pk):
        return
    run = Run.objects.claim(pk, worker=worker_name())
    if run is None:
        return
    log.info("run.started", run_id=pk, attempt=run.attempt, fence=run.fence)
    with (
        override("en"),
        Lease(run, every=settings.RUN_HEARTBEAT) as lease,
    ):
        _attempt(run, lease)


def _has_to_wait(pk: int) -> bool:
    """Whether the person has as many runs at work as they may; the sweeper asks again."""
    row = Run.objects.filter(pk=pk, status=RunStatus.QUEUED).values_list("created_by", flat=True)
    owner = row.first()
    return owner is not None and running_of(owner) >= settings.RUN_RUNNING_LIMIT_PER_USER


def _attempt(run: Run, lease: Lease) -> None:
    """Work, and clean up: but leave the folder alone when another worker has the run by now."""
    workspace, recorder = Workspace(run), Recorder(run)
    try:
        _carry_out(run, lease, workspace, recorder)
    except ClaimLostError:
        log.warning("run.lease_lost", run_id=run.pk, fence=run.fence)
        return
    workspace.remove()


def _carry_out(run: Run, lease: Lease, workspace: Workspace, recorder: Recorder) -> None:
    try:
        _check(run)
        _resume(run, workspace, recorder)
        JOBS[run.kind](lease, workspace, recorder)
    except ClaimLostError:
        raise
    except RunCancelledError:
        _end(run, recorder, RunStatus.CANCELLED)
    except DatabaseError:
        # Nothing can be written now: the lease runs out and the sweeper rings again.
        log.exception("run.interrupted", run_id=run.pk)
        raise
    except HubError as error:
        _end(run, recorder, RunStatus.FAILED, error=str(error))
    except Exception as fault:
        log.exception("run.broken", run_id=run.pk)
        _end(run, recorder, RunStatus.FAILED, error=_sentence_of(run, fault))


def _sentence_of(run: Run, fault: Exception) -> str:
    """What to tell a person about a fault that is none of theirs."""
    if isinstance(fault, OSError) and fault.errno in (errno.ENOSPC, errno.EDQUOT):
        return "The worker's disk is full: ask an operator to free space, then run it again."
    return (
        f"The server made a mistake and has logged it under run {run.pk}, attempt {run.attempt}: "
        "run it again, or tell an operator."
    )


def _check(run: Run) -> None:
    """What was allowed when the run was asked for must be so still (threats J5)."""
    if not still_allowed(run):
        raise RunFailedError(
            f"{run.created_by.username} may no longer use {run.repository.repo_id} or the data "
            "that this run reads: let someone who may start it again."
        )
    require_same_libraries(run.spec)


def _resume(run: Run, workspace: Workspace, recorder: Recorder) -> None:
    step = workspace.prepare()
    RunAttempt.objects.filter(run=run, number=run.attempt).update(resumed_from_step=step)
    if run.attempt > 1:
        start = "from the beginning" if step is None else f"from the checkpoint of step {step}"
        recorder.line(f"Attempt {run.attempt}: the worker before was lost; going on {start}.")
        recorder.flush()


def _end(run: Run, recorder: Recorder, status: RunStatus, error: str = "") -> None:
    """Write how a run ended that did not succeed. Raises: ClaimLostError."""
    error = printable(error)  # it may quote what people wrote
    if error:
        recorder.line(error)
    recorder.flush()
    with transaction.atomic():
        finish(run, status, error=error)
        if run.kind == RunKind.COMPARE:
            gate.settle_unweighed(run, error)
