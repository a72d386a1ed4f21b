"""Going through a whole table once: where rows begin, how many there are, what columns hold."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import structlog
from django.conf import settings
from django.utils import timezone

from hub.errors import HubError
from hub.formats.tables.errors import BudgetSpentError, TableError
from hub.formats.tables.rows import Budget, Mark, Reader
from hub.formats.tables.statistics import TableStatistics
from hub.jobs.table_files import TablePart, opened, require_parts
from hub.models import TableFacts, TableState
from hub.models.tables import LEASE

log = structlog.get_logger(__name__)
TOLD_EVERY_SECONDS = 5.0
# Marks of one file, evenly spread: a page begins at the nearest.
MARKS_LIMIT = 2_000
MARK_EVERY_BYTES = 64 * 1024
# Statistics end after so long, counting after so long: a table that is larger is told in part.
STATISTICS_SECONDS, COUNTING_SECONDS = 300.0, 1_200.0
RUNG_AT_ONCE = 8


class ClaimLostError(Exception):
    """Another worker has the table."""


def work_out(facts_id: int) -> None:
    """Work a table out, unless that is done or somebody is at it. Safe to repeat and to kill."""
    row = TableFacts.objects.claim(facts_id)
    if row is None:
        return
    try:
        found = facts_of([TablePart(**part) for part in row.parts], row, _keeper(row))
    except ClaimLostError:
        log.warning("table.claim_lost", facts_id=facts_id)
    except TableError as error:
        _fail(row, error.fault)
    except HubError:
        _fail(row, "missing")
    except Exception:
        log.exception("table.failed", facts_id=facts_id)
        _fail(row, "internal")
    else:
        TableFacts.objects.held(row).update(state=TableState.DONE, fault="", **found)


def _fail(row: TableFacts, fault: str) -> None:
    TableFacts.objects.held(row).update(state=TableState.FAILED, fault=fault)


def _keeper(row: TableFacts) -> Callable[[], None]:
    """What renews the lease from time to time. It raises ClaimLostError."""
    told_at = time.monotonic()

    def keep() -> None:
        nonlocal told_at
        if time.monotonic() - told_at < TOLD_EVERY_SECONDS:
            return
        told_at = time.monotonic()
        lease = timezone.now() + LEASE
        if not TableFacts.objects.held(row).update(lease_until=lease):
            raise ClaimLostError

    return keep


def facts_of(
    parts: list[TablePart], row: TableFacts, keep: Callable[[], None] = lambda: None
) -> dict[str, Any]:
    """The columns of TableFacts for a table. Raises: TableError, HubError, what `keep` raises."""
    require_parts(row.repository, parts)
    passing = _Pass(keep)
    for part in parts:
        with opened(row.repository, part, Budget(COUNTING_SECONDS)) as reader:
            passing.go_through(reader)
    return passing.told()


class _Pass:
    """One pass over the files of a table."""

    def __init__(self, keep: Callable[[], None]) -> None:
        self._keep, self._began = keep, time.monotonic()
        self._statistics: TableStatistics | None = None
        self.counts: list[int] = []
        self.marks: list[list[list[int]]] = []
        self.is_cut = False

    def go_through(self, reader: Reader) -> None:
        if self._statistics is None:
            self._statistics = TableStatistics(reader.columns)
        self.is_cut |= reader.is_cut
        marks, count = _Marks(), 0
        with suppress(BudgetSpentError):
            for record in reader.records():
                if record.number % 256 == 0:
                    self._keep()
                    if self._is_late(COUNTING_SECONDS):
                        self.is_cut = True
                        break
                marks.add(record.number, record.at)
                count = record.number + 1
                if not self._is_enough(record.number):
                    self._statistics.add(reader.row(record))
                elif reader.length is not None:
                    break
        self.counts.append(count if reader.length is None else reader.length)
        self.marks.append(marks.found)

    def _is_late(self, seconds: float) -> bool:
        return time.monotonic() - self._began > seconds

    def _is_enough(self, number: int) -> bool:
        """Whether no more values are looked at."""
        statistics = self._statistics
        if statistics is None or statistics.is_full:
            return True
        if number % 256 == 0 and self._is_late(STATISTICS_SECONDS):
            statistics.is_full = True
        return statistics.is_full

    def told(self) -> dict[str, Any]:
        statistics = self._statistics or TableStatistics([])
        return {
            "counts": self.counts,
            "marks": self.marks,
            "columns": statistics.told(),
            "counted_rows": statistics.rows,
            "broken_rows": statistics.broken,
            "is_cut": self.is_cut,
        }


class _Marks:
    """Rows and where they begin, at most MARKS_LIMIT: every second one goes when there are more."""

    def __init__(self) -> None:
        self.found: list[list[int]] = []
        self._every, self._next = MARK_EVERY_BYTES, MARK_EVERY_BYTES

    def add(self, row: int, at: int) -> None:
        if at < self._next:
            return
        self.found.append([row, at])
        if len(self.found) >= MARKS_LIMIT:
            self.found, self._every = self.found[1::2], self._every * 2
        self._next = at + self._every


def marks_of(facts: TableFacts, part: int) -> tuple[Mark, ...]:
    """The marks of file number `part`."""
    found = facts.marks[part] if part < len(facts.marks) else []
    return tuple(Mark(row, at) for row, at in found)


def due() -> list[int]:
    """Tables whose doorbell must ring again; those that kill every worker are settled."""
    if count := TableFacts.objects.give_up():
        log.warning("table.given_up", count=count)
    return list(TableFacts.objects.due().values_list("pk", flat=True)[:RUNG_AT_ONCE])


def forget() -> int:
    """Let go of what nobody looked at lately; how many. It can be worked out again."""
    ended = timezone.now() - settings.DERIVED_LIFETIME
    return TableFacts.objects.filter(used_at__lt=ended).delete()[0]


def note_use(facts: TableFacts) -> None:
    """Keep a row on: it is asked for. A page notes its use once an hour."""
    now = timezone.now()
    if facts.used_at < now - timedelta(hours=1):
        TableFacts.objects.filter(pk=facts.pk).update(used_at=now)
