"""A loaded model that answers one try after another: a process in the sandbox, watched."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from django.conf import settings
from django.db import DatabaseError
from django.utils import timezone

from training.jobs.environment import thread_count
from training.jobs.inputs import lay_out, model_files
from training.jobs.try_answers import shaped, tidy
from training.jobs.try_claims import refusal_of
from training.models import Run, RunStatus, Try
from training.runner.folders import ADAPTER_FILES
from training.sandbox import Exit, Limits, ReadOnly, Sandbox, python_inputs, runner_argv, runner_env

log = structlog.get_logger(__name__)
FLUSH_EVERY_SECONDS = 0.25
LOOK_EVERY_SECONDS = 1.0
IDLE_LOOK_EVERY_SECONDS = 0.3
OUT_LIMIT_BYTES = 16 * 1024**2
_ENDS = {
    "memory": "It needs more than {memory_gb:.0f} GB of memory: try a smaller model.",
    "cpu_time": "It used more processor time than a try may.",
    "wall_time": "It took longer than a try may.",
    "killed": "Its process was killed from outside, perhaps for memory: ask again.",
}


@dataclass
class Asked:
    """The try at work: its number in the session, and what has been told of it so far."""

    row: Try
    number: int
    asked_at: float
    renewed_at: float
    text: str = ""
    is_told: bool = True  # nothing to write


class TrySession:
    """Answers tries of one model at one revision; the first is claimed already.

    Raises of `run`: what laying out the files raises; the first try is still held then.
    """

    def __init__(self, first: Try, *, worker: str) -> None:
        self.first, self.worker = first, worker
        self.folder = Path(settings.RUNS_DIR) / "tries" / f"{first.pk}-{first.fence}"
        self.asks = self.folder / "in" / "asks"
        self.begun_at = self.idle_since = time.monotonic()
        self.looked_at = self.flushed_at = 0.0
        self.count = 0
        self.now: Asked | None = None
        self.is_ready = self.is_over = False
        self.said = ""

    def run(self) -> None:
        """Load the model, answer, wait for more, and leave nothing behind."""
        try:
            mounts = self._lay_out()
            self._ask(self.first)
            limits = _limits()
            sandbox = Sandbox(
                self.folder,
                argv=runner_argv(),
                inputs=[
                    *python_inputs(),
                    ReadOnly(self.folder / "in", "/in"),
                    *(ReadOnly(path, target) for target, path in sorted(mounts.items())),
                ],
                out=self.folder / "out",
                limits=limits,
                env=runner_env(thread_count()),
            )
            self._settle(sandbox.run(self._take, self._must_stop), limits)
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _lay_out(self) -> dict[str, Path]:
        repository, inputs = self.first.repository, self.folder / "in"
        for left in self.folder.parent.glob(f"{self.first.pk}-*"):  # of a worker that is gone
            shutil.rmtree(left, ignore_errors=True)
        self.asks.mkdir(parents=True)
        files = model_files(repository.store(), self.first.oid)
        base, large = self.first.base, {}
        if base is not None:
            own = model_files(base.store(), self.first.base_oid)
            own = [file for file in own if file.path not in ADAPTER_FILES]
            large = lay_out(base, own, inputs / "model")
            files = [file for file in files if file.path in ADAPTER_FILES]
        large |= lay_out(repository, files, inputs / "model")
        job = {
            "kind": "try",
            "model": "/in/model",
            "task": self.first.task,
            "dtype": self.first.dtype,
            "threads": thread_count(),
        }
        (inputs / "job.json").write_text(json.dumps(job))
        for path in (inputs, *inputs.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o444)
        return {f"/in/model/{path}": place for path, place in large.items()}

    def _ask(self, row: Try) -> None:
        """Put a claimed try before the model: whole or not there at all."""
        self.count += 1
        draft = self.folder / f"{self.count}.json"
        draft.write_text(json.dumps(row.request, ensure_ascii=False))
        draft.chmod(0o444)
        draft.replace(self.asks / f"{self.count:06d}.json")
        moment = time.monotonic()
        self.now = Asked(row, self.count, moment, moment)
        log.info("try.asked", try_id=row.pk, warm=row.is_warm)

    def _take(self, line: bytes) -> None:
        try:
            event = json.loads(line)
        except ValueError:
            return
        kind = event.get("type") if isinstance(event, dict) else None
        if kind == "ready":
            self.is_ready = True
            if self.now:
                self.now.asked_at = time.monotonic()
        elif kind == "error":
            self.said = tidy(event.get("message"), 500)
        elif self.now is not None and event.get("ask") == self.now.number:
            self._told(self.now, event)

    def _told(self, asked: Asked, event: dict[str, Any]) -> None:
        match event.get("type"):
            case "piece":
                asked.text, asked.is_told = tidy(event.get("text"), 20_000), False
                if not asked.row.first_answer_at:
                    self._flush(asked)
            case "answered":
                result = shaped(asked.row.task, event.get("result"))
                if result is None:
                    said = "The model's answer could not be read: tell an operator."
                    return self._finish(RunStatus.FAILED, error=said)
                self._finish(RunStatus.SUCCEEDED, result=result, text=result.get("text", ""))
            case "refused":
                said = tidy(event.get("message"), 500) or "The model gave no answer."
                self._finish(RunStatus.FAILED, error=said)
        return None

    def _flush(self, asked: Asked) -> None:
        """Write what the model has said so far; a row that is lost ends the session."""
        now = timezone.now()
        asked.row.first_answer_at = asked.row.first_answer_at or now
        held = Try.objects.held(asked.row)
        told = held.update(text=asked.text, first_answer_at=asked.row.first_answer_at)
        asked.is_told, self.flushed_at = True, time.monotonic()
        if not told:
            self._lose()

    def _finish(self, status: RunStatus, **facts: Any) -> None:
        asked, self.now = self.now, None
        if asked is None:
            return
        now = timezone.now()
        if status == RunStatus.SUCCEEDED:
            facts["first_answer_at"] = asked.row.first_answer_at or now
        if not Try.objects.finish(asked.row, status, **facts):
            self.is_over = True
        self.idle_since = time.monotonic()
        log.info("try.ended", try_id=asked.row.pk, status=str(status))

    def _lose(self) -> None:
        self.now, self.is_over = None, True

    def _must_stop(self) -> bool:
        """One look, between two looks at the limits: write, renew, cancel, take the next."""
        try:
            self._look(time.monotonic())
        except DatabaseError as fault:
            # The lease runs out and the sweeper rings again.
            log.warning("try.interrupted", fault=str(fault))
            self._lose()
        return self.is_over

    def _look(self, now: float) -> None:
        asked = self.now
        if asked is None:
            return self._idle(now)
        if not asked.is_told and now - self.flushed_at >= FLUSH_EVERY_SECONDS:
            self._flush(asked)
        if now - self.looked_at >= LOOK_EVERY_SECONDS:
            self.looked_at = now
            self._renew(asked, now)
        limit = settings.TRY_ANSWER_LIMIT if self.is_ready else settings.TRY_LOAD_LIMIT
        if self.now and now - asked.asked_at > limit.total_seconds():
            doing = "answer" if self.is_ready else "load"
            said = f"It took longer than {limit.total_seconds():.0f} seconds to {doing}."
            self._finish(RunStatus.FAILED, error=said)
            self.is_over = True
        return None

    def _renew(self, asked: Asked, now: float) -> None:
        held = Try.objects.held(asked.row)
        row = held.values_list("cancel_requested_at", flat=True)
        found = list(row)
        if not found:
            return self._lose()
        if found[0] is not None:
            self._finish(RunStatus.CANCELLED)
            self.is_over = True
        elif now - asked.renewed_at >= settings.RUN_HEARTBEAT.total_seconds():
            asked.renewed_at = now
            Try.objects.renew(asked.row)
        return None

    def _idle(self, now: float) -> None:
        """Wait for the next question to the same model, as long as nobody needs the place."""
        if now - self.looked_at < IDLE_LOOK_EVERY_SECONDS:
            return
        self.looked_at = now
        row = self._next()
        if row is not None:
            self._ask(row)
            return
        warm = settings.TRY_WARM.total_seconds()
        too_old = now - self.begun_at > settings.TRY_SESSION_LIMIT.total_seconds() / 2
        others = Try.objects.waiting().exists() or Run.objects.waiting().exists()
        self.is_over = too_old or others or now - self.idle_since > warm

    def _next(self) -> Try | None:
        """The try that waits longest, if it is for the model that is loaded."""
        if not settings.TRY_IT:
            return None
        waiting = Try.objects.waiting().values_list("pk", "repository", "model_digest", "task")
        head = waiting.first()
        first = self.first
        if head is None or head[1:] != (first.repository_id, first.model_digest, first.task):
            return None
        row = Try.objects.claim(head[0], worker=self.worker, is_warm=True)
        if row is None:
            return None
        if refused := refusal_of(row):
            Try.objects.finish(row, RunStatus.FAILED, error=refused)
            return None
        return row

    def _settle(self, ended: Exit, limits: Limits) -> None:
        """What becomes of the try that was at work when the process ended."""
        if self.now is None:
            return
        sentence = _ENDS.get(ended.reason, "The model's process ended before it answered.")
        said = self.said or sentence.format(memory_gb=limits.memory_bytes / 1e9)
        self._finish(RunStatus.FAILED, error=said)


def _limits() -> Limits:
    wall_seconds = settings.TRY_SESSION_LIMIT.total_seconds()
    return Limits(
        wall_seconds=wall_seconds,
        cpu_seconds=int(wall_seconds * thread_count()),
        memory_bytes=settings.TRY_MEMORY_LIMIT_BYTES,
        out_bytes=OUT_LIMIT_BYTES,
        threads=thread_count(),
    )
