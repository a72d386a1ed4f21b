"""A run's folder on the worker: one subfolder an attempt, so that a late worker harms no other.

runs/<run>/attempt-<n>/in      read-only inputs
                      /out     what the sandbox writes: checkpoints, result
                      /items   item results as they came, one file for settings, side, benchmark
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from django.conf import settings

from training.models import Run

_ATTEMPT = re.compile(r"attempt-(\d{1,9})")
_CHECKPOINT = re.compile(r"checkpoint-(\d{1,9})")


class Workspace:
    """The folder of one attempt, with what earlier attempts reached."""

    def __init__(self, run: Run) -> None:
        self.run_folder = Path(settings.RUNS_DIR) / str(run.pk)
        self.folder = self.run_folder / f"attempt-{run.attempt}"
        self.inputs, self.out = self.folder / "in", self.folder / "out"
        self.items, self.result = self.folder / "items", self.out / "result"

    def prepare(self) -> int | None:
        """Make the folders and take over the newest checkpoint; the step it was made at."""
        for folder in (self.inputs, self.out, self.items):
            folder.mkdir(parents=True, exist_ok=True)
        newest = max(self._checkpoints(), default=None, key=_step)
        if newest is None:
            return None
        target = self.out / "checkpoints" / newest.name
        shutil.copytree(newest, target, symlinks=True)
        return _step(newest)

    def emptied_inputs(self) -> Path:
        """The folder of inputs without what an earlier job of this attempt was shown."""
        shutil.rmtree(self.inputs, ignore_errors=True)
        self.inputs.mkdir(parents=True)
        return self.inputs

    def show_inputs(self) -> None:
        """Let another user, whom the sandbox runs as, read the inputs whatever our umask is."""
        self.inputs.chmod(0o755)
        for path in self.inputs.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o444)

    def earlier_items(self, side: str, benchmark: str) -> list[Path]:
        """Files of item results that earlier attempts left, the oldest first."""
        places = [folder / "items" / side / f"{benchmark}.jsonl" for folder in self._earlier()]
        return [place for place in places if place.is_file()]

    def drop_earlier(self) -> None:
        """Remove the folders of earlier attempts, once what they reached is taken over."""
        for folder in self._earlier():
            shutil.rmtree(folder, ignore_errors=True)

    def remove(self) -> None:
        """Remove everything of the run; one that is gone is no fault."""
        shutil.rmtree(self.run_folder, ignore_errors=True)

    def _earlier(self) -> list[Path]:
        found = [f for f in self.run_folder.glob("attempt-*") if _ATTEMPT.fullmatch(f.name)]
        ordered = sorted(found, key=lambda folder: int(folder.name.partition("-")[2]))
        return [folder for folder in ordered if folder != self.folder]

    def _checkpoints(self) -> list[Path]:
        """Whole checkpoints of earlier attempts: the runner renames them into place when done."""
        kept = [f / "out" / "checkpoints" for f in self._earlier()]
        # What the sandbox made may be a link to anywhere.
        places = [place for folder in kept if not folder.is_symlink() for place in folder.glob("*")]
        return [p for p in places if _CHECKPOINT.fullmatch(p.name) and not p.is_symlink()]


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.partition("-")[2])
