"""Holding a run: the lease is renewed beside the work, and the work stops when it is lost."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from types import TracebackType
from typing import Self

import structlog
from django.db import DatabaseError, connection

from hub.jobs.working import ClaimLostError
from training.jobs.errors import RunCancelledError
from training.models import Run

log = structlog.get_logger(__name__)
# A request to cancel is seen this soon, well within the 10 s until everything has ended.
LOOK_EVERY_SECONDS = 1.0


class Lease:
    """A claim on a run, renewed by a thread until the block is left.

    The work asks `must_stop` often: the claim may be lost, or the run cancelled. A worker that
    cannot reach the database for the length of a lease counts as lost: by then another one may
    have the run.
    """

    def __init__(self, run: Run, *, every: timedelta) -> None:
        self.run, self.every_seconds = run, every.total_seconds()
        self.lost = self.cancelled = False
        self._over = threading.Event()
        self._renewed_at = time.monotonic()
        self._thread = threading.Thread(target=self._keep, name=f"lease-{run.pk}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()

    @property
    def must_stop(self) -> bool:
        return self.lost or self.cancelled

    def check(self) -> None:
        """Raise ClaimLostError or RunCancelledError when the work has to end."""
        if self.lost:
            raise ClaimLostError
        if self.cancelled:
            raise RunCancelledError

    def _keep(self) -> None:
        try:
            while not self._over.wait(LOOK_EVERY_SECONDS):
                self._look()
                if self.must_stop:
                    break
        finally:
            connection.close()

    def _look(self) -> None:
        unrenewed_seconds = time.monotonic() - self._renewed_at
        try:
            self.cancelled = self._cancel_requested()
            if unrenewed_seconds >= self.every_seconds:
                self._renew()
        except DatabaseError as fault:
            log.warning("run.lease_not_renewed", run_id=self.run.pk, fault=str(fault))
            connection.close()
            self.lost = unrenewed_seconds >= Run.lease().total_seconds()

    def _cancel_requested(self) -> bool:
        held = Run.objects.held(self.run)
        return held.filter(cancel_requested_at__isnull=False).exists()

    def _renew(self) -> None:
        asked_at = time.monotonic()
        if Run.objects.renew(self.run):
            self._renewed_at = asked_at
        else:
            self.lost = True
