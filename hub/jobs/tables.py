"""Going through a whole table once: where rows begin, how many there are, what columns hold."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils import timezone

from hub.errors import HubError
from hub.formats.tables.errors import BudgetSpentError, TableError
from hub.formats.tables.rows import Budget, Mark, Reader
from hub.formats.tables.statistics import TableStatistics
from hub.jobs import working
from hub.jobs.table_files import TablePart, opened, require_parts
from hub.jobs.working import Claim
from hub.models import TableFacts

# Marks of one file, evenly spread: a page begins at the nearest.
MARKS_LIMIT = 2_000
MARK_EVERY_BYTES = 64 * 1024
# Statistics end after so long, counting after so long: a table that is larger is told in part.
STATISTICS_SECONDS, COUNTING_SECONDS = 300.0, 1_200.0


def work_out(facts_id: int) -> None:
    """Work a table out, unless that is done or somebody is at it. Safe to repeat and to kill."""
    working.carry_out(TableFacts.objects.all(), facts_id, _work_out)


def _work_out(claim: Claim[TableFacts], scratch: Path, kept: ExitStack) -> None:
    try:
        found = facts_of([TablePart(**part) for part in claim.row.parts], claim.row, claim.keep)
    except TableError as error:
        claim.fail(error.fault)
    except HubError:
        claim.fail("missing")
    else:
        claim.finish(**found)


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


def forget() -> int:
    """Let go of what nobody looked at lately; how many. It can be worked out again."""
    ended = timezone.now() - settings.DERIVED_LIFETIME
    return TableFacts.objects.filter(used_at__lt=ended).delete()[0]


def note_use(facts: TableFacts) -> None:
    """Keep a row on: it is asked for. A page notes its use once an hour."""
    now = timezone.now()
    if facts.used_at < now - timedelta(hours=1):
        TableFacts.objects.filter(pk=facts.pk).update(used_at=now)
