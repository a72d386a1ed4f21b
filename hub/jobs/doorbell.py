"""Messages that ask for a worker: the row is the job, and a lost one costs half a minute."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import transaction

# A doorbell that nobody heard for so long is rung anew by the sweeper.
LIFETIME_SECONDS = 60


def ring(task: Any, *keys: int) -> None:
    """Ask for a worker for each of these rows once they are committed; without a broker the
    sweeper asks later. `task`: a Celery task that takes a primary key."""

    def ring_each() -> None:  # the first one that finds no broker spares the others the wait
        for key in keys:
            task.delay(key)

    if keys:
        transaction.on_commit(ring_each, robust=True)


def ask(task: Any, *arguments: object) -> None:
    """Send one message, with these arguments, once the transaction is committed; a broker that is
    away fails nothing."""

    def send() -> None:  # Django asks a robust callback for its name: a partial has none
        task.delay(*arguments)

    transaction.on_commit(send, robust=True)


def ring_again(task: Any, keys: Iterable[int]) -> None:
    """The same for rows that a sweep has found: what nobody hears lapses until the next one."""
    for key in keys:
        task.apply_async((key,), expires=LIFETIME_SECONDS)
