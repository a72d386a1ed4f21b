"""Celery envelopes of runs. The argument is a row's key; the row is the job."""

from __future__ import annotations

from functools import partial

from celery import shared_task
from django.db import transaction

from training.jobs import execute, retelling, sweep, tries

# A doorbell that nobody heard for so long is rung anew by the sweeper.
RING_LIFETIME_SECONDS = 60


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
    for try_id in tries.due():
        answer_try.apply_async((try_id,), expires=RING_LIFETIME_SECONDS)
    tries.remove_left_folders()
    for run_id in sweep.due():
        execute_run.apply_async((run_id,), expires=RING_LIFETIME_SECONDS)
    sweep.remove_left_folders()
    ring_for_hidden()


@shared_task
def tell_less(hidden_id: int) -> None:
    """Write anew what machines wrote of a file before it was hidden."""
    retelling.tell_less(hidden_id)


def ring_for_hidden() -> None:
    """Ask for a worker for every file that was hidden and is still told of."""
    for hidden_id in retelling.due():
        message = partial(tell_less.apply_async, (hidden_id,), expires=RING_LIFETIME_SECONDS)
        transaction.on_commit(message, robust=True)


def ring(run_id: int) -> None:
    """Ask for a worker once the row is committed; without a broker the sweeper asks later."""
    transaction.on_commit(partial(execute_run.delay, run_id), robust=True)


def ring_for_try(try_id: int) -> None:
    """The same for a try."""
    transaction.on_commit(partial(answer_try.delay, try_id), robust=True)
