"""One job of the runner in its sandbox: inputs in, events out, until it ends or must stop."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from django.conf import settings

from training.jobs.environment import thread_count
from training.jobs.errors import RunFailedError
from training.jobs.lease import Lease
from training.jobs.recorder import Recorder
from training.jobs.workspace import Workspace
from training.models import Run
from training.sandbox import (
    Exit,
    Limits,
    ReadOnly,
    Sandbox,
    python_inputs,
    runner_argv,
    runner_env,
)

Event = dict[str, Any]
_ENDS = {
    "wall_time": "It ran longer than {minutes:.0f} minutes: use fewer steps or items.",
    "cpu_time": "It used more processor time than allowed: use fewer steps or items.",
    "memory": (
        "It used more than {memory_gb:.1f} GB of memory: lower per_device_train_batch_size or "
        "max_length, or use a smaller model."
    ),
    "disk": "It wrote more than {disk_gb:.1f} GB: save fewer checkpoints or use a smaller model.",
    "killed": "Its process was killed from outside, perhaps for memory: run it again.",
}


class RunnerJob:
    """A job file, what it reads, and what came of it."""

    def __init__(self, lease: Lease, workspace: Workspace, recorder: Recorder) -> None:
        self.lease, self.workspace, self.recorder = lease, workspace, recorder
        self.result: dict[str, Any] | None = None
        self.error = ""
        self.on_item: Callable[[Event], None] | None = None
        self.on_look: Callable[[Event], None] | None = None
        self._ends_early = False

    def end_early(self) -> None:
        """Stop the process: what it has told by now is enough."""
        self._ends_early = True

    def run(self, job: Mapping[str, Any], mounts: Mapping[str, Path]) -> dict[str, Any]:
        """Carry out `job`; `mounts` shows files of the host by their path inside.

        Raises:
            RunFailedError: it ended without a result; the sentence says why.
            SandboxUnavailableError: nothing ran.
            ClaimLostError, RunCancelledError: it was stopped.
        """
        workspace, limits = self.workspace, _limits(job["threads"])
        (workspace.inputs / "job.json").write_text(json.dumps(dict(job), ensure_ascii=False))
        workspace.show_inputs()
        workspace.drop_earlier()
        shown = [ReadOnly(workspace.inputs, "/in")]
        shown += [ReadOnly(path, target) for target, path in sorted(mounts.items())]
        sandbox = Sandbox(
            workspace.folder,
            argv=runner_argv(),
            inputs=[*python_inputs(), *shown],
            out=workspace.out,
            limits=limits,
            env=runner_env(job["threads"]),
        )
        ended = sandbox.run(self._take, self._must_stop)
        self.recorder.flush()
        self._count(ended)
        self.lease.check()
        if self.result is None and self._ends_early:
            return {}
        if self.result is None:
            raise RunFailedError(self.error or _why(ended, limits))
        return self.result

    def _must_stop(self) -> bool:
        self.recorder.flush_if_due()
        return self.lease.must_stop or self._ends_early

    def _take(self, line: bytes) -> None:
        try:
            event = json.loads(line)
        except ValueError:
            return self.recorder.line(line.decode("utf-8", "replace"))
        return self._tell(event) if isinstance(event, dict) else None

    def _tell(self, event: Event) -> None:
        match event.get("type"):
            case "log":
                for line in str(event.get("text", "")).splitlines():
                    self.recorder.line(line)
            case "metric":
                self.recorder.metric(event.get("step"), event.get("values"))
            case "progress":
                self._progress(event)
            case "checkpoint" if isinstance(event.get("step"), int):
                self.recorder.tell(checkpoint_step=event["step"])
            case "item" if self.on_item is not None:
                self.on_item(event)
            case "look" if self.on_look is not None:
                self.on_look(event)
            case "error":
                self.error = str(event.get("message", ""))[:1000]
            case "done" if isinstance(event.get("result"), dict):
                self.result = event["result"]

    def _progress(self, event: Event) -> None:
        done, total = event.get("done"), event.get("total")
        if isinstance(done, int) and isinstance(total, int) and 0 <= done <= total:
            self.recorder.tell(done=done, total=total, unit=str(event.get("unit", ""))[:16])

    def _count(self, ended: Exit) -> None:
        """Add what this attempt used to what earlier ones did."""
        run = self.lease.run
        run.cpu_seconds = (run.cpu_seconds or 0.0) + ended.cpu_seconds
        run.peak_memory_bytes = max(run.peak_memory_bytes or 0, ended.peak_memory_bytes)
        used = {"cpu_seconds": run.cpu_seconds, "peak_memory_bytes": run.peak_memory_bytes}
        Run.objects.held(run).update(**used)


def _limits(threads: int) -> Limits:
    wall_seconds = settings.RUN_WALL_LIMIT.total_seconds()
    return Limits(
        wall_seconds=wall_seconds,
        cpu_seconds=int(wall_seconds * max(threads, thread_count())),
        memory_bytes=settings.RUN_MEMORY_LIMIT_BYTES,
        out_bytes=settings.RUN_OUTPUT_LIMIT_BYTES,
        log_bytes=settings.RUN_LOG_LIMIT_BYTES,
        threads=threads,
    )


def _why(ended: Exit, limits: Limits) -> str:
    sentence = _ENDS.get(ended.reason)
    if sentence is None:
        return f"The runner ended with status {ended.code}: look at the end of the log."
    return sentence.format(
        minutes=limits.wall_seconds / 60,
        memory_gb=limits.memory_bytes / 1e9,
        disk_gb=limits.out_bytes / 1e9,
    )
