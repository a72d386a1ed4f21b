"""Carrying out work whose row is the job: claimed, told as it goes on, settled once."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Generic, TypeVar

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from hub.errors import CodedError, HubError
from hub.models.work import Work, WorkQuerySet, WorkState

log = structlog.get_logger(__name__)
# How often pages see more, and the lease is renewed.
TOLD_EVERY_SECONDS = 2.0
RUNG_AT_ONCE = 8

Row = TypeVar("Row", bound=Work)


class ClaimLostError(Exception):
    """Another worker has the row, or it was settled meanwhile."""


class Claim(Generic[Row]):
    """One worker's hold on one row."""

    def __init__(self, rows: WorkQuerySet[Row], row: Row) -> None:
        self.rows, self.row = rows, row
        self._told_at = 0.0

    @property
    def is_due(self) -> bool:
        """Whether to tell how far it is; telling every time would be slower than the work."""
        return time.monotonic() - self._told_at >= TOLD_EVERY_SECONDS

    def tell(self, **columns: Any) -> None:
        """Write down what is known, and renew the lease. Raises: ClaimLostError."""
        self._told_at = time.monotonic()
        if not self.rows.renew(self.row, **columns):
            raise ClaimLostError

    def keep(self) -> None:
        """Renew the lease from time to time. Raises: ClaimLostError."""
        if self.is_due:
            self.tell()

    def finish(self, **columns: Any) -> None:
        """Settle the row. Raises: ClaimLostError."""
        done = {"state": WorkState.DONE, "finished_at": timezone.now(), **columns}
        if not self.rows.settle(self.row, **done):
            raise ClaimLostError

    def fail(self, code: str, **parameters: Any) -> None:
        """Settle the row with a reason, if it is held still."""
        self.rows.held(self.row).fail(code, **parameters)


def carry_out(
    rows: WorkQuerySet[Row], pk: int, work: Callable[[Claim[Row], Path, ExitStack], None]
) -> None:
    """Do the work of a row, unless that is done or somebody is at it.

    `work` gets the claim, a folder for itself, and a stack that is unwound at the end.
    """
    row = rows.claim(pk)
    if row is None:
        return
    claim = Claim(rows, row)
    about = {"kind": rows.model.__name__, "pk": pk}
    try:
        with _scratch(row) as scratch, ExitStack() as kept:
            work(claim, scratch, kept)
    except ClaimLostError:
        log.warning("work.claim_lost", **about)
    except (OperationalError, InterfaceError):
        raise  # nothing can be written now: the lease runs out and the sweeper rings again
    except CodedError as error:
        claim.fail(error.code, **error.parameters)
    except HubError as error:
        claim.fail("refused", said=str(error))
    except Exception:
        log.exception("work.failed", **about)
        claim.fail("internal")


def due(rows: WorkQuerySet[Row]) -> list[int]:
    """Rows whose doorbell must ring again; those that kill every worker are settled, and what
    killed ones left on the disk is removed."""
    if count := rows.give_up():
        log.warning("work.given_up", kind=rows.model.__name__, count=count)
    for folder in settings.WORK_DIR.glob(f"{rows.model.__name__}-*"):
        pk = int(folder.name.split("-")[1])
        if not rows.filter(pk=pk, state=WorkState.RUNNING).exists():
            shutil.rmtree(folder, ignore_errors=True)
    return list(rows.due().values_list("pk", flat=True)[:RUNG_AT_ONCE])


@contextmanager
def _scratch(row: Work) -> Iterator[Path]:
    """A folder for one claim; those of earlier claims, whose workers are gone, are removed."""
    name = f"{type(row).__name__}-{row.pk}"
    for left in settings.WORK_DIR.glob(f"{name}-*"):
        shutil.rmtree(left, ignore_errors=True)
    folder: Path = settings.WORK_DIR / f"{name}-{row.fence}"
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
