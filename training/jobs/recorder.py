"""Writes what a run reports, a batch at a time, only while the claim still holds."""

from __future__ import annotations

import math
import re
import time
import unicodedata
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Sum
from django.db.models.functions import Length

from hub.jobs.working import ClaimLostError
from training.models import LogLine, Metric, Run

FLUSH_EVERY_SECONDS = 1.0
LINE_LIMIT = 4_000
METRIC_POINTS_LIMIT = 500_000
METRIC_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_./-]{0,63}")
_SECRET = re.compile(r"\b(wb|hf)_[A-Za-z0-9]{16,}")
CUT = "[The log is longer than its limit: the rest is not kept.]"


class Recorder:
    """Metrics, log lines and progress of one claim on a run."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.progress: dict[str, Any] = dict(run.progress)
        self._metrics: dict[tuple[str, int], float] = {}
        self._lines: list[str] = []
        self._changed = False
        self._flushed_at = time.monotonic()
        kept = LogLine.objects.filter(run=run).aggregate(size=Sum(Length("text")))["size"]
        self._log_room = settings.RUN_LOG_LIMIT_BYTES - (kept or 0)
        self._metric_room = METRIC_POINTS_LIMIT - Metric.objects.filter(run=run).count()

    def line(self, text: str) -> None:
        """Keep one line of log, without control characters and secrets, while there is room."""
        if self._log_room <= 0:
            return
        clean = _SECRET.sub(r"\1_***", printable(text))[:LINE_LIMIT]
        self._log_room -= len(clean.encode()) + 1
        self._lines.append(clean)
        if self._log_room <= 0:
            self._lines.append(CUT)

    def metric(self, step: Any, values: Any) -> None:
        """Keep the finite numbers among `values` at `step`; a resumed run replaces its points."""
        if not _is_count(step) or not isinstance(values, dict):
            return
        for name, value in values.items():
            if METRIC_NAME.fullmatch(str(name)) and _is_finite(value) and self._metric_room > 0:
                self._metrics[name, step] = float(value)
                self._metric_room -= 1

    def tell(self, **facts: Any) -> None:
        """Change the facts of the progress line."""
        self.progress |= facts
        self._changed = True

    def flush_if_due(self) -> None:
        if time.monotonic() - self._flushed_at >= FLUSH_EVERY_SECONDS:
            self.flush()

    @transaction.atomic
    def flush(self) -> None:
        """Write what has come. Raises: ClaimLostError when another worker holds the run."""
        self._flushed_at = time.monotonic()
        if not (self._metrics or self._lines or self._changed):
            return
        held = Run.objects.held(self.run)
        # The row stays locked until the commit, so no other claim can come in between.
        if held.update(progress=self.progress, fence=F("fence")) != 1:
            raise ClaimLostError
        Metric.objects.bulk_create(
            [Metric(run=self.run, name=n, step=s, value=v) for (n, s), v in self._metrics.items()],
            update_conflicts=True,
            unique_fields=["run", "name", "step"],
            update_fields=["value"],
        )
        number = self.run.attempt
        LogLine.objects.bulk_create(
            [LogLine(run=self.run, attempt=number, text=text) for text in self._lines]
        )
        self._metrics, self._lines, self._changed = {}, [], False


def printable(text: str) -> str:
    """`text` on one line, without control and direction-changing characters (threats J2)."""
    kept = text.replace("\t", "    ")
    return "".join(c for c in kept if unicodedata.category(c) not in {"Cc", "Cf", "Cs"}).rstrip()


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31


def _is_finite(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value)
