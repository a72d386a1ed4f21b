"""Celery envelopes of runs. The argument is a row's key; the row is the job."""

from __future__ import annotations

from celery import shared_task

from hub.jobs.doorbell import ring, ring_again
from training.jobs import execute, retelling, sweep, tries


@shared_task
def execute_run(run_id: int) -> None:
    """Carry out one run, unless it is finished or someone else has it."""
    execute.execute(run_id)


@shared_task
def answer_try(try_id: int) -> None:
    """Answer one try, unless it is finished or someone else has it."""
    tries.answer(try_id)


@shared_task
def sweep_runs() -> None:
    """Ring again for every run and try that waits or was abandoned."""
    ring_again(answer_try, tries.due())
    tries.remove_left_folders()
    ring_again(execute_run, sweep.due())
    sweep.remove_left_folders()
    ring_again(tell_less, retelling.due())


@shared_task
def tell_less(hidden_id: int) -> None:
    """Write anew what machines wrote of a file before it was hidden."""
    retelling.tell_less(hidden_id)


def ring_for_hidden() -> None:
    """Ask for a worker for every file that was hidden and is still told of."""
    ring(tell_less, *retelling.due())
